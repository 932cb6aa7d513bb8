"""The scratchpad: banks of columns of lines, every bank with one read and one write port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from emu.machine import Machine
from hw.column import LINE, Column
from hw.port_check import PortCheck, quotient
from hw.ports import LINE_BITS, LINE_BYTES, read_port, write_port


@dataclass(frozen=True)
class Request:
    """What a port asked for a cycle ago, where that was no error: window, and for writes the bytes."""

    kind: str
    number: int
    line: Signal
    enable: Any
    mask: Signal | None = None
    data: Signal | None = None


class Scratchpad(wiring.Component):
    """Windows of W bytes, from any line on, across a bank's border too.

    Line i stands in bank i // (lines of a bank), and there in column i % (W / 16): so a window needs
    one row of every column, of one bank or of two neighbours. Ports may not touch the same bank in the
    same cycle: both then get an error, and what they read, or what the bank holds, is undefined.

    Parameters
    ----------
    machine : banks, bank_kib, word
    reads, writes : ports
    domains : by port, reads first, the clock domain of its requests; `sync` for all if not given

    Members
    -------
    read : In(read_port(W)).array(reads), write : In(write_port(W)).array(writes)

    Timing: hw/ports.py.
    """

    def __init__(self, machine: Machine, *, reads: int, writes: int, domains: tuple[str, ...] = ()) -> None:
        self.machine, self.reads, self.writes = machine, reads, writes
        self.domains = domains or ("sync",) * (reads + writes)
        super().__init__(
            {
                "read": In(read_port(machine.word)).array(reads),
                "write": In(write_port(machine.word)).array(writes),
            }
        )

    def check(self, m: Module) -> list[Request]:
        """Registers of all requests, of the reads first; gives every port its errors."""
        count = self.machine.word // LINE_BYTES
        found: list[Request] = []
        for kind, ports in (("read", self.read), ("write", self.write)):
            m.submodules[f"{kind}_check"] = check = PortCheck(self.machine, len(ports))
            for k, port in enumerate(ports):
                enable = (
                    port.enable
                    if kind == "read"
                    else Cat(port.mask.word_select(place, LINE_BYTES).any() for place in range(count))
                )
                line = Signal(LINE_BITS, name=f"{kind}_line{k}")
                held = Signal(count, name=f"{kind}_enable{k}")
                good = check.error[k] == 0
                domain = m.d[self.domains[len(found)]]
                m.d.comb += [check.line[k].eq(port.line), check.enable[k].eq(enable)]
                domain += [port.error.eq(check.error[k]), held.eq(Mux(good, enable, 0))]
                with m.If(enable.any()):
                    domain += line.eq(port.line)
                if kind == "read":
                    found.append(Request(kind, k, line, held))
                    continue
                mask = Signal(self.machine.word, name=f"mask{k}")
                data = Signal(8 * self.machine.word, name=f"data{k}")
                domain += mask.eq(Mux(good, port.mask, 0))
                with m.If(enable.any()):
                    domain += data.eq(port.data)
                found.append(Request(kind, k, line, held, mask, data))
        return found

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self.machine.bank_bytes // self.machine.word
        requests = self.check(m)
        columns = [
            Column(banks=self.machine.banks, rows=rows, reads=self.reads, writes=self.writes)
            for _ in range(self.machine.word // LINE_BYTES)
        ]
        for number, column in enumerate(columns):
            m.submodules[f"column{number}"] = column
            for request, port in zip(requests, [*column.read, *column.write], strict=True):
                self._ask(m, request, port, number)
        for request in requests[: self.reads]:
            self._collect(m, request, [column.read[request.number].line for column in columns])
        return m

    def _ask(self, m: Module, request: Request, port: Any, column: int) -> None:
        """Asks a column for its line of the window."""
        columns = self.machine.word // LINE_BYTES
        rows = self.machine.bank_bytes // self.machine.word
        place = (column - request.line[: ceil_log2(columns)])[: ceil_log2(columns)]
        row = Signal(LINE_BITS, name=f"{request.kind}{request.number}_row{column}")
        m.d.comb += [
            row.eq((request.line + place) >> ceil_log2(columns)),
            port.bank.eq(quotient(row, rows)),
            port.row.eq(row - port.bank * rows),
        ]
        if request.mask is None or request.data is None:
            m.d.comb += port.enable.eq(request.enable.bit_select(place, 1))
        else:
            m.d.comb += [
                port.mask.eq(request.mask.word_select(place, LINE_BYTES)),
                port.line.eq(request.data.word_select(place, LINE)),
            ]

    def _collect(self, m: Module, request: Request, lines: list[Signal]) -> None:
        """Puts together a window of what the columns show."""
        shift = Signal(range(len(lines)), name=f"shift{request.number}")
        m.d.sync += shift.eq(request.line[: len(shift)])
        data = self.read[request.number].data
        for place in range(len(lines)):
            with m.Switch(shift):
                for first in range(len(lines)):
                    with m.Case(first):
                        m.d.comb += data.word_select(place, LINE).eq(lines[(first + place) % len(lines)])
