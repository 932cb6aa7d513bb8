"""Instructions at every bound of docs/machine.md, sections 4, 5, 7 and 8: just legal, and just illegal."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from intarsia.arch.isa import Instruction, Load, Matmul, Space, Store, Unit, Wait
from tests.sim.rtl.case import (
    ARG,
    BANK,
    DEEP,
    END,
    EXP,
    FAR,
    GELU,
    IN,
    LANE,
    LOOK,
    MACHINE,
    MATMUL,
    N8,
    NORM,
    OUT,
    PACKED,
    RESIDUAL,
    S8,
    S16,
    SHIFTMAX,
    SIZES,
    WIDE_ARG,
    WIDE_EXP,
    Case,
    G,
    R,
    word,
)  # fmt: skip


def cases() -> Iterator[Case]:
    """All of them."""
    for op in (PACKED, LANE, DEEP, S8, S16, N8, G, R, LOOK, ARG, WIDE_ARG, EXP, WIDE_EXP, IN, OUT):
        yield Case(f"{_name(op)} as it is", op)
    yield from _opcodes()
    yield from _counts()
    yield from _machine()
    yield from _alignment()
    yield from _addresses()
    yield from _banks()
    yield from _parameters()
    yield from _waits()


def _name(op: Instruction) -> str:
    flags = [name for name in ("x16", "out8", "out16", "wide") if getattr(op, name, False)]
    layout = [op.layout.name.lower()] if isinstance(op, Matmul) else []
    return " ".join([type(op).__name__.lower(), *layout, *flags])


def _opcodes() -> Iterator[Case]:
    """Section 4: opcodes, and bits that mean nothing."""
    for opcode in (0, 12, 255):
        yield Case(f"opcode {opcode}", G, 1, words={0: opcode})
    yield Case("gelu in shiftmax's queue", G, 1, Unit.SHIFTMAX)
    yield Case("store in load's queue", OUT, 1, Unit.LOAD)
    for unit, op in ((Unit.LOAD, IN), (Unit.GELU, G), (Unit.ELEMENTWISE, LOOK)):
        yield Case(f"bit 15 of w0 of {_name(op)}", op, 2, unit, words={0: op.opcode | 0x8100})
    yield Case("w7 of gelu", G, 2, words={7: 1})
    yield Case("layout 3", LANE, 2, words={0: Matmul.opcode | 3 << 9})
    for space in (0, 6, 7):
        yield Case(f"load to space {space}", IN, 2, words={0: Load.opcode | space << 8})
    for space in (0, 2):
        yield Case(f"store from space {space}", OUT, 2, words={0: Store.opcode | space << 8})


def _counts() -> Iterator[Case]:
    """Sizes of 0 and of 1."""
    sizes: tuple[tuple[Any, tuple[str, ...]], ...] = (
        (IN, ("size", "count1", "count2")),
        (OUT, ("size", "count1", "count2")),
        (PACKED, ("m", "k", "n")),
        (DEEP, ("m", "k", "n")),
        *((one, ("rows", "length")) for one in (S8, S16, N8, G, R, LOOK, ARG, WIDE_ARG)),
        (EXP, ("rows", "length", "factor")),
        (WIDE_EXP, ("rows", "length")),
    )
    for op, names in sizes:
        for name in names:
            yield Case(f"{_name(op)}: {name} of 0", replace(op, **{name: 0}), 2)
            yield Case(f"{_name(op)}: {name} of 1", replace(op, **{name: 1}))
    yield Case("16-bit labels once", replace(WIDE_EXP, factor=1), 2)


def _machine() -> Iterator[Case]:
    """What depends on the machine."""
    rows, row = MACHINE.accumulator_rows, MACHINE.row_length
    for extra, code in ((0, None), (1, 2)):
        yield Case(f"{extra} rows too many", replace(LANE, m=rows + extra), code)
        yield Case(f"a packed product of {extra} rows too many", replace(PACKED, m=rows + extra), code)
        yield Case(f"shiftmax of {extra} too many", replace(S8, length=row + extra, rows=1), code)
        yield Case(f"gelu of {extra} too many", replace(G, length=row + extra, rows=1), code)
        yield Case(f"layernorm of {extra} too many", replace(N8, length=1024 + extra, rows=1), code)
        yield Case(f"{extra} classes too many", replace(ARG, length=256 + extra, rows=1), code)
        yield Case(f"slot {1 + extra}", replace(N8, slot=1 + extra), code)
        yield Case(f"parameter {255 + extra}", replace(LANE, param=255 + extra), code)
        last = (word(255, GELU, 1 << 20, 30, 1, 0, 30),)
        yield Case(f"parameter {255 + extra} of gelu", replace(G, param=255 + extra), code, held=last)
    yield Case("257 classes in 16 bits", replace(WIDE_ARG, length=257, rows=1))
    yield Case("a packed product takes no parameter word", replace(PACKED, param=255))


def _alignment() -> Iterator[Case]:
    """Matrices begin at multiples of 16, labels anywhere."""
    for op, names in (
        (PACKED, ("x", "y", "out")),
        (LANE, ("x", "y", "out")),
        (S8, ("source", "target")),
        (N8, ("source", "target")),
        (G, ("source", "target")),
        (R, ("x", "identity", "target")),
        (LOOK, ("source", "target")),
        (ARG, ("source",)),
        (EXP, ("target",)),
    ):
        for name in names:
            at = getattr(op, name)
            yield Case(f"{_name(op)}: {name} 8 further", replace(op, **{name: at + 8}), 2)
            yield Case(f"{_name(op)}: {name} 16 further", replace(op, **{name: at + 16}))
    yield Case("labels at an odd address", replace(WIDE_ARG, target=4 * BANK + 5))
    yield Case("sources at an odd address", replace(WIDE_EXP, source=7))


def _addresses() -> Iterator[Case]:
    """The last bytes of a memory, and one line further."""
    rows = 32 + 20  # bytes from the first row to the end of the second
    ends: tuple[tuple[Any, str, int], ...] = (
        (replace(S8, rows=2), "source", rows),
        (replace(G, rows=2), "target", rows),
        (replace(LOOK, rows=2), "target", rows),
        (replace(N8, rows=2), "source", 48 + 40),
        (replace(R, rows=2), "x", 48 + 40),
        (replace(R, rows=2), "identity", 48 + 40),
        (replace(R, rows=2), "target", 48 + 40),
        (replace(ARG, rows=2), "source", 48 + 40),
        (replace(EXP, rows=2), "target", 32 + 14),
        (replace(LANE, m=2), "x", 16 + 9),
        (LANE, "y", 8 * 16 + 9),
        (DEEP, "y", 8 * 16 + 9),
        (replace(LANE, m=2), "out", 32 + 18),
    )
    for op, name, extent in ends:
        last = (END - extent) // 16 * 16
        yield Case(f"{_name(op)}: {name} at the end", replace(op, **{name: last}))
        yield Case(f"{_name(op)}: {name} beyond the end", replace(op, **{name: last + 16}), 3)
        yield Case(f"{_name(op)}: {name} far away", replace(op, **{name: (1 << 32) - 16}), 3)
    yield Case("labels to the end", replace(ARG, target=END - 3))
    yield Case("labels beyond the end", replace(ARG, target=END - 2), 3)
    yield Case("packed weights to the end", replace(PACKED, y=16 * 1024 - 2 * (12 * 8 + 12 * 8)))
    yield Case(
        "packed weights beyond the end", replace(PACKED, y=16 * 1024 - 2 * (12 * 8 + 12 * 8) + 16), 3
    )
    for space, size in SIZES.items():
        at = replace(IN, space=space, count1=1, count2=1)
        yield Case(f"load to the end of {space.name.lower()}", replace(at, address=size - 100))
        yield Case(f"load beyond {space.name.lower()}", replace(at, address=size - 99), 3)
    last = END - (128 + 512 + 100)
    yield Case("store from the end", replace(OUT, address=last))
    yield Case("store from beyond the end", replace(OUT, address=last + 1), 3)
    yield Case("load from where no memory is", replace(IN, dram=FAR), 4)
    yield Case("store to where no memory is", replace(OUT, dram=FAR), 4)
    yield Case("load from the last byte", replace(IN, dram=(1 << 32) - 8, size=8, count1=1, count2=1), 4)
    yield Case("load beyond 2^32", replace(IN, dram=(1 << 32) - 8, size=9, count1=1, count2=1), 3)
    yield Case("store beyond 2^32", replace(OUT, dram=(1 << 32) - 8, size=9, count1=1, count2=1), 3)
    transfers: tuple[Any, ...] = (IN, OUT)
    for op in transfers:
        based = replace(op, based=True)
        yield Case(f"{_name(op)} in the second iteration", based, 4, iteration=1, base_step=FAR)
        yield Case(f"{_name(op)} moves on", based, base_step=1024)


def _banks() -> Iterator[Case]:
    """Section 7: operands whose rows share a bank, in the same cycles or in others, and that do not."""
    for op in (LANE, DEEP, replace(LANE, x16=True, k=5)):
        yield Case(f"{_name(op)}: y in the bank of x", replace(op, y=1024), 5)
        yield Case(f"{_name(op)}: y begins where x ends", replace(op, x=5 * BANK - 64), 5)
        yield Case(f"{_name(op)}: y ends where x begins", replace(op, x=5 * BANK, y=5 * BANK - 128), 5)
        yield Case(f"{_name(op)}: y ends before x", replace(op, x=5 * BANK, y=5 * BANK - 144))
        yield Case(f"{_name(op)}: the last row of x is in y's bank", replace(op, x_stride=BANK), 5)
        apart = replace(op, y=BANK, y_stride=2 * BANK, m=2, k=2, n=2, out=10 * BANK)
        yield Case(f"{_name(op)}: rows take turns", replace(apart, x_stride=2 * BANK))
        yield Case(f"{_name(op)}: second rows meet", replace(apart, x_stride=3 * BANK), 5)
    yield Case("residual: one bank", replace(R, identity=1024), 5)
    yield Case("residual: the last row", replace(R, x=2 * BANK, x_stride=BANK), 5)
    yield Case("residual: the end of a row", replace(R, identity=BANK, x=BANK - 112), 5)
    yield Case("residual: not quite", replace(R, identity=BANK, x=BANK - 144))
    yield Case(
        "residual: rows take turns", replace(R, identity=BANK, x_stride=2 * BANK, identity_stride=2 * BANK)
    )
    yield Case("residual: far rows meet", replace(R, identity=4 * BANK, x_stride=2 * BANK), 5)
    yield Case("16 bits over their source", replace(S16, target=0), 2)
    yield Case("8 bits over their source", replace(S8, target=0, target_stride=32))
    yield Case("residual over x", replace(R, target=0))
    yield Case("residual over identity", replace(R, target=4 * BANK))


def _parameters() -> Iterator[Case]:
    """Section 5."""
    largest = 1 << 62

    def of(
        op: Any, name: str, layout: str, good: tuple[int, ...], place: int, *values: Any
    ) -> Iterator[Case]:
        index = op.param
        for value, code in values:
            changed = (*good[:place], value, *good[place + 1 :])
            yield Case(f"{_name(op)}: {name} of {value}", op, code, held=(word(index, layout, *changed),))

    shift = ((63, None), (64, 2), (255, 2))
    yield from of(LANE, "c", MATMUL, (1 << 20, 26), 1, *shift)
    yield from of(DEEP, "c", MATMUL, (1 << 20, 26), 1, *shift)
    yield from of(LANE, "b", MATMUL, (1 << 20, 26), 0, (-(2**31), None), (2**31 - 1, None))
    yield from of(
        S8, "i0", SHIFTMAX, (20, 15, 31), 0, (0, 2), (1, None), (1 << 23, None), ((1 << 23) + 1, 2)
    )
    yield from of(S8, "n", SHIFTMAX, (20, 15, 31), 1, (0, 2), (1, None), (31, None), (32, 2))
    yield from of(
        S16, "reciprocal bits", SHIFTMAX, (20, 15, 31), 2, (14, 2), (15, None), (46, None), (47, 2)
    )
    yield from of(N8, "c", NORM, (0, 30), 1, *shift)
    good = (1 << 20, 30, 1, 0, 30)
    yield from of(G, "c", GELU, good, 1, *shift)
    yield from of(G, "form", GELU, good, 2, (0, None), (2, None), (3, 2), (255, 2))
    yield from of(G, "i0", GELU, good, 4, (0, 2), (1, None), (1 << 23, None), ((1 << 23) + 1, 2))
    both = (1 << 20, 20, 1 << 19, 20)
    yield from of(R, "c1", RESIDUAL, both, 1, *shift)
    yield from of(R, "c2", RESIDUAL, both, 3, *shift)
    for value, code in ((largest, None), (-largest, None), (largest + 1, 2), (-largest - 1, 2)):
        for channel in (0, 19):
            held = ((Space.CONSTANTS, 12 * channel, struct.pack("<iq", 100, value)),)
            yield Case(f"B of channel {channel} of {value}", N8, code, held=held)
    beyond = ((Space.CONSTANTS, 12 * 20, struct.pack("<iq", 100, largest + 1)),)
    yield Case("B behind the last channel", N8, held=beyond)
    for value, code in ((63, None), (64, 2)):
        held = ((Space.STATIONARY, 12 * 3 + 8, bytes([value])),)
        yield Case(f"packed c of {value}", PACKED, code, held=held)
        second = 8 * 12 + 3 * 8 * 4
        held = ((Space.STATIONARY, second + 8, bytes([value])),)
        yield Case(f"packed c of {value} in the second tile", PACKED, code, held=held)
    held = ((Space.STATIONARY, 8 * 12 + 3 * 8 * 4 + 12 + 8, b"\xff"),)
    yield Case("packed c behind the last output", PACKED, held=held)


def _waits() -> Iterator[Case]:
    """Section 3: the queue has no instruction of GELU's own, so that none is ever complete."""
    yield Case("a wait for nothing", Wait(Unit.GELU, 0))
    yield Case("a wait for what was before", Wait(Unit.GELU, -(2**31)))
    yield Case("a wait for more than there are", Wait(Unit.GELU, 1), 2)
    yield Case("a wait for far more", Wait(Unit.STORE, 2**31 - 1), 2)
    yield Case("a wait for a unit that is none", Wait(Unit.GELU, 0), 2, words={1: 7})
    yield Case("bits of a wait", Wait(Unit.GELU, 0), 2, words={3: 1})
