"""The scratchpad: banks of columns of lines, every bank with one read and one write port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from emu.machine import Machine
from hw.port_check import PortCheck, quotient
from hw.ports import LINE_BITS, LINE_BYTES, read_port, write_port

LINE = 8 * LINE_BYTES


@dataclass(frozen=True)
class Request:
    """What a port asked for a cycle ago, where that was no error: window, and for writes the bytes."""

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

    Members
    -------
    read : In(read_port(W)).array(reads), write : In(write_port(W)).array(writes)

    Timing: hw/ports.py.
    """

    def __init__(self, machine: Machine, *, reads: int, writes: int) -> None:
        self.machine, self.reads, self.writes = machine, reads, writes
        super().__init__(
            {
                "read": In(read_port(machine.word)).array(reads),
                "write": In(write_port(machine.word)).array(writes),
            }
        )

    def check(self, m: Module) -> list[Request]:
        """Registers of all requests, of the reads first; gives every port its errors."""
        count = self.machine.word // LINE_BYTES
        found = []
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
                m.d.comb += [check.line[k].eq(port.line), check.enable[k].eq(enable)]
                m.d.sync += [port.error.eq(check.error[k]), held.eq(Mux(good, enable, 0))]
                with m.If(enable.any()):
                    m.d.sync += line.eq(port.line)
                if kind == "read":
                    found.append(Request(k, line, held))
                    continue
                mask = Signal(self.machine.word, name=f"mask{k}")
                data = Signal(8 * self.machine.word, name=f"data{k}")
                m.d.sync += mask.eq(Mux(good, port.mask, 0))
                with m.If(enable.any()):
                    m.d.sync += data.eq(port.data)
                found.append(Request(k, line, held, mask, data))
        return found

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        columns = self.machine.word // LINE_BYTES
        rows = self.machine.bank_bytes // self.machine.word
        requests = self.check(m)
        # Of every port and column: the row of the scratchpad, its bank, the row of that.
        places = []
        for index, request in enumerate(requests):
            of_port = []
            for column in range(columns):
                place = (column - request.line[: ceil_log2(columns)])[: ceil_log2(columns)]
                row = Signal(LINE_BITS, name=f"row{index}_{column}")
                bank = Signal(range(self.machine.banks), name=f"in_bank{index}_{column}")
                m.d.comb += [
                    row.eq((request.line + place) >> ceil_log2(columns)),
                    bank.eq(quotient(row, rows)),
                ]
                of_port.append((place, (row - bank * rows)[: max(ceil_log2(rows), 1)], bank))
            places.append(of_port)
        outputs: list[list[Any]] = [[] for _ in range(columns)]
        for column in range(columns):
            for number in range(self.machine.banks):
                m.submodules[f"bank{number}_{column}"] = memory = Memory(
                    shape=unsigned(LINE), depth=max(rows, 2), init=[]
                )
                source, target = memory.read_port(), memory.write_port(granularity=8)
                for index, request in enumerate(requests):
                    place, row, bank = places[index][column]
                    here = (bank == number) & request.enable.bit_select(place, 1)
                    with m.If(here):
                        if request.mask is None:
                            m.d.comb += [source.en.eq(1), source.addr.eq(row)]
                        else:
                            m.d.comb += [
                                target.addr.eq(row),
                                target.en.eq(request.mask.word_select(place, LINE_BYTES)),
                                target.data.eq(request.data.word_select(place, LINE)),
                            ]
                outputs[column].append(source.data)
        for index, request in enumerate(requests[: self.reads]):
            self._collect(m, request, [places[index][column][2] for column in range(columns)], outputs)
        return m

    def _collect(self, m: Module, request: Request, banks: list[Any], outputs: list[list[Any]]) -> None:
        """Puts together a window of what columns and banks show."""
        columns = len(banks)
        shift = Signal(range(columns), name=f"shift{request.number}")
        m.d.sync += shift.eq(request.line[: len(shift)])
        found = []
        for column, bank in enumerate(banks):
            chosen = Signal.like(bank, name=f"chosen{request.number}_{column}")
            line = Signal(LINE, name=f"found{request.number}_{column}")
            m.d.sync += chosen.eq(bank)
            with m.Switch(chosen):
                for number, output in enumerate(outputs[column]):
                    with m.Case(number):
                        m.d.comb += line.eq(output)
            found.append(line)
        for place in range(columns):
            with m.Switch(shift):
                for first in range(columns):
                    with m.Case(first):
                        data = self.read[request.number].data
                        m.d.comb += data.word_select(place, LINE).eq(found[(first + place) % columns])
