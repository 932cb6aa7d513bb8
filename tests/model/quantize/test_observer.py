"""Ranges against the formula of numerics section 1."""

from __future__ import annotations

import pytest
import torch

from intarsia.model.errors import InputError
from intarsia.model.quantize.observer import Observer, Ranges


def test_the_first_batch_initialises_and_later_ones_move_by_the_momentum():
    observer = Observer()
    observer.update(torch.tensor([-3.0, 2.0]), 0.05)
    assert (float(observer.low), float(observer.high)) == (-3.0, 2.0)
    observer.update(torch.tensor([-1.0, 4.0]), 0.05)
    assert float(observer.low) == pytest.approx(0.05 * -1 + 0.95 * -3)
    assert float(observer.high) == pytest.approx(0.05 * 4 + 0.95 * 2)
    assert observer.magnitude == pytest.approx(2.9)


def test_the_scale_has_127_or_32767_levels_and_a_floor():
    ranges = Ranges()
    ranges.update("a.b", torch.tensor([-2.0, 1.0]), 1.0)
    assert ranges.scale("a.b", 8) == 2 / 127
    assert ranges.scale("a.b", 16) == 2 / 32767
    assert ranges.scale("a.b", 8, at_least=5.0) == 5 / 127
    ranges.update("zero", torch.zeros(3), 1.0)
    assert ranges.scale("zero", 8) == 2.0**-23


def test_not_finite_and_unseen_are_refused_by_name():
    ranges = Ranges()
    with pytest.raises(InputError, match=r"x\.y: activations must be finite, not nan"):
        ranges.update("x.y", torch.tensor([1.0, float("nan")]), 0.05)
    with pytest.raises(InputError, match="never has no range"):
        ranges.scale("never", 8)


def test_ranges_travel_in_the_state_dict():
    ranges = Ranges()
    ranges.update("a.b", torch.tensor([-2.0, 1.0]), 1.0)
    assert any(key.endswith("low") for key in ranges.state_dict())
