"""Training: the schedule, the determinism of samples, the refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from model.data.dataset import Scenes
from model.errors import InputError
from model.segmenter import SegmenterConfig
from model.train import Trainer, TrainOptions

CONFIG = SegmenterConfig(embed=32, heads=1, layers=1, decoder_layers=1, image=(32, 48), classes=10, patch=8)


def trainer(path, **changes):
    options = TrainOptions(**{"steps": 12, "batch": 2, "warmup": 3, **changes})
    return Trainer(CONFIG, Scenes("train", CONFIG.image, 1), options, path / "train.state")


def test_the_rate_warms_up_and_decays():
    options = TrainOptions(steps=100, warmup=10, learning_rate=1.0)
    rates = [options.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.02


def test_the_loss_falls(tmp_path):
    losses = list(trainer(tmp_path, steps=40, learning_rate=3e-3).run())
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_samples_depend_on_seed_and_step_alone(tmp_path):
    one, other = trainer(tmp_path), trainer(tmp_path)
    for a, b in zip(one._batch(5), other._batch(5), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one._batch(5)[0], one._batch(6)[0])
    assert not torch.equal(one._batch(5)[0], trainer(tmp_path, seed=2)._batch(5)[0])


def test_training_scenes_are_never_evaluation_scenes(tmp_path):
    seen = []
    first = trainer(tmp_path)

    class Spy:
        def sample(self, seed):
            seen.append(seed)
            return np.zeros((*CONFIG.image, 3), np.uint8), np.zeros(CONFIG.image, np.uint8)

    first.data = Spy()
    first._batch(0)
    assert min(seen) >= 2**32


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 0}, "seed must be at least 1, not 0"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"learning_rate": 0.0}, r"learning rate must be above 0, not 0\.0"),
    ],
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainOptions(**changes)


def test_a_loss_that_explodes_is_refused(tmp_path):
    with pytest.raises(InputError, match="the loss became nan at step"):
        list(trainer(tmp_path, learning_rate=1e30).run())
