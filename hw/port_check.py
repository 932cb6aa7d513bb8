"""What is wrong with the requests of the scratchpad's ports in one cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emu.machine import Machine
from hw.line_memory import beyond
from hw.ports import ADDRESS_BITS, ADDRESS_ERROR, ERROR_BITS, LINE_BYTES, LINE_SHIFT, PORT_ERROR, Shape

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
    """

    def __init__(self, machine: Machine, shapes: tuple[Shape, ...]) -> None:
        self.machine, self.shapes = machine, shapes
        members: dict[str, wiring.Member] = {"error": Out(ERROR_BITS).array(len(shapes))}
        for k, shape in enumerate(shapes):
            members |= {f"line{k}": In(LINE_BITS), f"enable{k}": In(shape.lines)}
        super().__init__(members)
        self.requests = [
            (getattr(self, f"line{k}"), getattr(self, f"enable{k}")) for k in range(len(shapes))
        ]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lines = self.machine.scratchpad_bytes // LINE_BYTES
        bank_lines = self.machine.bank_bytes // LINE_BYTES
        spans = []
        for k, (line, enable) in enumerate(self.requests):
            # How many lines lie between the first and the last: these are in two banks at most.
            extent = Signal(range(len(enable)), name=f"extent{k}")
            for place in range(1, len(enable)):
                with m.If(enable[place]):
                    m.d.comb += extent.eq(place)
            first = Signal(range(self.machine.banks + 1), name=f"first{k}")
            last = Signal(range(self.machine.banks + 1), name=f"last{k}")
            end = Signal(LINE_BITS + 1, name=f"end{k}")
            m.d.comb += [
                end.eq(line + extent),
                first.eq(quotient(line, bank_lines)),
                last.eq(quotient(end, bank_lines)),
            ]
            spans.append((enable[0], first, last))
        for k, (active, first, last) in enumerate(spans):
            shared = Cat(
                other & (first <= other_last) & (other_first <= last)
                for j, (other, other_first, other_last) in enumerate(spans)
                if j != k
            ).any()
            bad = beyond(*self.requests[k], lines)
            m.d.comb += self.error[k].eq(Mux(bad, ADDRESS_ERROR, Mux(active & shared, PORT_ERROR, 0)))
        return m


def quotient(value: Any, divisor: int) -> Any:
    """value // divisor by a product with a reciprocal, exact for LINE_BITS + 1 bits of value."""
    shift = (divisor & -divisor).bit_length() - 1
    if divisor == 1 << shift:
        return value >> shift
    places = LINE_BITS + 1 + divisor.bit_length()
    return (value * -(-(1 << places) // divisor)) >> places
