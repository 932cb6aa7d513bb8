"""A column of the scratchpad: in every bank a memory of lines, and the ways from and to all of them."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.parts import Part
from hw.ports import LINE_BYTES

LINE = 8 * LINE_BYTES


class Column(Part):
    """One line of one bank per reader and writer; of the readers of a cycle, and of the writers, no two
    may name the same bank.

    Parameters
    ----------
    banks : of the scratchpad;  rows : of a bank
    reads, writes : ports

    Members
    -------
    read : per port `enable`, `bank`, `row`, and a cycle later `line`
    write : per port `mask` by byte, 0 if nothing is written, `bank`, `row`, `line`

    Timing: what is written in one cycle is read from the next one on.
    """

    def __init__(self, *, banks: int, rows: int, reads: int, writes: int) -> None:
        self.banks, self.rows, self.reads, self.writes = banks, rows, reads, writes
        place = {"bank": Out(range(banks)), "row": Out(row_bits(rows))}
        read = wiring.Signature({"enable": Out(1), **place, "line": In(LINE)})
        write = wiring.Signature({"mask": Out(LINE_BYTES), **place, "line": Out(LINE)})
        super().__init__({"read": In(read).array(reads), "write": In(write).array(writes)})

    @property
    def module_name(self) -> str:
        return f"column_{self.banks}x{self.rows}_{self.reads}_{self.writes}"

    def body(self) -> Module:
        m = Module()
        reader, writer = [], []
        for k, port in enumerate(self.read):
            here = Signal(self.banks, name=f"reader{k}")
            m.d.comb += here.eq(port.enable << port.bank)
            reader.append(here)
        for k, port in enumerate(self.write):
            here = Signal(self.banks, name=f"writer{k}")
            m.d.comb += here.eq(port.mask.any() << port.bank)
            writer.append(here)
        lines = []
        for number in range(self.banks):
            m.submodules[f"bank{number}"] = bank = Bank(
                rows=self.rows, reads=self.reads, writes=self.writes
            )
            m.d.comb += [
                bank.reader.eq(Cat(here[number] for here in reader)),
                bank.writer.eq(Cat(here[number] for here in writer)),
                *(to.eq(port.row) for to, port in zip(bank.read_row, self.read, strict=True)),
                *(to.eq(port.row) for to, port in zip(bank.write_row, self.write, strict=True)),
                *(to.eq(port.mask) for to, port in zip(bank.mask, self.write, strict=True)),
                *(to.eq(port.line) for to, port in zip(bank.data, self.write, strict=True)),
            ]
            lines.append(bank.line)
        for k, port in enumerate(self.read):
            m.submodules[f"choice{k}"] = choice = Choice(banks=self.banks)
            number = Signal.like(port.bank, name=f"bank_of{k}")
            m.d.sync += number.eq(port.bank)
            m.d.comb += [choice.number.eq(number), choice.lines.eq(Cat(lines)), port.line.eq(choice.line)]
        return m


class Bank(Part):
    """A column's part of one bank: a memory that at most one reader and one writer use in a cycle.

    Parameters
    ----------
    rows : lines
    reads, writes : ports

    Members
    -------
    reader : In(reads), one-hot or 0: who reads;  read_row : In, per reader
    writer : In(writes), one-hot or 0: who writes;  write_row, mask, data : In, per writer
    line : Out(128), what the reader of the cycle before asked for
    """

    def __init__(self, *, rows: int, reads: int, writes: int) -> None:
        self.rows, self.reads, self.writes = rows, reads, writes
        super().__init__(
            {
                "reader": In(reads),
                "read_row": In(row_bits(rows)).array(reads),
                "writer": In(writes),
                "write_row": In(row_bits(rows)).array(writes),
                "mask": In(LINE_BYTES).array(writes),
                "data": In(LINE).array(writes),
                "line": Out(LINE),
            }
        )

    @property
    def module_name(self) -> str:
        return f"bank_{self.rows}_{self.reads}_{self.writes}"

    def body(self) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=unsigned(LINE), depth=max(self.rows, 2), init=[])
        source, target = memory.read_port(), memory.write_port(granularity=8)
        m.d.comb += [
            source.en.eq(self.reader.any()),
            source.addr.eq(_of_one(self.reader, self.read_row)),
            target.en.eq(_of_one(self.writer, self.mask)),
            target.addr.eq(_of_one(self.writer, self.write_row)),
            target.data.eq(_of_one(self.writer, self.data)),
            self.line.eq(source.data),
        ]
        return m


class Choice(Part):
    """The line of bank `number`, combinational.

    Members
    -------
    number : In(range(banks));  lines : In(128 * banks);  line : Out(128)
    """

    def __init__(self, *, banks: int) -> None:
        self.banks = banks
        super().__init__({"number": In(range(banks)), "lines": In(LINE * banks), "line": Out(LINE)})

    @property
    def module_name(self) -> str:
        return f"choice_{self.banks}"

    def body(self) -> Module:
        m = Module()
        m.d.comb += self.line.eq(self.lines.word_select(self.number, LINE))
        return m


def row_bits(rows: int) -> int:
    return max(ceil_log2(rows), 1)


def _of_one(one: Value, values: Any) -> Value:
    """What belongs to the bit that is set; without one, 0."""
    return reduce(or_, (Mux(bit, value, 0) for bit, value in zip(one, values, strict=True)))
