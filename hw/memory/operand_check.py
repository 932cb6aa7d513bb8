"""Whether two operands of an instruction have a bank of the scratchpad in common."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OPERANDS = 2


class OperandCheck(wiring.Component):
    """Keeps, for both of the ports that read an instruction's operands, which banks they have touched.

    Parameters
    ----------
    banks : of the scratchpad

    Members
    -------
    begin : In(1), an instruction starts: what was touched before does not count
    active0, active1 : In(1), a port asks for something inside the scratchpad in this cycle;  bank0, bank1 :
        In, of its first line;  crosses0, crosses1 : In(1), it asks for some of the next bank too
    clash : Out(1), combinational but for the requests: some bank was touched by both, since `begin`

    Timing: `clash` is high from the second cycle after the request that touches such a bank.
    """

    def __init__(self, *, banks: int) -> None:
        self.banks = banks
        members: dict[str, wiring.Member] = {"begin": In(1), "clash": Out(1)}
        for k in range(OPERANDS):
            members |= {f"active{k}": In(1), f"bank{k}": In(range(banks)), f"crosses{k}": In(1)}
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        touched = [Signal(self.banks, name=f"touched{k}") for k in range(OPERANDS)]
        for k, mask in enumerate(touched):
            active, bank, crosses = (getattr(self, f"{name}{k}") for name in ("active", "bank", "crosses"))
            # Requests come late in a cycle.
            here, at, further = Signal(), Signal.like(bank), Signal()
            m.d.sync += [here.eq(active), at.eq(bank), further.eq(crosses)]
            first = Cat(here & (at == number) for number in range(self.banks))
            second = Cat(0, first)[: self.banks]
            with m.If(self.begin):
                m.d.sync += [here.eq(0), mask.eq(0)]
            with m.Else():
                m.d.sync += mask.eq(mask | first | (second & further.replicate(self.banks)))
        m.d.comb += self.clash.eq((touched[0] & touched[1]).any() & ~self.begin)
        return m
