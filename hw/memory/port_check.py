"""What is wrong with the requests of the scratchpad's ports in one cycle."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import (
    ADDRESS_BITS,
    ADDRESS_ERROR,
    ERROR_BITS,
    LINE_BYTES,
    LINE_SHIFT,
    PORT_ERROR,
    Shape,
)
from intarsia.hw.memory.line_memory import beyond

LINE_BITS = ADDRESS_BITS - LINE_SHIFT


class PortCheck(wiring.Component):
    """Errors of requests: beyond the scratchpad, or in a bank that another request of the cycle touches.

    Parameters
    ----------
    machine : of the scratchpad;  shapes : of the ports

    Members
    -------
    line0... : In(28) per port, the first line;  enable0... : In per port, by line from there on, of which
        those that are enabled come first
    error : Out(ERROR_BITS) per port, combinational
    active0..., bank0..., crosses0... : Out per port, whether its first line is one of the scratchpad's,
        that line's bank, and whether others are in the next bank; combinational
    """

    def __init__(self, machine: Machine, shapes: tuple[Shape, ...]) -> None:
        self.machine, self.shapes = machine, shapes
        members: dict[str, wiring.Member] = {"error": Out(ERROR_BITS).array(len(shapes))}
        for k, shape in enumerate(shapes):
            members |= {f"line{k}": In(LINE_BITS), f"enable{k}": In(shape.lines)}
            members |= {f"active{k}": Out(1), f"bank{k}": Out(range(machine.banks)), f"crosses{k}": Out(1)}
        super().__init__(members)
        self.requests = [
            (getattr(self, f"line{k}"), getattr(self, f"enable{k}")) for k in range(len(shapes))
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lines = self.machine.scratchpad_bytes // LINE_BYTES
        bank_lines = self.machine.bank_bytes // LINE_BYTES
        # Lines are enabled late, so what does not need that comes first.
        spans = []
        for k, (line, enable) in enumerate(self.requests):
            active, bank, crosses = (getattr(self, f"{name}{k}") for name in ("active", "bank", "crosses"))
            row = remainder(line, bank_lines)
            m.d.comb += [
                bank.eq(quotient(line, bank_lines)),
                active.eq(enable[0] & (line < lines)),
                crosses.eq(Cat(enable[n] & (row >= bank_lines - n) for n in range(1, len(enable))).any()),
            ]
            spans.append((active, bank, crosses))
        clashes: list[list[Value]] = [[] for _ in spans]
        for (k, one), (j, other) in combinations(enumerate(spans), 2):
            (active, bank, crosses), (other_active, other_bank, other_crosses) = one, other
            meet = (
                (bank == other_bank)
                | crosses & (bank + 1 == other_bank)
                | other_crosses & (other_bank + 1 == bank)
            )
            clash = Signal(name=f"clash{k}_{j}")
            m.d.comb += clash.eq(active & other_active & meet)
            for which in (k, j):
                clashes[which].append(clash)
        for k, request in enumerate(self.requests):
            error = Mux(Cat(clashes[k]).any(), PORT_ERROR, 0)
            m.d.comb += self.error[k].eq(Mux(beyond(*request, lines), ADDRESS_ERROR, error))
        return m


def quotient(value: Any, divisor: int) -> Any:
    """value // divisor by a product with a reciprocal, exact for LINE_BITS + 1 bits of value."""
    if divisor & (divisor - 1) == 0:
        return value >> exact_log2(divisor)
    places = LINE_BITS + 1 + divisor.bit_length()
    return (value * -(-(1 << places) // divisor)) >> places


def remainder(value: Any, divisor: int) -> Any:
    """value % divisor, of as many bits of value."""
    if divisor & (divisor - 1) == 0:
        return value[: exact_log2(divisor)]
    return (value - quotient(value, divisor) * divisor)[: bits_for(divisor - 1)]
