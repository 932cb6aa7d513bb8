"""Records: the same bytes for the compiler, the emulator and the hardware."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.isa import INSTRUCTIONS
from intarsia.arch.isa.errors import FIELD, InstructionError
from intarsia.arch.isa.layernorm import CHANNEL
from intarsia.arch.isa.matmul import OUTPUT
from intarsia.arch.isa.record import Record
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES
from intarsia.hw.interfaces.instruction import scalar, scalar_faults

WORDS = {kind.mnemonic(): record for kind in INSTRUCTIONS if (record := kind.parameter())}
RECORDS = {**WORDS, "output": OUTPUT, "channel": CHANNEL}


def test_sizes() -> None:
    assert {record.size for record in WORDS.values()} == {PARAMETER_BYTES}
    assert OUTPUT.size == CHANNEL.size == ENTRY_BYTES


@pytest.mark.parametrize("name", RECORDS)
def test_scalars_do_not_overlap(name: str) -> None:
    record = RECORDS[name]
    bits = [8 * one.first + k for one in record.scalars for k in range(one.bits)]
    assert len(set(bits)) == len(bits)
    assert max(bits) < 8 * record.size


def values(record: Record) -> st.SearchStrategy[dict[str, int]]:
    """Scalars of whatever their bits hold; the ends of their ranges are likely."""
    return st.fixed_dictionaries(
        {
            one.name: st.integers(one.least, one.most)
            | st.sampled_from([one.low, one.high, max(one.low - 1, one.least), min(one.high + 1, one.most)])
            for one in record.scalars
        }
    )


def legal(record: Record, of: dict[str, int]) -> bool:
    return all(one.low <= of[one.name] <= one.high for one in record.scalars)


@pytest.mark.parametrize("name", RECORDS)
@given(st.data())
def test_what_is_packed_is_read_again_and_checked(name: str, data: Any) -> None:
    record = RECORDS[name]
    of = data.draw(values(record))
    (read,) = record.packed(**of).view(record.dtype)
    assert {one.name: int(read[one.name]) for one in record.scalars} == of
    if legal(record, of):
        assert record.checked(read) == of
    else:
        with pytest.raises(InstructionError) as error:
            record.checked(read)
        assert error.value.code == FIELD


@pytest.mark.parametrize("name", RECORDS)
@settings(deadline=None, max_examples=5)
@given(st.data())
def test_hardware_cuts_out_the_same_and_refuses_the_same(name: str, data: Any) -> None:
    record = RECORDS[name]
    cases = data.draw(st.lists(values(record), min_size=1, max_size=40))
    m, word = Module(), Signal(8 * record.size)
    faults = scalar_faults(word, record)
    fault = Signal()
    m.d.comb += fault.eq(sum(faults, Const(0)) != 0)

    async def bench(ctx: Any) -> None:
        for of in cases:
            ctx.set(word, int.from_bytes(record.packed(**of).tobytes(), "little"))
            assert {one.name: ctx.get(scalar(word, record, one.name)) for one in record.scalars} == of
            assert ctx.get(fault) == (not legal(record, of))

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()


def test_arrays_are_checked_by_their_ends() -> None:
    entries = np.zeros(5, OUTPUT.dtype)
    entries["c"][3] = 64
    with pytest.raises(InstructionError, match="^shift c must be in 0..63, not 64$"):
        OUTPUT.checked(entries)
    assert OUTPUT.checked(entries[:3])["c"].tolist() == [0, 0, 0]
