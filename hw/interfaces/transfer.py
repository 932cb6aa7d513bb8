"""What LOAD and STORE have in common: their fields, and bytes on their way between bus and memory."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from intarsia.arch.isa import Load
from intarsia.arch.isa.instruction import fields_of
from intarsia.hw.interfaces.axi import BURST_BEATS, PAGE
from intarsia.hw.interfaces.instruction import field
from intarsia.hw.interfaces.ports import Shape

TRANSFER = data.StructLayout(
    {
        one.name: one.bits + (one.name == "dram")
        for one in fields_of(Load)
        if one.name not in ("space", "based")
    }
)
"""The fields of a LOAD, in bytes, the base register added to the DRAM address."""


def transfer(instruction: Value, base: Value) -> Value:
    """The bits of a TRANSFER; LOAD and STORE have their fields in the same places."""
    fields = {name: field(instruction, Load, name) for name, _ in TRANSFER if name != "dram"}
    origin = field(instruction, Load, "dram") + Mux(field(instruction, Load, "based"), base, 0)
    return Cat(origin if name == "dram" else fields[name] for name, _ in TRANSFER)


def shown(m: Module, instruction: Value, base: Value) -> Signal:
    """A TRANSFER with origins and counts from an instruction's first cycle on, the rest from the second
    one: instructions come out of a block memory, half a cycle late."""
    now, later, both = Signal(TRANSFER), Signal(TRANSFER), Signal(TRANSFER)
    m.d.comb += [now.eq(transfer(instruction, base)), both.eq(later)]
    early = ("dram", "address", "count1", "count2")
    m.d.comb += [getattr(both, name).eq(getattr(now, name)) for name in early]
    m.d.sync += later.eq(now)
    return both


def chip_shape(width: int) -> Shape:
    """Of the ports by which they reach the memories on the chip, with words of so many bytes."""
    return Shape.of(width, 1)


def log2(width: int) -> int:
    """Of a power of two."""
    return width.bit_length() - 1


def block_shift(width: int) -> int:
    """Bursts end where a multiple of 2 to this begins: none crosses a page or has too many beats."""
    return min(log2(PAGE), log2(BURST_BEATS * width))


def ones(count: Any, size: int) -> Value:
    """`size` bits of which the lowest `count` are 1."""
    return Cat(count > k for k in range(size))
