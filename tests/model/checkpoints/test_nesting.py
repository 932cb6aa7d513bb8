"""Which mapping of tensors is taken, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from intarsia.model.checkpoints.nesting import find_state
from intarsia.model.errors import InputError

STATE = {"a.weight": torch.ones(2), "b.weight": torch.ones(2)}
OTHER = {"c.weight": torch.ones(2)}
BESIDE = "not used: optimizer, epoch, loss"
AMONG = "state_dict was taken, not state_dict_ema"


@pytest.mark.parametrize(
    ("data", "want", "notes"),
    [
        (STATE, STATE, []),
        ({"model": STATE}, STATE, ["model was taken"]),
        ({"x": {"y": STATE}, "epoch": 1}, STATE, ["x.y was taken"]),
        ({"model": STATE, "model_ema": OTHER}, STATE, ["model was taken, not model_ema"]),
        (
            {"state_dict_ema": OTHER, "state_dict": STATE},
            STATE,
            ["state_dict was taken, not state_dict_ema"],
        ),
        ({"student": OTHER, "teacher": STATE}, STATE, ["teacher was taken, not student"]),
        ({"model": {"name": "vit"}, "net": STATE}, STATE, ["net was taken"]),
        ({"rng_state": torch.ones(5), "net": STATE}, STATE, ["net was taken"]),
        ({"optimizer": {"state": {0: OTHER}}, "net": STATE}, STATE, ["net was taken"]),
        ({**STATE, "optimizer": OTHER, "epoch": 3, "loss": torch.ones(())}, STATE, [BESIDE]),
    ],
)
def test_what_is_taken(data, want, notes):
    assert find_state(data, Path("a.pth")) == (want, notes)


def test_several_are_refused_by_name():
    message = (
        "^a.pth must hold one state dict, or one under a usual name "
        r"\(model, state_dict, .*\), not 2: generator, critic$"
    )
    with pytest.raises(InputError, match=message):
        find_state({"generator": STATE, "critic": OTHER, "epoch": 3}, Path("a.pth"))


def test_a_mapping_inside_itself_ends():
    data = {f"k{i}": None for i in range(1000)}
    data |= dict.fromkeys(data, data)
    assert find_state(data, Path("a.pth")) == (data, [])
