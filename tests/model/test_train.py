"""Training: the schedule, the determinism of samples, the refusals."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch

from intarsia.model.data.dataset import Scenes
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.train import Trainer, TrainOptions

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
        ({"seed": 0}, r"seed must be in 1\.\.2147483647, not 0"),
        ({"seed": 2**31}, r"seed must be in 1\.\.2147483647, not 2147483648"),
        ({"steps": 0}, "steps must be at least 1, not 0"),
        ({"batch": 0}, "batch must be at least 1, not 0"),
        ({"learning_rate": 0.0}, r"learning rate must be above 0 and at most 1, not 0\.0"),
        ({"learning_rate": 1.5}, r"learning rate must be above 0 and at most 1, not 1\.5"),
        ({"learning_rate": math.inf}, "learning rate must be above 0 and at most 1, not inf"),
        ({"learning_rate": math.nan}, "learning rate must be above 0 and at most 1, not nan"),
    ],
)
def test_options_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TrainOptions(**changes)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("what", ["loss", "norm of the gradient"])
def test_training_that_diverges_is_refused_and_not_saved(tmp_path, what):
    one = trainer(tmp_path, save_every=2)
    steps = one.run()
    next(steps), next(steps)
    good = (tmp_path / "train.state").read_bytes()
    weights = copy.deepcopy(one.model)
    if what == "loss":
        one.model.decoder.mask_norm.register_forward_hook(lambda *a: a[-1] * math.nan)
    else:
        one.model.decoder.mask_norm.weight.register_hook(lambda gradient: gradient * math.nan)
    with pytest.raises(InputError, match=f"the {what} became nan at step 3: lower the learning rate"):
        next(steps)
    assert (tmp_path / "train.state").read_bytes() == good
    assert same(one.model, weights)
    again = trainer(tmp_path, save_every=2)
    assert again.step == 2
    assert same(again.model, weights)


def test_an_interruption_within_a_step_is_not_saved(tmp_path, monkeypatch):
    one = trainer(tmp_path, save_every=2)
    steps = one.run()
    next(steps), next(steps)
    weights = copy.deepcopy(one.model)
    original = one.optimizer.step

    def interrupted():
        original()
        raise KeyboardInterrupt

    monkeypatch.setattr(one.optimizer, "step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    again = trainer(tmp_path, save_every=2)
    assert again.step == 2
    assert same(again.model, weights)


@pytest.mark.parametrize("content", [b"damaged", b"\x80\x02garbage", b"", "foreign", "other"])
def test_what_is_no_training_state_is_refused(tmp_path, content):
    path = tmp_path / "train.state"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(CONFIG if content == "foreign" else {"about": 1}, path)
    with pytest.raises(InputError) as error:
        trainer(tmp_path)
    assert str(error.value).startswith(f"{path} ")
    assert "weights_only" not in str(error.value)
