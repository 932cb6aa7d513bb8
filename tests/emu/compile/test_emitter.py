"""Waits follow from the bytes that instructions touch."""

from __future__ import annotations

import pytest

from intarsia.arch.isa import Load, Residual, Space, Store, Unit, Wait
from intarsia.emu.compile.emitter import Emitter
from tests.emu.compile.graphs import small_machine


def emitted(*instructions, **places):
    emitter = Emitter(small_machine())
    for instruction in instructions:
        emitter.add(instruction, "x", places.get("dram"))
    return emitter.queues


def load(dram, address=8192, **more):
    return Load(dram, Space.SCRATCHPAD, address, 64, **more)


def store(dram, address=0, **more):
    return Store(dram, address, 64, **more)


def test_a_load_waits_for_the_store_of_its_bytes():
    queues = emitted(store(0), store(256), load(256))
    assert queues[Unit.LOAD][0] == Wait(Unit.STORE, 2)


@pytest.mark.parametrize("dram", [64, 192, 4096])
def test_a_load_of_other_bytes_waits_for_nobody(dram):
    queues = emitted(store(0), store(128), store(256), load(dram))
    assert queues[Unit.LOAD] == [load(dram)]


def test_a_store_waits_for_the_last_load_of_its_bytes():
    queues = emitted(load(0), load(32), load(640, address=16384), store(80))
    assert queues[Unit.STORE][0] == Wait(Unit.LOAD, 2)


def test_bytes_between_pieces_count():
    """Columns of a matrix that others store between two of ours."""
    queues = emitted(store(0, count1=4, dram_stride1=1024, stride1=64), load(1500))
    assert queues[Unit.LOAD][0] == Wait(Unit.STORE, 1)


def test_constants_are_nobodys():
    """Their addresses are relative to the base register, so they say nothing."""
    assert emitted(store(0), load(0, based=True))[Unit.LOAD] == [load(0, based=True)]


def test_a_transfer_taken_to_touch_more():
    queues = emitted(store(0), load(8192), dram=(0, 65536))
    assert queues[Unit.LOAD][0] == Wait(Unit.STORE, 1)


def test_a_unit_waits_for_what_it_reads_and_what_it_overwrites():
    sums = Residual(0, 8192, 0, 1, 16, 32, 32, 32, 0)
    queues = emitted(load(0, address=0), load(64, address=8192), sums, store(0), load(128, address=0))
    assert queues[Unit.ELEMENTWISE][0] == Wait(Unit.LOAD, 2)
    assert queues[Unit.STORE][:2] == [Wait(Unit.LOAD, 1), Wait(Unit.ELEMENTWISE, 1)]
    assert queues[Unit.LOAD][2:4] == [Wait(Unit.STORE, 1), Wait(Unit.ELEMENTWISE, 1)]


def test_many_transfers():
    """More than are kept from the start."""
    stores = [store(128 * i) for i in range(200)]
    queues = emitted(*stores, load(128 * 150))
    assert queues[Unit.LOAD][0] == Wait(Unit.STORE, 151)
