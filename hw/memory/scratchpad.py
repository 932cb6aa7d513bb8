"""The scratchpad: a crossbar of ports and banks; every bank has one read and one write port."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.hdl import Array, Cat, DomainRenamer, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import ceil_log2

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.ports import (
    LINE_BYTES,
    LINE_SHIFT,
    PORT_ERROR,
    READ_LATENCY,
    Shape,
    read_port,
    write_port,
)
from intarsia.hw.lib.lanes import in_column, lane_address, row_of, spread
from intarsia.hw.memory.bank import Bank, Choice, row_bits
from intarsia.hw.memory.operand_check import OperandCheck
from intarsia.hw.memory.port_check import PortCheck, quotient, remainder


@dataclass(frozen=True)
class Written:
    """What a port asked for a cycle ago; `enable` is 0 where that was an error."""

    address: Signal
    enable: Signal
    mask: Signal
    data: Signal


class Scratchpad(wiring.Component):
    """Bytes from any address on, across a bank's border too.

    Line i stands in bank i // (lines of a bank), and there in column i % (W / 16): so what a port moves
    needs one row of every column at most, of one bank or of two neighbours. Ports may not touch the same
    bank in the same cycle: both then get an error, and what they read, or what the bank holds, is
    undefined. Those of a pair that must stay `apart` get it from the third cycle after the request on that
    touches what the other has touched, until the next instruction.

    Parameters
    ----------
    machine : banks, bank_kib, word
    reads, writes : shapes of the ports; of at most W lanes and W / 16 lines
    domains : by port, reads first, the clock domain of its requests; `sync` for all if not given
    apart : pairs of read ports, each with one clock domain, that read the operands of one instruction: they
        may not touch the same bank even in different cycles of it

    Members
    -------
    read : In(read_port) per shape;  write : In(write_port) per shape; as read0, read1...
    begin0... : In(1) per pair of `apart`, an instruction starts

    Timing: hw/interfaces/ports.py.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        reads: tuple[Shape, ...],
        writes: tuple[Shape, ...],
        domains: tuple[str, ...] = (),
        apart: tuple[tuple[int, int], ...] = (),
    ) -> None:
        self.machine, self.reads, self.writes = machine, reads, writes
        self.domains = domains or ("sync",) * (len(reads) + len(writes))
        self.apart = apart
        self.columns = machine.word // LINE_BYTES
        super().__init__(
            {f"read{k}": In(read_port(shape)) for k, shape in enumerate(reads)}
            | {f"write{k}": In(write_port(shape)) for k, shape in enumerate(writes)}
            | {f"begin{pair}": In(1) for pair in range(len(apart))}
        )

    @cached_property
    def read(self) -> list[Any]:
        return [getattr(self, f"read{k}") for k in range(len(self.reads))]

    @cached_property
    def write(self) -> list[Any]:
        return [getattr(self, f"write{k}") for k in range(len(self.writes))]

    def check(self, m: Module) -> list[Written]:
        """Gives every port its errors; registers of what is to be written."""
        found: list[Written] = []
        for kind, ports, shapes in (("read", self.read, self.reads), ("write", self.write, self.writes)):
            m.submodules[f"{kind}_check"] = check = PortCheck(self.machine, shapes)
            domains = self.domains[: len(shapes)] if kind == "read" else self.domains[-len(shapes) :]
            clashes = self._operands(m, check) if kind == "read" else {}
            for k, (port, domain) in enumerate(zip(ports, domains, strict=True)):
                line, enable = check.requests[k]
                m.d.comb += [line.eq(port.address[LINE_SHIFT:]), enable.eq(port.enable)]
                error: Value = check.error[k]
                if k in clashes:
                    error = Mux((error == 0) & clashes[k], PORT_ERROR, error)
                m.d[domain] += port.error.eq(error)
                if kind == "read":
                    continue
                written = Written(
                    *(
                        Signal.like(getattr(port, name), name=f"written_{name}{k}")
                        for name in ("address", "enable", "mask", "data")
                    )
                )
                m.d[domain] += written.enable.eq(Mux(check.error[k] == 0, port.enable, 0))
                with m.If(port.enable.any()):
                    m.d[domain] += [
                        written.address.eq(port.address),
                        written.mask.eq(port.mask),
                        written.data.eq(port.data),
                    ]
                found.append(written)
        return found

    def _operands(self, m: Module, check: PortCheck) -> dict[int, Value]:
        """By read port, whether the other of its pair has touched a bank that it has touched."""
        found = {}
        for pair, ports in enumerate(self.apart):
            operands = OperandCheck(banks=self.machine.banks)
            domain = self.domains[ports[0]]
            m.submodules[f"operands{pair}"] = DomainRenamer(domain)(operands)
            m.d.comb += operands.begin.eq(getattr(self, f"begin{pair}"))
            for k, port in enumerate(ports):
                for name in ("active", "bank", "crosses"):
                    m.d.comb += getattr(operands, f"{name}{k}").eq(getattr(check, f"{name}{port}"))
                found[port] = operands.clash
        return found

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        rows = self.machine.bank_bytes // self.machine.word
        banks = [
            Bank(columns=self.columns, rows=rows, reads=self.reads, writes=self.writes)
            for _ in range(self.machine.banks)
        ]
        for number, bank in enumerate(banks):
            m.submodules[f"bank{number}"] = bank
        for k, port in enumerate(self.read):
            self._read(m, k, port, banks)
        for k, written in enumerate(self.check(m)):
            self._write(m, k, written, banks)
        return m

    def _places(self, m: Module, name: str, address: Value, lines: int) -> list[tuple[Signal, Signal]]:
        """By column, bank and row of the line of a request that stands there."""
        rows = self.machine.bank_bytes // self.machine.word
        found = []
        for column in range(self.columns):
            # A request of one line is the same row in whatever column.
            whole = row_of(address[LINE_SHIFT:], column if lines > 1 else self.columns - 1, self.columns)
            bank = Signal(range(self.machine.banks), name=f"{name}_bank{column}")
            row = Signal(row_bits(rows), name=f"{name}_row{column}")
            m.d.comb += [bank.eq(quotient(whole, rows)), row.eq(remainder(whole, rows))]
            found.append((bank, row))
        return found

    def _columns(self, request: Any) -> list[Value]:
        """Whether it touches a line in this column."""
        line = request.address[LINE_SHIFT:]
        return [in_column(line, request.enable, column, self.columns) for column in range(self.columns)]

    def _read(self, m: Module, k: int, port: Any, banks: list[Bank]) -> None:
        """Asks the banks, and puts together what they give."""
        shape, name = self.reads[k], f"read{k}"
        places = self._places(m, name, port.address, shape.lines)
        enable = self._columns(port)
        for number, bank in enumerate(banks):
            reader = getattr(bank, name)
            here = (bit & (at == number) for bit, (at, _) in zip(enable, places, strict=True))
            m.d.comb += [
                reader.enable.eq(Cat(here)),
                *(to.eq(row) for to, (_, row) in zip(reader.row, places, strict=True)),
            ]
        # Banks by column and the address, when the banks show what was asked for.
        asked: Any = Cat(port.address[: ceil_log2(self.machine.word)], *(at for at, _ in places))
        bits = ceil_log2(self.machine.word)
        for stage in range(READ_LATENCY):
            later = Signal(len(asked), name=f"{name}_late{stage}")
            m.d[self.domains[k]] += later.eq(asked)
            asked = later
            if stage == 0:
                m.d.comb += [getattr(bank, name).offset.eq(asked[:bits]) for bank in banks]
        offset, numbers = asked[:bits], asked[bits:]
        width = ceil_log2(self.machine.banks)
        by_column = Array(numbers.word_select(column, width) for column in range(self.columns))
        # A line at a time: a module cannot have the lanes of many banks as its ports.
        size = min(shape.lanes, LINE_BYTES)
        for group in range(shape.lanes // size):
            choice = Choice(banks=self.machine.banks, lanes=size, apart=shape.lines > 1)
            m.submodules[f"choice{k}_{group}"] = choice
            m.d.comb += [
                choice.data.eq(
                    Cat(bank.of_lanes(shape.lanes).word_select(group, 8 * size) for bank in banks)
                ),
                port.data.word_select(group, 8 * size).eq(choice.chosen),
            ]
            for lane, number in enumerate(choice.number):
                column = lane_address(offset, group * size + lane, shape.lanes)[LINE_SHIFT:]
                m.d.comb += number.eq(
                    by_column[column] if choice.apart and self.columns > 1 else by_column[0]
                )

    def _write(self, m: Module, k: int, written: Written, banks: list[Bank]) -> None:
        """Gives it to the banks."""
        name = f"write{k}"
        places = self._places(m, name, written.address, self.writes[k].lines)
        enable = self._columns(written)
        mask = spread(m, written.mask, written.address, self.machine.word)
        for number, bank in enumerate(banks):
            writer = getattr(bank, name)
            here = (bit & (at == number) for bit, (at, _) in zip(enable, places, strict=True))
            m.d.comb += [
                writer.here.eq(Cat(here)),
                writer.mask.eq(mask),
                writer.data.eq(written.data),
                *(to.eq(row) for to, (_, row) in zip(writer.row, places, strict=True)),
            ]
