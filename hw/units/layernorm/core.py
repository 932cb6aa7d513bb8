"""I-LayerNorm: rows of int16 to rows of mean 0 and variance 1, scaled and shifted by channel."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from intarsia.arch.duration import ROOT
from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.multiply import Multiplier
from intarsia.hw.lib.tree import MAX_LEAVES, TREE_STAGES, Tree, add
from intarsia.hw.units.layernorm.statistics import LENGTH_BITS, MAX_LENGTH, RECIPROCAL_BITS, RowStatistics
from intarsia.hw.units.requantize.core import RequantizeLane


class RowBeats(wiring.Component):
    """Counts the beats of a row.

    Members
    -------
    begin : In(1), a row begins in the next cycle; extra : In(16), its beats but one
    active : Out(1), a beat in this cycle; last : Out(1), the row's last one

    Timing: a beat in every cycle; the next row may begin behind the last beat of this one.
    """

    def __init__(self) -> None:
        super().__init__({"begin": In(1), "extra": In(16), "active": Out(1), "last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(16, reset_less=True)
        with m.If(self.begin):
            m.d.sync += [self.active.eq(1), left.eq(self.extra), self.last.eq(self.extra == 0)]
        with m.Else():
            m.d.sync += [left.eq(left - 1), self.last.eq(self.active & (left == 1))]
            with m.If(self.last):
                m.d.sync += self.active.eq(0)
        return m


class Layernorm(Core):
    """Rows of out = sat(RHE((z * b + B) / 2^c)), with

        mu = RHE(sum x / D);  y = x - mu;  v = sum y^2;  s = max(isqrt(v), 1);  f = I31 // s
        z = (y * f) >> 1

    D is the length of a row, I31 = 2^31 - 1, RHE rounds half to even: `model.integer.arithmetic.layernorm`.
    A first pass over a row adds up x and x^2 and keeps the row in a memory; a second pass, behind the
    mean, the root and the reciprocal, multiplies. Rows overlap: while one is multiplied, others
    are in the serial stages or arrive.

    Parameters
    ----------
    lanes : elements per beat, a power of two in 1..256
    max_length : the longest row, 1..4096

    Members
    -------
    command : rows, length (both at least 1), c, wide (results of 16 bits, else of 8)
    i : lanes of int16; every row begins a beat, what stands behind its end does not matter
    constants : b and offset (B) by lane, a beat for every beat of results: again for every row
    result : lanes of int16, 8-bit results with their sign; zeros behind the end of a row

    Timing: `arch.isa.Layernorm.unit_cycles`. Rows begin max(beats, ROOT) cycles apart, and the first
    result of a row comes LAYERNORM_PIPELINE + 1 cycles behind its last beat. A missing beat or a
    result that has no room stops the whole unit.

    Range: every int16 x, int32 b, |B| <= 2^62, c in 0..63.
    """

    def __init__(self, *, lanes: int, max_length: int = 1024) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        if not 1 <= max_length <= MAX_LENGTH:
            raise ValueError(f"max_length must be in 1..{MAX_LENGTH}, not {max_length}")
        self.lanes, self.max_length = lanes, max_length
        elements = data.ArrayLayout(signed(16), lanes)
        super().__init__(
            command=data.StructLayout({"rows": 16, "length": 16, "c": 6, "wide": 1}),
            inputs={
                "i": elements,
                "constants": data.StructLayout(
                    {
                        "b": data.ArrayLayout(signed(32), lanes),
                        "offset": data.ArrayLayout(signed(64), lanes),
                    }
                ),
            },
            result=elements,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        length = Signal(LENGTH_BITS, reset_less=True)
        keep = Signal(self.lanes, reset_less=True)  # lanes of a row's last beat that belong to it
        with m.If(self.start):
            tail = self.command.length[: self.lanes.bit_length() - 1]
            m.d.sync += length.eq(self.command.length)
            m.d.sync += [keep[k].eq((tail == 0) | (tail > k)) for k in range(self.lanes)]

        m.submodules.arriving = arriving = RowBeats()
        extra = self._schedule(m, arriving)
        m.d.comb += self.i_want.eq(arriving.active)

        m.submodules.statistics = statistics = RowStatistics()
        m.d.comb += statistics.length.eq(length)
        self._sums(m, arriving, keep, statistics)

        m.submodules.leaving = leaving = RowBeats()
        m.d.comb += [leaving.begin.eq(statistics.soon), leaving.extra.eq(extra)]
        beat = self._buffer(m, arriving, leaving, statistics)
        self._products(m, beat, leaving, statistics, keep)
        return m

    def _schedule(self, m: Module, arriving: RowBeats) -> Signal:
        """Begins rows max(beats, ROOT) cycles apart. Returns the beats of a row but one."""
        extra = Signal(16, reset_less=True)
        rows_left = Signal(16)
        pause = Signal(range(ROOT))
        next_row = (rows_left != 0) & (pause == 0) & (~arriving.active | arriving.last)
        m.d.comb += arriving.begin.eq(self.start | next_row)
        m.d.comb += arriving.extra.eq(extra)
        with m.If(self.start):
            first = (self.command.length - 1)[self.lanes.bit_length() - 1 : 16]
            m.d.comb += arriving.extra.eq(first)
            m.d.sync += [extra.eq(first), rows_left.eq(self.command.rows - 1)]
        with m.Elif(next_row):
            m.d.sync += rows_left.eq(rows_left - 1)
        with m.If(arriving.begin):
            m.d.sync += pause.eq(ROOT - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)
        return extra

    def _sums(self, m: Module, arriving: RowBeats, keep: Signal, statistics: RowStatistics) -> None:
        """Adds up x and x^2 of a row; the squares, which take a cycle more, arrive one cycle later."""
        shapes = {"total": signed(16), "squares": unsigned(31)}
        trees = {name: Tree(leaves=self.lanes, shape=shape, combine=add) for name, shape in shapes.items()}
        counts = Signal(self.lanes)
        counted = Signal(self.lanes, reset_less=True)
        m.d.sync += counted.eq(counts)
        for k in range(self.lanes):
            x = self.i[k]
            square = Signal(31, name=f"square_{k}", reset_less=True)
            m.d.sync += square.eq(x * x)
            m.d.comb += [
                counts[k].eq(keep[k] | ~arriving.last),
                trees["total"].leaf[k].eq(Mux(counts[k], x, 0)),
                trees["squares"].leaf[k].eq(Mux(counted[k], square, 0)),
            ]
        active = Signal(TREE_STAGES + 1)
        m.d.sync += active.eq(Cat(arriving.active, active))
        last = Signal(TREE_STAGES + 1)
        m.d.sync += last.eq(Cat(arriving.last, last))
        for late, (name, tree) in enumerate(trees.items()):
            m.submodules[f"{name}_tree"] = tree
            target = getattr(statistics, name)
            row = Signal.like(target, name=f"row_{name}", reset_less=True)
            fresh = Signal(name=f"fresh_{name}", init=1)
            with m.If(active[TREE_STAGES - 1 + late]):
                m.d.sync += row.eq(Mux(fresh, 0, row) + tree.root)
                m.d.sync += fresh.eq(last[TREE_STAGES - 1 + late])
            m.d.comb += target.eq(row)
        m.d.comb += statistics.start.eq(last[TREE_STAGES])

    def _buffer(self, m: Module, arriving: RowBeats, leaving: RowBeats, statistics: RowStatistics) -> Value:
        """Keeps rows between the passes. Returns the beat of two cycles behind its address."""
        # A row is read so many cycles after its last beat; until then a beat may come in every cycle.
        behind = TREE_STAGES + statistics.latency
        beats = -(-self.max_length // self.lanes)
        depth = 1 << (beats + behind - 1).bit_length()
        m.submodules.rows = rows = memory.Memory(shape=unsigned(16 * self.lanes), depth=depth, init=[])
        write, read = rows.write_port(), rows.read_port()
        for port, row in ((write, arriving), (read, leaving)):
            m.d.comb += port.en.eq(row.active)
            address = Signal.like(port.addr, name="address")
            m.d.comb += port.addr.eq(address)
            with m.If(row.active):
                m.d.sync += address.eq(address + 1)
        m.d.comb += write.data.eq(Value.cast(self.i))
        # Block memory without a register behind it takes most of a cycle.
        beat = Signal.like(read.data, reset_less=True)
        m.d.sync += beat.eq(read.data)
        return beat

    def _products(
        self, m: Module, beat: Value, leaving: RowBeats, statistics: RowStatistics, keep: Signal
    ) -> None:
        """z, then its scale and shift: from the read address of a beat to its results."""
        to_z = 3 + Multiplier.LATENCY
        valid = Signal(to_z + RequantizeLane.LATENCY)
        m.d.sync += valid.eq(Cat(leaving.active, valid))
        last = Signal(to_z + RequantizeLane.LATENCY)
        m.d.sync += last.eq(Cat(leaving.last, last))
        m.d.comb += self.constants_want.eq(valid[to_z - 1])
        m.d.sync += self.result_valid.eq(valid[-1])
        c = Signal(6, reset_less=True)
        wide = Signal(reset_less=True)
        with m.If(self.start):
            m.d.sync += [c.eq(self.command.c), wide.eq(self.command.wide)]
        for k in range(self.lanes):
            m.submodules[f"z_{k}"] = z = Multiplier(signed(17), unsigned(RECIPROCAL_BITS))
            m.submodules[f"lane_{k}"] = lane = RequantizeLane(x_bits=31, b_bits=32, offset_bits=64)
            y = Signal(signed(17), name=f"y_{k}", reset_less=True)
            m.d.sync += y.eq(beat.word_select(k, 16).as_signed() - statistics.mean)
            m.d.comb += [
                z.a.eq(y),
                z.b.eq(statistics.reciprocal),
                lane.x.eq(z.p[1:32]),  # |y| <= s, so |y * f| <= I31
                lane.b.eq(self.constants.b[k]),
                lane.offset.eq(self.constants.offset[k]),
                lane.c.eq(c),
                lane.wide.eq(wide),
            ]
            m.d.sync += self.result[k].eq(Mux(keep[k] | ~last[-1], lane.o, 0))

        busy = Signal()
        rows_left = Signal(16, reset_less=True)
        m.d.comb += self.idle.eq(~busy)
        with m.If(self.start):
            m.d.sync += [busy.eq(1), rows_left.eq(self.command.rows - 1)]
        with m.Elif(last[-1]):
            m.d.sync += [busy.eq(rows_left != 0), rows_left.eq(rows_left - 1)]
