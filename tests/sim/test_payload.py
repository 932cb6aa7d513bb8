"""sim.payload against packing by Python's integers, bit by bit."""

from __future__ import annotations

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from amaranth.lib import data
from hypothesis import given
from hypothesis import strategies as st

from intarsia.sim.payload import Field, Payload

CORNERS = (0, -1, 1, -(2**63), 2**63 - 1)


@st.composite
def payloads(draw):
    """A struct of 1 to 5 fields, each a number or an array of numbers, of 1 to 64 bits."""
    members = {}
    for name in "abcde"[: draw(st.integers(1, 5))]:
        # What is unsigned has 63 bits at most: the arrays are int64.
        shape = draw(
            st.one_of(st.builds(signed, st.integers(1, 64)), st.builds(unsigned, st.integers(1, 63)))
        )
        count = draw(st.integers(0, 9))
        members[name] = data.ArrayLayout(shape, count) if count else shape
    return Payload.of(data.StructLayout(members))


def limits(field):
    return -(1 << field.width - 1) if field.signed else 0, (1 << field.width - field.signed) - 1


def naive(payload, beats, at):
    """One beat, field by field and lane by lane."""
    value, lowest = 0, 0
    for field in payload.fields:
        for number in np.atleast_1d(beats[field.name][at]):
            value |= (int(number) & (1 << field.width) - 1) << lowest
            lowest += field.width
    return value


@given(payloads(), st.integers(1, 5), st.integers(0, 2**32))
def test_pack_is_naive_packing_and_unpack_undoes_it(payload, count, seed):
    rng = np.random.default_rng(seed)
    beats = {}
    for field in payload.fields:
        low, high = limits(field)
        numbers = rng.integers(low, high, (count, field.count), endpoint=True)
        corners = np.clip(rng.choice(CORNERS, numbers.shape), low, high)
        numbers = np.where(rng.random(numbers.shape) < 0.3, corners, numbers)
        beats[field.name] = numbers[:, 0] if field.scalar else numbers
    packed = payload.pack(beats)
    assert packed == [naive(payload, beats, k) for k in range(count)]
    assert max(packed) < 1 << payload.bits
    again = payload.unpack(packed)
    assert list(again) == list(beats)
    for name, numbers in beats.items():
        np.testing.assert_array_equal(again[name], numbers)
        assert again[name].shape == numbers.shape


def test_the_first_field_and_lane_0_are_lowest():
    payload = Payload.of(data.StructLayout({"a": 4, "b": data.ArrayLayout(signed(8), 2), "c": 1}))
    assert payload.bits == 21
    assert payload.fields[1] == Field("b", 8, signed=True, count=2, scalar=False)
    beats = {"a": np.array([0xA]), "b": np.array([[-2, 0x34]]), "c": np.array([1])}
    assert payload.pack(beats) == [0x134FEA]


def test_a_payload_that_is_no_struct_is_the_field_without_a_name():
    assert Payload.of(unsigned(3)).pack({"": np.array([5, 0])}) == [5, 0]
    assert Payload.of(data.ArrayLayout(4, 2)).pack({"": np.array([[1, 2]])}) == [0x21]
    assert Payload.of(data.ArrayLayout(4, 1)).pack({"": np.array([[7]])}) == [7]


def test_a_stream_may_have_no_beats():
    payload = Payload.of(data.StructLayout({"a": 4, "b": data.ArrayLayout(signed(8), 2)}))
    none = {"a": np.zeros(0, np.int64), "b": np.zeros((0, 2), np.int64)}
    assert payload.pack(none) == []
    assert [numbers.shape for numbers in payload.unpack([]).values()] == [(0,), (0, 2)]


@pytest.mark.parametrize(
    ("beats", "message"),
    [
        ({"a": [1]}, "fields must be ['a', 'b'], not ['a']"),
        ({"a": [1], "b": [[1, 2]], "c": [1]}, "fields must be ['a', 'b'], not ['a', 'b', 'c']"),
        ({"a": [1], "b": [[1, 2, 3]]}, "field 'b' must have the shape (1, 2), not (1, 3)"),
        ({"a": [1, 16, 20], "b": [[1, 2]] * 3}, "field 'a' must be in 0..15, not 20"),
        ({"a": [-1], "b": [[1, 2]]}, "field 'a' must be in 0..15, not -1"),
        ({"a": [1], "b": [[127, 128]]}, "field 'b' must be in -128..127, not 128"),
        ({"a": [1], "b": [[-129, 0]]}, "field 'b' must be in -128..127, not -129"),
    ],
)
def test_what_does_not_fit_is_refused(beats, message):
    payload = Payload.of(data.StructLayout({"a": 4, "b": data.ArrayLayout(signed(8), 2)}))
    with pytest.raises(ValueError) as refusal:
        payload.pack({name: np.array(numbers) for name, numbers in beats.items()})
    assert str(refusal.value) == message
