"""What is wrong with the windows that the scratchpad's ports ask for in one cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emu.machine import Machine
from hw.line_memory import beyond
from hw.ports import ADDRESS_ERROR, ERROR_BITS, LINE_BITS, LINE_BYTES, PORT_ERROR


class PortCheck(wiring.Component):
    """Errors of windows: beyond the scratchpad, or in a bank that another window of the cycle touches.

    Parameters
    ----------
    machine : of the scratchpad;  ports : windows in one cycle

    Members
    -------
    line : In(LINE_BITS) per port, the window's first line; enable : In(lines of a window) per port, of
        which the enabled ones come first
    error : Out(ERROR_BITS) per port, combinational
    """

    def __init__(self, machine: Machine, ports: int) -> None:
        self.machine, self.ports = machine, ports
        lines = machine.word // LINE_BYTES
        super().__init__(
            {
                "line": In(LINE_BITS).array(ports),
                "enable": In(lines).array(ports),
                "error": Out(ERROR_BITS).array(ports),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lines = self.machine.scratchpad_bytes // LINE_BYTES
        bank_lines = self.machine.bank_bytes // LINE_BYTES
        windows = []
        for k in range(self.ports):
            line, enable = self.line[k], self.enable[k]
            # How many lines lie between the first and the last: a window reaches into two banks at most.
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
            windows.append((enable[0], first, last))
        for k, (active, first, last) in enumerate(windows):
            shared = Cat(
                other & (first <= other_last) & (other_first <= last)
                for j, (other, other_first, other_last) in enumerate(windows)
                if j != k
            ).any()
            bad = beyond(self.line[k], self.enable[k], lines)
            m.d.comb += self.error[k].eq(Mux(bad, ADDRESS_ERROR, Mux(active & shared, PORT_ERROR, 0)))
        return m


def quotient(value: Any, divisor: int) -> Any:
    """value // divisor by a product with a reciprocal, exact for LINE_BITS + 1 bits of value."""
    shift = (divisor & -divisor).bit_length() - 1
    if divisor == 1 << shift:
        return value >> shift
    places = LINE_BITS + 1 + divisor.bit_length()
    return (value * -(-(1 << places) // divisor)) >> places
