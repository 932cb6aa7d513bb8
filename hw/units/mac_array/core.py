"""The MAC array: rows of x stream past stationary tiles of y into int32 accumulators."""

from __future__ import annotations

import itertools
from typing import Any

from amaranth.hdl import Cat, DomainRenamer, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.units.mac_array.accumulator import Accumulator, step_layout
from intarsia.hw.units.mac_array.stationary import StationaryRow, dot_shape

COMMAND = data.StructLayout({"rows": 16, "inner": 16, "outer": 16, "depth_major": 1, "x16": 1})


class MacArray(Core):
    """acc[m, l] = sum over the tiles of an output of sum_k x[m, k] * tile[l, k], for m < rows.

    For each of `outer` outputs and each of its `inner` tiles, `rows` rows of x stream past the tile;
    both are sent anew for every tile. With `x16` the tiles come in pairs, the same tile twice: the
    first of a pair takes the high bytes of x, signed, whose dot products count 256 times, the second
    one the low bytes, unsigned. After the last tile of an output its accumulators leave, while the
    next output adds up in the other bank.

    Parameters
    ----------
    lanes, depth : rows and columns of a tile, each a power of two in 4..256
    accumulator_rows : rows of each of the two accumulator banks, 16..8192

    Members
    -------
    command : {rows: 16, inner: 16, outer: 16, depth_major: 1, x16: 1}, every count at least 1,
        rows <= accumulator_rows, inner even with x16
    x : `depth` int16; of int8 x the high byte is ignored
    y : max(lanes, depth) bytes, a row of a tile: `depth` bytes of one lane, lane 0 first, or, with
        depth_major, `lanes` bytes of one place in depth, place 0 first; the other bytes are ignored
    result : `lanes` int32, the accumulators of one row, in the order of the rows, output by output

    Timing: a tile takes `tile` = lanes cycles to load, or depth when depth-major, then the rows pass
    it in a period of max(rows, tile) cycles, in whose first `rows` cycles x is wanted and in whose first
    `tile` cycles the next tile's y. An output leaves during the first `rows` cycles of the period after
    its last, a row per cycle; after the last period of a command `rows` cycles are added for that. In
    all `arch.isa.matmul.mac_array_unit`. A missing input or waiting results stop the schedule; products
    and sums flow on, for a clock enable would have to reach all of them.
    Range: every value of every operand; accumulators wrap at 32 bits (docs/numerics.md, section 3).
    """

    TO_STEP = StationaryRow.LATENCY
    """From a row of x to its step in the accumulators."""

    def __init__(self, *, lanes: int, depth: int, accumulator_rows: int) -> None:
        for name, size in (("lanes", lanes), ("depth", depth)):
            if not 4 <= size <= 256 or size & (size - 1):
                raise ValueError(f"{name} must be a power of two in 4..256, not {size}")
        if not 16 <= accumulator_rows <= 8192:
            raise ValueError(f"accumulator_rows must be in 16..8192, not {accumulator_rows}")
        self.lanes, self.depth, self.accumulator_rows = lanes, depth, accumulator_rows
        super().__init__(
            command=COMMAND,
            inputs={
                "x": data.ArrayLayout(signed(16), depth),
                "y": data.ArrayLayout(signed(8), max(lanes, depth)),
            },
            result=data.ArrayLayout(signed(32), lanes),
            trailing=self.TO_STEP + Accumulator.LATENCY,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.schedule = schedule = Schedule(
            lanes=self.lanes, depth=self.depth, accumulator_rows=self.accumulator_rows
        )
        flow = DomainRenamer("flow")
        accumulator = Accumulator(lanes=self.lanes, rows=self.accumulator_rows, dot=dot_shape(self.depth))
        m.submodules.accumulator = flow(accumulator)
        lanes = [StationaryRow(depth=self.depth) for _ in range(self.lanes)]

        # Of a row of x a byte and its sign, then once for each half of the lanes, which shortens the way
        # to the multipliers. Different initial values keep synthesis from making one of the two again.
        halves: list[list[Signal]] = [[], []]
        for k, x in enumerate(Value.cast(element) for element in self.x):
            operand = Signal(9, name=f"operand{k}", reset_less=True)
            low = Cat(x[:8], x[7] & ~schedule.x16)
            m.d.flow += operand.eq(Mux(schedule.step.high, Cat(x[8:], x[15]), low))
            for half, init in zip(halves, (0, 0x1FF), strict=True):
                copy = Signal(9, name=f"operand{k}_copy", reset_less=True, init=init)
                m.d.flow += copy.eq(operand)
                half.append(copy)
        # The step meets the row's dot products in the accumulator, which expects them 2 cycles after it.
        steps = [Signal(step_layout(self.accumulator_rows), name=f"step{k}") for k in range(self.TO_STEP)]
        m.d.flow += [late.eq(early) for early, late in itertools.pairwise([schedule.step, *steps])]
        for name in ("add", "drain"):
            m.d.flow += steps[0][name].eq(schedule.step[name] & self.moving)

        # What the lanes' clock enables are made of comes from registers, and y with it.
        load, use = Signal(), Signal()
        y = Signal(8 * len(self.y), reset_less=True)
        m.d.flow += [
            load.eq(schedule.y_want & self.moving),
            use.eq(schedule.use & self.moving),
            y.eq(self.y),
        ]
        following = [*(lane.loading for lane in lanes[1:]), y[: 8 * self.depth]]
        for k, lane in enumerate(lanes):
            m.submodules[f"lane{k}"] = flow(lane)
            m.d.comb += [
                lane.load.eq(load),
                lane.depth_major.eq(schedule.depth_major),
                lane.row.eq(following[k]),
                lane.byte.eq(y.word_select(k, 8)),
                lane.use.eq(use),
                lane.x.eq(Cat(halves[2 * k // self.lanes])),
                accumulator.dot[k].eq(lane.dot),
            ]
        m.d.comb += [
            schedule.command.eq(self.command),
            schedule.start.eq(self.start),
            self.idle.eq(schedule.idle),
            self.x_want.eq(schedule.x_want),
            self.y_want.eq(schedule.y_want),
            accumulator.step.eq(steps[-1]),
            self.result.eq(accumulator.result),
            self.result_valid.eq(accumulator.result_valid),
        ]
        return m


class Schedule(wiring.Component):
    """What the array does in every cycle: the first tile, the periods, the last rows' way out.

    Members
    -------
    command, start, idle, x_want, y_want : as of the core
    depth_major, x16 : Out(1), of the command
    use : Out(1), the first cycle of a period: the tile that has been loaded comes into use
    step : Out(step_layout), what becomes of the row of x of this cycle
    """

    def __init__(self, *, lanes: int, depth: int, accumulator_rows: int) -> None:
        self.lanes, self.depth, self.accumulator_rows = lanes, depth, accumulator_rows
        super().__init__(
            {
                "command": In(COMMAND),
                "start": In(1),
                "idle": Out(1),
                "x_want": Out(1),
                "y_want": Out(1),
                "depth_major": Out(1),
                "x16": Out(1),
                "use": Out(1),
                "step": Out(step_layout(accumulator_rows)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        command = Signal(COMMAND)
        row = Signal(bits_for(max(self.accumulator_rows, self.lanes, self.depth) - 1))
        last_row = Signal(bits_for(self.accumulator_rows - 1))
        last_of_tile = Signal(range(max(self.lanes, self.depth)))
        # Whether `row` is one of x's rows, one of the tile's. What is wanted has registers of its own:
        # it decides in the same cycle whether anything in the array moves.
        rows_on = Signal()
        tile_on = Signal()
        first = Signal()
        high = Signal()
        bank = Signal()
        drain = Signal()
        final = Signal()
        # The period to come: tiles of its output and outputs left, it counted; the first tile of one.
        # A period has at least 4 cycles, so `last_*` have long settled when it begins.
        inner = Signal(16)
        outer = Signal(16)
        last_inner = Signal()
        last_outer = Signal()
        new_output = Signal()
        # The command's last row on its way to the result: the cycles in which anything may stop count.
        leaving = Signal(MacArray.TO_STEP + Accumulator.LATENCY - 1)
        m.d.sync += [last_inner.eq(inner == 1), last_outer.eq(outer == 1)]

        rows_end = Signal()
        tile_end = Signal()
        end = Signal()
        m.d.comb += [
            rows_end.eq(row == last_row),
            tile_end.eq(row == last_of_tile),
            end.eq((rows_on | tile_on) & (~rows_on | rows_end) & (~tile_on | tile_end)),
            self.depth_major.eq(command.depth_major),
            self.x16.eq(command.x16),
            self.step.row.eq(row),
            self.step.bank.eq(bank),
            self.step.add.eq(self.x_want),
            self.step.first.eq(first),
            self.step.high.eq(high),
            self.step.drain.eq(drain & rows_on),
        ]
        m.d.sync += [row.eq(row + 1), self.use.eq(0)]
        with m.If(rows_end):
            m.d.sync += [rows_on.eq(0), self.x_want.eq(0)]
        with m.If(tile_end):
            m.d.sync += [tile_on.eq(0), self.y_want.eq(0)]
        period = [
            row.eq(0),
            self.use.eq(1),
            rows_on.eq(1),
            tile_on.eq(1),
            self.x_want.eq(1),
            self.y_want.eq(~(last_inner & last_outer)),
            final.eq(last_inner & last_outer),
            first.eq(new_output),
            high.eq(command.x16 & (new_output | ~high)),
            bank.eq(bank ^ new_output),
            new_output.eq(last_inner),
            inner.eq(Mux(last_inner, command.inner, inner - 1)),
            outer.eq(outer - last_inner),
        ]

        with m.FSM():
            with m.State("IDLE"):
                m.d.comb += self.idle.eq(1)
                m.d.sync += [
                    command.eq(self.command),
                    last_row.eq(self.command.rows - 1),
                    last_of_tile.eq(Mux(self.command.depth_major, self.depth - 1, self.lanes - 1)),
                    inner.eq(self.command.inner),
                    outer.eq(self.command.outer),
                    new_output.eq(1),
                    drain.eq(0),
                    row.eq(0),
                    rows_on.eq(0),
                    tile_on.eq(self.start),
                    self.y_want.eq(self.start),
                ]
                with m.If(self.start):
                    m.next = "LOAD"
            with m.State("LOAD"), m.If(end):
                m.d.sync += period
                m.next = "SLOT"
            with m.State("SLOT"), m.If(end):
                m.d.sync += [*period, drain.eq(new_output)]
                with m.If(final):
                    m.d.sync += [self.use.eq(0), tile_on.eq(0), self.x_want.eq(0), self.y_want.eq(0)]
                    m.next = "DRAIN"
            with m.State("DRAIN"), m.If(end):
                m.d.sync += leaving.eq(1)
                m.next = "FINISH"
            with m.State("FINISH"):
                m.d.sync += leaving.eq(leaving << 1)
                with m.If(leaving[-1]):
                    m.next = "IDLE"
        return m
