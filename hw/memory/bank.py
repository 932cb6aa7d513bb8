"""A bank of the scratchpad: memories of lines that at most one reader and one writer use in a cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from intarsia.hw.interfaces.ports import LINE_BYTES, UNCHECKED, Shape
from intarsia.hw.lib.lanes import LINE, folded
from intarsia.hw.lib.one_hot import of_one
from intarsia.hw.lib.parts import Part


class Bank(Part):
    """One row of each of its columns for a reader, and one for a writer.

    What is read is folded to fewer lanes here, once for all readers, and every reader has its choice of
    banks to make between as few lanes as it has; so is what is written given to all lanes that may take it.

    Parameters
    ----------
    columns, rows : of lines
    reads, writes : shapes of the ports

    Members
    -------
    read0... : per reader `enable` by column, of at most one reader other than 0, `row` by column; `offset`,
        the first lane of what it asked for in the cycle before
    write0... : per writer `here` by column, of at most one writer other than 0, `row` by column, `mask` by
        lane of the columns, `data` by lane of its own
    of4, of8... : Out, for readers of so many lanes, what was asked for 2 cycles before
    """

    def __init__(
        self, *, columns: int, rows: int, reads: tuple[Shape, ...], writes: tuple[Shape, ...]
    ) -> None:
        self.columns, self.rows, self.reads, self.writes = columns, rows, reads, writes
        self.lanes = LINE_BYTES * columns
        row = Out(row_bits(rows)).array(columns)
        self.offset_bits = ceil_log2(self.lanes)
        read = {"enable": Out(columns), "row": row, "offset": Out(self.offset_bits)}
        members: dict[str, wiring.Member] = {
            f"read{k}": In(wiring.Signature(read)) for k in range(len(reads))
        }
        for k, shape in enumerate(writes):
            write = {"here": Out(columns), "row": row, "mask": Out(self.lanes)}
            members[f"write{k}"] = In(wiring.Signature(write | {"data": Out(8 * shape.lanes)}))
        members |= {f"of{lanes}": Out(8 * lanes) for lanes in sorted({shape.lanes for shape in reads})}
        super().__init__(members)

    @property
    def module_name(self) -> str:
        return f"bank_{self.columns}x{self.rows}"

    def of_lanes(self, lanes: int) -> Value:
        return getattr(self, f"of{lanes}")

    def body(self) -> Module:
        m = Module()
        memories = [
            Memory(shape=unsigned(LINE), depth=max(self.rows, 2), init=[], attrs=UNCHECKED)
            for _ in range(self.columns)
        ]
        for column, memory in enumerate(memories):
            m.submodules[f"column{column}"] = memory
        found = self._read(m, [memory.read_port() for memory in memories])
        self._write(m, [memory.write_port(granularity=8) for memory in memories])
        for lanes in sorted({shape.lanes for shape in self.reads}, reverse=True):
            found = folded(m, found, self.offset, lanes)
            m.d.sync += self.of_lanes(lanes).eq(found)
        return m

    def _read(self, m: Module, sources: list[Any]) -> Value:
        readers = [getattr(self, f"read{k}") for k in range(len(self.reads))]
        asked = Signal(len(readers))
        self.offset = Signal(self.offset_bits)
        m.d.sync += asked.eq(Cat(reader.enable.any() for reader in readers))
        m.d.comb += self.offset.eq(of_one(asked, (reader.offset for reader in readers)))
        for column, source in enumerate(sources):
            enable = [reader.enable[column] for reader in readers]
            m.d.comb += [
                source.en.eq(Cat(enable).any()),
                source.addr.eq(of_one(enable, (reader.row[column] for reader in readers))),
            ]
        return Cat(source.data for source in sources)

    def _write(self, m: Module, targets: list[Any]) -> None:
        writers = [getattr(self, f"write{k}") for k in range(len(self.writes))]
        # Narrow data first: what is chosen of them stands on all groups of so many lanes.
        data: Value | None = None
        for lanes in sorted({shape.lanes for shape in self.writes}):
            of_size = [w for w, shape in zip(writers, self.writes, strict=True) if shape.lanes == lanes]
            chosen = Signal(8 * lanes, name=f"data{lanes}")
            given = of_one((w.here.any() for w in of_size), (w.data for w in of_size))
            m.d.comb += chosen.eq(given if data is None else given | data.replicate(8 * lanes // len(data)))
            data = chosen
        assert data is not None
        wide = data.replicate(8 * self.lanes // len(data))
        for column, target in enumerate(targets):
            here = [w.here[column] for w in writers]
            m.d.comb += [
                target.en.eq(of_one(here, (w.mask.word_select(column, LINE_BYTES) for w in writers))),
                target.addr.eq(of_one(here, (w.row[column] for w in writers))),
                target.data.eq(wide.word_select(column, LINE)),
            ]


class Choice(Part):
    """The lanes of banks, by lane, combinational.

    Members
    -------
    data : In, of all banks after each other;  chosen : Out(8 * lanes)
    number : In(range(banks)) per lane where lanes may be of banks `apart`, else one
    """

    def __init__(self, *, banks: int, lanes: int, apart: bool) -> None:
        self.banks, self.lanes, self.apart = banks, lanes, apart
        super().__init__(
            {
                "number": In(range(banks)).array(lanes if apart else 1),
                "data": In(8 * lanes * banks),
                "chosen": Out(8 * lanes),
            }
        )

    @property
    def module_name(self) -> str:
        return f"choice_{self.banks}x{self.lanes}{'_apart' * self.apart}"

    def body(self) -> Module:
        m = Module()
        if not self.apart:
            m.d.comb += self.chosen.eq(self.data.word_select(self.number[0], 8 * self.lanes))
            return m
        for lane in range(self.lanes):
            of_banks = Cat(self.data.word_select(bank * self.lanes + lane, 8) for bank in range(self.banks))
            m.d.comb += self.chosen.word_select(lane, 8).eq(of_banks.word_select(self.number[lane], 8))
        return m


def row_bits(rows: int) -> int:
    return max(ceil_log2(rows), 1)
