"""Rows of a matrix in memory as beats of a stream, and back."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.ports import (
    ADDRESS_BITS,
    ERROR_BITS,
    WRITE_LATENCY,
    Shape,
    read_port,
    write_port,
)
from intarsia.hw.lib.lanes import rotated, touched
from intarsia.hw.lib.nest import Nest
from intarsia.hw.memory.prefetch import Prefetch

COUNT_BITS = 17


def _matrix(size: int) -> dict[str, wiring.Member]:
    """A matrix of `rows` rows, each of `beats` beats: addresses and sizes in bytes."""
    return {
        "start": In(1),
        "origin": In(ADDRESS_BITS),
        "row_step": In(ADDRESS_BITS),
        "beat_step": In(ADDRESS_BITS),
        "rows": In(COUNT_BITS),
        "beats": In(32),
        "full": In(range(size + 1)),
        "rest": In(range(size + 1)),
    }


def _walk(m: Module, walker: Any) -> Nest:
    """The nest over beats and rows of a matrix; all fields are held from `start` on."""
    m.submodules.nest = nest = Nest(count_bits=(32, COUNT_BITS))
    m.d.comb += [
        nest.start.eq(walker.start),
        nest.origin.eq(walker.origin),
        nest.step[0].eq(walker.beat_step),
        nest.step[1].eq(walker.row_step),
        nest.count0.eq(walker.beats),
        nest.count1.eq(walker.rows),
    ]
    return nest


class RowReader(wiring.Component):
    """Reads a matrix row by row, beat by beat, ahead of its consumer.

    Parameters
    ----------
    shape : of the port
    size : bytes of a beat at most
    alignment : of all addresses, a power of two up to 16

    Members
    -------
    start : In(1), the next cycle asks for the first beat; the fields are held from then on
    origin, row_step, beat_step : In(32), bytes;  rows : In(17), beats : In(32), at least 1
    full, rest : In, bytes of a beat, of a row's last one
    port : Out(read_port(shape)), error : Out, of its requests, a cycle later
    o : Out(stream(8 * size)), the beats; their bytes beyond `full` or `rest` are undefined
    last : Out(1), the beat at `o` is its row's last

    Timing: the first beat 4 cycles after `start`, then one per cycle.
    """

    def __init__(self, shape: Shape, *, size: int, alignment: int) -> None:
        self.prefetch = Prefetch(shape, size=size, alignment=alignment, tag_bits=1)
        super().__init__(
            _matrix(size)
            | {
                "port": Out(read_port(shape)),
                "error": Out(ERROR_BITS),
                "o": Out(stream.Signature(8 * size)),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.prefetch = prefetch = self.prefetch
        nest = _walk(m, self)
        wiring.connect(m, prefetch.port, wiring.flipped(self.port))
        # What a port asks for goes far, and these come from an instruction by some arithmetic.
        full, rest = Signal.like(self.full), Signal.like(self.rest)
        m.d.sync += [full.eq(self.full), rest.eq(self.rest)]
        m.d.comb += [
            prefetch.i.valid.eq(nest.valid),
            nest.next.eq(prefetch.i.ready),
            prefetch.i.payload.address.eq(nest.address),
            prefetch.i.payload.size.eq(Mux(nest.last[0], rest, full)),
            prefetch.i.payload.tag.eq(nest.last[0]),
            self.last.eq(prefetch.o.payload.tag),
            self.error.eq(prefetch.error),
            self.o.valid.eq(prefetch.o.valid),
            self.o.payload.eq(prefetch.o.payload.data),
            prefetch.o.ready.eq(self.o.ready),
        ]
        return m


class RowWriter(wiring.Component):
    """Writes beats to a matrix as they come.

    Parameters
    ----------
    shape, size, alignment : as of `RowReader`; the size is a power of two
    by_column : beats follow each other down a column of them, the columns after each other: `rows` are
        these columns, `beats` the rows, and `rest` are the bytes of a beat of the last column

    Members
    -------
    start and the fields of the matrix : as of `RowReader`
    i : In(stream(8 * size)), its `ready` is always high once started
    port : Out(write_port(shape)), error : Out, of its requests, a cycle later
    done : Out(1), the last beat can be read from the next cycle on

    Timing: `done` comes LATENCY cycles after the last beat: a register, and the memory.
    """

    LATENCY = 1 + WRITE_LATENCY - 1

    def __init__(self, shape: Shape, *, size: int, alignment: int, by_column: bool = False) -> None:
        self.shape, self.size, self.alignment, self.by_column = shape, size, alignment, by_column
        super().__init__(
            _matrix(size)
            | {
                "i": In(stream.Signature(8 * size)),
                "port": Out(write_port(shape)),
                "error": Out(ERROR_BITS),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        nest = _walk(m, self)
        m.submodules.place = place = Place(self.shape, size=self.size, alignment=self.alignment)
        wiring.connect(m, place.port, wiring.flipped(self.port))
        last = Signal(WRITE_LATENCY)
        moves = self.i.valid & nest.valid
        m.d.comb += [
            self.i.ready.eq(nest.valid),
            nest.next.eq(self.i.valid),
            place.valid.eq(moves),
            place.address.eq(nest.address),
            place.count.eq(Mux(nest.last[int(self.by_column)], self.rest, self.full)),
            place.data.eq(self.i.payload),
            self.error.eq(self.port.error),
            self.done.eq(last[-1]),
        ]
        m.d.sync += last.eq(Cat(moves & nest.last.all(), last[:-1]))
        return m


class Place(wiring.Component):
    """Puts bytes on the lanes where they belong.

    Parameters
    ----------
    shape, size, alignment : as of `RowWriter`

    Members
    -------
    valid : In(1), address : In(32), count : In, at least 1, of the bytes `data` : In(8 * size) so many are
        written
    port : Out(write_port(shape)), registers

    Timing: a cycle.
    """

    def __init__(self, shape: Shape, *, size: int, alignment: int) -> None:
        if Shape.of(size, alignment) | shape != shape:
            raise ValueError(f"{size} bytes at multiples of {alignment} want more than {shape}")
        self.shape, self.size, self.alignment = shape, size, alignment
        super().__init__(
            {
                "valid": In(1),
                "address": In(ADDRESS_BITS),
                "count": In(range(size + 1)),
                "data": In(8 * size),
                "port": Out(write_port(shape)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes = self.shape.lanes
        wanted = Signal(lanes)
        m.d.comb += wanted.eq(Cat(self.count > k for k in range(self.size)))
        alignment = min(self.alignment, self.size)
        m.d.sync += self.port.enable.eq(0)
        with m.If(self.valid):
            m.d.sync += [
                self.port.address.eq(self.address),
                self.port.enable.eq(touched(self.address, self.count, self.shape.lines)),
                self.port.mask.eq(rotated(m, wanted, self.address, unit=1, alignment=alignment)),
                # The same on every group of so many lanes: the mask says which.
                self.port.data.eq(
                    rotated(m, self.data, self.address, alignment=alignment).replicate(lanes // self.size)
                ),
            ]
        return m
