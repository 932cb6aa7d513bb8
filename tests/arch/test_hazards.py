"""The checker finds what a wrong compiler could do: one small program per fault."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intarsia.arch.access import Access, accesses, bank_mask
from intarsia.arch.hazards import ProgramError, check_program, check_waits
from intarsia.arch.isa import (
    Argmax,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.program import Program, Region, Segment
from tests.arch.machines import MACHINE

Queues = Mapping[Unit, Sequence[Instruction]]

BANK = MACHINE.bank_bytes
REGIONS = (
    Region("weights", 0, 0x10000, "weights"),
    Region("spill", 0x10000, 0x8000, "activations"),
    Region("labels", 0x18000, 0x1000, "labels"),
)


def program(queues: Queues, **changes: Any) -> Program:
    parts = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple("node" for one in part if not isinstance(one, Wait)) for part in parts)
    return Program(MACHINE, (Segment("s", parts, labels, **changes),), REGIONS, 0x20000, "uint8")


def load(address: int, size: int, space: Space = Space.SCRATCHPAD, **changes: Any) -> Load:
    return Load(0, space, address, size, **changes)


WEIGHTS = load(0, 32 * (12 + 32), Space.STATIONARY)
X = load(0, 64 * 32)
FC = Matmul(x=0, y=0, out=BANK, m=64, k=32, n=32, x_stride=32, y_stride=0, out_stride=32)
GOOD: Queues = {
    Unit.LOAD: [WEIGHTS, X],
    Unit.ARRAY: [Wait(Unit.LOAD, 2), FC],
    Unit.STORE: [Wait(Unit.ARRAY, 1), Store(0x10000, BANK, 64 * 32)],
}


def refused(queues: Queues, message: str, **changes: Any) -> None:
    with pytest.raises(ProgramError, match=f"^segment s, {message}"):
        check_program(program(queues, **changes))


def test_a_right_program_passes() -> None:
    check_program(program(GOOD))


def test_the_next_iteration_must_not_overwrite_what_is_read() -> None:
    # Without waits the second iteration's loads run while the array still reads the first's.
    refused(GOOD, r"array 1 \(matmul\), iteration 0: stationary 0x0 is read while it is written", repeat=2)
    first: dict[Unit, Sequence[Instruction]] = {
        **GOOD,
        Unit.LOAD: [load(2 * BANK, 16), X, WEIGHTS],
        Unit.ARRAY: [Wait(Unit.LOAD, 3), FC],
    }
    refused(first, r"load 1 \(load\), iteration 1: scratchpad 0x0 is written while it is read", repeat=2)
    waiting: dict[Unit, Sequence[Instruction]] = {
        **GOOD,
        Unit.LOAD: [Wait(Unit.ARRAY, 0), *GOOD[Unit.LOAD]],
    }
    waiting[Unit.ARRAY] = [Wait(Unit.STORE, 0), *GOOD[Unit.ARRAY]]
    check_program(program(waiting, repeat=2))


def test_output_overwritten_while_stored() -> None:
    waiting: dict[Unit, Sequence[Instruction]] = {
        **GOOD,
        Unit.LOAD: [Wait(Unit.ARRAY, 0), *GOOD[Unit.LOAD]],
    }
    slow = Store(0x10000, BANK, 16, count1=128, stride1=16, dram_stride1=16)
    waiting[Unit.STORE] = [Wait(Unit.ARRAY, 1), *[slow] * 4]
    refused(
        waiting, r"array 1 \(matmul\), iteration 1: scratchpad 0x8000 is written while it is read", repeat=2
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (
            load(MACHINE.scratchpad_bytes - 16, 32),
            r"load 0 \(load\): bytes 0x37fff0 to 0x380010 are not all inside the scratchpad of 0x380000",
        ),
        (load(0, 16, Space.STATIONARY, count1=5, stride1=65535), "load 0 .*stationary"),
        (
            load(4096, 16, Space.PARAMETERS),
            "load 0 .*bytes 0x1000 to 0x1010 are not all inside the parameters of 0x1000",
        ),
        (load(760, 16, Space.TABLE), "load 0 .*table"),
        (
            Load(0x1FFFF, Space.SCRATCHPAD, 0, 2),
            "load 0 .*bytes 0x1ffff to 0x20001 are not all inside the DRAM of 0x20000",
        ),
    ],
)
def test_addresses(bad: Load, message: str) -> None:
    refused({Unit.LOAD: [bad]}, message)


def test_the_base_register_of_the_last_iteration_counts() -> None:
    based = Load(0, Space.SCRATCHPAD, 0, 16, based=True)
    check_program(program({Unit.LOAD: [based]}, repeat=16, base_step=0x1000))
    refused({Unit.LOAD: [based]}, "load 0 .*bytes 0x20000 to 0x20010 are", repeat=2, base_step=0x20000)
    refused(
        {Unit.LOAD: [based]},
        "load 0 .*dram 0x1a000..0x1a010 must be all inside regions",
        repeat=14,
        base_step=0x2000,
    )
    refused(
        {Unit.LOAD: [based]}, "load 0 .*iteration 16: dram 0x10000 is read", repeat=17, base_step=0x1000
    )


def test_store_stays_in_its_regions() -> None:
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [X],
        Unit.STORE: [Wait(Unit.LOAD, 1), Store(0xFFF0, 0, 32)],
    }
    refused(queues, r"store 1 \(store\): dram 0xfff0..0x10010 is no region of activations or labels")


def test_fields() -> None:
    refused({Unit.ARRAY: [replace(FC, m=513)]}, "array 0 .*m must be in 1..512, not 513")
    overlap = Shiftmax(0, 64, 2, 128, 128, 256, 0)
    refused(
        {Unit.SHIFTMAX: [overlap]},
        "shiftmax 0 .*target at 0x40 and its source at 0x0 must share no byte, not 0x40",
    )


@pytest.mark.parametrize(
    ("queues", "message"),
    [
        ({Unit.ARRAY: [FC]}, "array 0 .*iteration 0: scratchpad 0x0 is read before it is written"),
        (
            {Unit.LOAD: [load(0, 63 * 32)], Unit.ARRAY: [Wait(Unit.LOAD, 1), FC]},
            "array 1 .*iteration 0: scratchpad 0x7e0 is read before",
        ),
        (
            {Unit.LOAD: [X], Unit.ARRAY: [Wait(Unit.LOAD, 1), FC]},
            "array 1 .*stationary 0x0 is read before",
        ),
        (
            {Unit.LOAD: [X], Unit.GELU: [Wait(Unit.LOAD, 1), Gelu(0, 0, 64, 32, 32, 32, 5)]},
            "gelu 1 .*parameters 0x50 is read before",
        ),
        (
            {
                Unit.LOAD: [load(0, 64), load(80, 16, Space.PARAMETERS)],
                Unit.LAYERNORM: [Wait(Unit.LOAD, 2), Layernorm(0, 1, 64, 1, 32, 64, 32, 5)],
            },
            f"layernorm 1 .*constants {MACHINE.slot_bytes:#x} is read before",
        ),
        ({Unit.LOAD: [Load(0x10010, Space.SCRATCHPAD, 0, 16)]}, "load 0 .*dram 0x10010 is read before"),
    ],
)
def test_read_before_written(queues: Queues, message: str) -> None:
    refused(queues, message)


def test_reading_while_the_writer_still_runs() -> None:
    refused(
        {Unit.LOAD: [X, load(BANK, 64 * 32)], Unit.STORE: [Wait(Unit.LOAD, 1), Store(0x10000, BANK, 16)]},
        "store 1 .*iteration 0: scratchpad 0x8000 is read while",
    )


def test_spilled_tensors_are_followed_through_dram() -> None:
    store, back = Store(0x10000, 0, 256), Load(0x10080, Space.SCRATCHPAD, BANK, 128)
    queues: Queues = {
        Unit.LOAD: [X, Wait(Unit.STORE, 1), back],
        Unit.STORE: [Wait(Unit.LOAD, 1), store],
    }
    check_program(program(queues))
    refused({**queues, Unit.LOAD: [X, back]}, "load 1 .*dram 0x10080 is read before")


def test_two_units_on_one_read_port() -> None:
    word = load(0, 16 * 256, Space.PARAMETERS)
    queues: Queues = {
        Unit.LOAD: [load(0, 4096), word],
        Unit.GELU: [Wait(Unit.LOAD, 2), Gelu(0, BANK, 16, 64, 64, 64, 0)],
        Unit.STORE: [Wait(Unit.LOAD, 2), Store(0x10000, 2048, 64)],
    }
    refused(queues, r"gelu 1 .*the read port of bank 0 is held by segment s, store 1 \(store\) in cycle")
    check_program(program({**queues, Unit.STORE: [Wait(Unit.GELU, 1), Store(0x10000, 2048, 64)]}))


def test_two_units_on_one_write_port() -> None:
    queues: Queues = {
        Unit.LOAD: [load(0, 4096), load(BANK, 4096)],
        Unit.ELEMENTWISE: [Wait(Unit.LOAD, 1), Argmax(0, BANK + 8192, 16, 32, 64)],
    }
    refused(queues, "elementwise 1 .*the write port of bank 1 is held by segment s, load 1")


def test_operands_in_one_bank() -> None:
    scores = Matmul(0, 4096, BANK, 64, 32, 32, 32, 32, 32, layout=Layout.LANE_MAJOR)
    refused({Unit.ARRAY: [scores]}, r"array 0 \(matmul\): x and y must be in different banks, not")
    residual = Residual(0, 64, BANK, 1, 32, 64, 64, 64, 0)
    refused(
        {Unit.ELEMENTWISE: [residual]},
        "elementwise 0 .*x and identity must be in different banks",
    )


def test_bytes_count_and_not_granules() -> None:
    """Rows of 24 bytes at a distance of 32: the 8 behind each were never written."""
    written = load(0, 24, count1=4, stride1=32, dram_stride1=32)
    rows = Store(0x10000, 0, 24, count1=4, stride1=32, dram_stride1=32)
    queues: Queues = {Unit.LOAD: [written], Unit.STORE: [Wait(Unit.LOAD, 1), rows]}
    check_program(program(queues))
    whole = Store(0x10000, 0, 128)
    refused({**queues, Unit.STORE: [Wait(Unit.LOAD, 1), whole]}, "store 1 .*scratchpad 0x18 is read before")
    wide = Gelu(0, BANK, 4, 25, 32, 32, 0)
    word = load(0, 16, Space.PARAMETERS)
    gelu: Queues = {Unit.LOAD: [written, word], Unit.GELU: [Wait(Unit.LOAD, 2), wide]}
    refused(gelu, "gelu 1 .*scratchpad 0x18 is read before")
    check_program(program({**gelu, Unit.GELU: [Wait(Unit.LOAD, 2), replace(wide, length=24)]}))
    # The same through DRAM.
    back = Load(0x10000, Space.SCRATCHPAD, BANK, 24, count1=4, stride1=32, dram_stride1=32)
    there: Queues = {**queues, Unit.LOAD: [written, Wait(Unit.STORE, 1), back]}
    check_program(program(there))
    much = Load(0x10000, Space.SCRATCHPAD, BANK, 128)
    refused(
        {**there, Unit.LOAD: [written, Wait(Unit.STORE, 1), much]}, "load 2 .*dram 0x10018 is read before"
    )


def test_dram_that_is_in_no_region() -> None:
    refused(
        {Unit.LOAD: [Load(0x18FF8, Space.SCRATCHPAD, 0, 16)]}, "load 0 .*dram 0x18ff8..0x19008 must be all"
    )
    refused(
        {Unit.LOAD: [Load(0, Space.SCRATCHPAD, 0, 16, count1=3, dram_stride1=0xC800, stride1=16)]},
        "load 0 .*dram 0x0..0x19010 must be all inside regions",
    )


def test_another_units_instruction() -> None:
    refused({Unit.STORE: [X]}, r"store 0 \(load\): no instruction of this unit")


def test_unaligned_pieces() -> None:
    """Patches of 24 bytes: granules that two pieces share."""
    queues: Queues = {
        Unit.LOAD: [load(8, 24, count1=4, stride1=24)],
        Unit.STORE: [Wait(Unit.LOAD, 1), Store(0x10008, 8, 24, count1=4, stride1=24, dram_stride1=24)],
    }
    check_program(program(queues))
    far = Store(0x10008, 8, 24, count1=5, stride1=24, dram_stride1=24)
    refused({**queues, Unit.STORE: [Wait(Unit.LOAD, 1), far]}, "store 1 .*scratchpad 0x68 is read before")


def test_matrices_are_aligned() -> None:
    refused({Unit.ARRAY: [replace(FC, x=8)]}, "array 0 .*x must be a multiple of 16, not 0x8")
    refused({Unit.ARRAY: [replace(FC, x_stride=40)]}, "array 0 .*x_stride must be a multiple of 16 in")
    labels: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [X],
        Unit.ELEMENTWISE: [Wait(Unit.LOAD, 1), Argmax(0, BANK + 5, 32, 32, 64)],
    }
    check_program(program(labels))


def test_a_missing_wait_that_durations_make_up_for() -> None:
    """The store follows a long product in time, but nothing makes it wait for the load."""
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [WEIGHTS, X, load(2 * BANK, 64)],
        Unit.ARRAY: [Wait(Unit.LOAD, 2), FC],
        Unit.STORE: [Wait(Unit.ARRAY, 1), Store(0x10000, 2 * BANK, 64)],
    }
    check_program(program(queues))
    with pytest.raises(ProgramError, match="store 1 .*scratchpad 0x10000 is read "):
        check_waits(program(queues))
    check_waits(program({**queues, Unit.STORE: [Wait(Unit.LOAD, 3), *queues[Unit.STORE]]}))


@given(
    st.integers(0, 10**6),
    st.integers(1, 5000),
    st.integers(1, 8),
    st.integers(0, 10**5),
    st.integers(1, 4),
    st.integers(0, 10**5),
)
def test_banks_are_those_of_the_bytes(
    address: int, size: int, count1: int, stride1: int, count2: int, stride2: int
) -> None:
    access = Access(Space.SCRATCHPAD, False, address, size, count1, stride1, count2, stride2)
    wanted = 0
    for start in access.starts().tolist():
        for bank in range(start // BANK, (start + size - 1) // BANK + 1):
            wanted |= 1 << bank
    found = bank_mask(access, MACHINE)
    assert found & wanted == wanted
    # Every bank between the first and the last may be counted, none outside.
    assert found.bit_length() == wanted.bit_length() and found & -found == wanted & -wanted


def test_what_a_product_touches() -> None:
    values = Matmul(0, 64, BANK, 4, 50, 40, 112, 48, 80, Layout.DEPTH_MAJOR, x16=True, out16=True, param=3)
    assert accesses(values, MACHINE) == (
        Access(Space.SCRATCHPAD, False, 0, 100, 4, 112),
        Access(Space.SCRATCHPAD, False, 64, 40, 50, 48),
        Access(Space.PARAMETERS, False, 48, 16),
        Access(Space.SCRATCHPAD, True, BANK, 80, 4, 80),
    )
    packed = replace(values, layout=Layout.PACKED)
    assert accesses(packed, MACHINE)[1] == Access(Space.STATIONARY, False, 64, 2 * 32 * (12 + 64))
