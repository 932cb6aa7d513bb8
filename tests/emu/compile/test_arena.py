"""Scratchpad memory by name, with banks of its own for every buffer or shared ones."""

import pytest

from intarsia.emu.compile.arena import Arena, Sharing
from intarsia.model.errors import InputError


def test_every_buffer_has_banks_of_its_own():
    arena = Arena(8, 1024, "small")
    assert [arena.allocate(name, 100) for name in "abc"] == [0, 1024, 2048]
    assert arena.allocate("top", 1025, high=True) == 6 * 1024
    arena.free("b")
    assert arena.allocate("d", 1024) == 1024
    with pytest.raises(InputError) as caught:
        arena.allocate("e", 4000)
    assert str(caught.value) == (
        "the scratchpad of small must have 4 banks of 1024 bytes free in one piece for e, not 3 of 8 (1 or "
        "1024 bytes too few)"
    )


def test_those_that_find_no_bank_share_one():
    arena = Arena(2, 1024, "small", Sharing.SOME)
    assert arena.allocate("a", 100) == 0
    arena.sharing = Sharing.ALL
    assert arena.allocate("b", 100) == 1024
    arena.sharing = Sharing.SOME
    assert arena.allocate("c", 100) == 1024 + 112
    assert arena.allocate("d", 20, high=True) == 2 * 1024 - 32


def test_no_gap_is_left():
    arena = Arena(2, 1024, "small", Sharing.ALL)
    assert [arena.allocate(name, 100) for name in "abc"] == [0, 112, 224]
    arena.free("b")
    assert arena.allocate("d", 112) == 112
    assert arena.allocate("e", 1700) == 336
    with pytest.raises(InputError) as caught:
        arena.allocate("f", 32)
    assert str(caught.value) == (
        "the scratchpad of small must have 32 bytes free in one piece for f, not 0 of 2048 (32 too few)"
    )


def test_operands_are_in_different_banks():
    arena = Arena(3, 1024, "small", Sharing.ALL)
    assert arena.allocate("x[0]", 1100) == 0
    assert arena.allocate("y", 16, apart="x") == 2048
    assert arena.allocate("z", 16) == 1104
    arena.free("x[0]")
    assert arena.allocate("v", 16, apart="x") == 0


def test_what_was_freed_comes_back_to_its_place():
    arena = Arena(3, 1024, "small", Sharing.SOME)
    arena.allocate("a", 10)
    arena.allocate("b", 10)
    arena.free("a")
    arena.restore("a")
    assert arena.allocate("c", 10) == 2048
