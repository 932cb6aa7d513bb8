"""`Unit` carries every beat to its core and every result away, whatever stops it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Signal, Value
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core, Unit
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import Spec
from intarsia.sim.formal.streams import assert_held

STAGES = 3
FULL = 8
"""Beats that wait in a `TrailingBuffer` at most, of so many stages that flow on."""


class Echo(Core):
    """The smallest core that does all that cores do: beats leave as they came, STAGES cycles later."""

    def __init__(self, trailing: int = 0) -> None:
        super().__init__(
            command=data.StructLayout({"rows": 3}), inputs={"i": 4}, result=4, trailing=trailing
        )
        self.rows_left = Signal(3)
        self.valid = Signal(STAGES - 1)
        self.beats = [Signal(4, name=f"beat_{k}") for k in range(STAGES - 1)]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.i_want.eq(self.rows_left != 0),
            self.idle.eq((self.rows_left == 0) & ~self.valid.any()),
        ]
        m.d.sync += [
            Cat(self.valid, self.result_valid).eq(Cat(self.i_want, self.valid)),
            Cat(self.beats, self.result).eq(Cat(self.i, self.beats)),
        ]
        with m.If(self.start):
            m.d.sync += self.rows_left.eq(self.command.rows)
        with m.Elif(self.i_want):
            m.d.sync += self.rows_left.eq(self.rows_left - 1)
        return m


class TrailingEcho(Echo):
    """An `Echo` whose beats flow on while it is stopped."""

    def __init__(self) -> None:
        super().__init__(STAGES)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        leaving = Signal(STAGES)
        m.d.comb += [
            self.i_want.eq(self.rows_left != 0),
            self.idle.eq((self.rows_left == 0) & ~leaving.any()),
        ]
        m.d.flow += [
            Cat(self.valid, self.result_valid).eq(Cat(self.i_want & self.moving, self.valid)),
            Cat(self.beats, self.result).eq(Cat(self.i, self.beats)),
        ]
        m.d.sync += leaving.eq(Cat(self.i_want, leaving))
        with m.If(self.start):
            m.d.sync += self.rows_left.eq(self.command.rows)
        with m.Elif(self.i_want):
            m.d.sync += self.rows_left.eq(self.rows_left - 1)
        return m


class EchoSpec(Spec):
    """Commands of 1..7 rows, beats and readiness in any cycle; every beat carries its number modulo 16."""

    def __init__(self, core: Callable[[], Echo] = Echo) -> None:
        super().__init__()
        self.core = core()
        self.unit = unit = Unit(self.core)
        self.free += [
            unit.command.valid,
            Value.cast(unit.command.payload),
            unit.i.valid,
            unit.o.ready,
        ]
        self.sent, self.received = Signal(4), Signal(4)
        self.ordered, self.delivered = Signal(6), Signal(6)

    def common(self) -> tuple[Module, dict[str, Signal]]:
        m = Module()
        unit = self.unit
        m.submodules.unit, signals = opened(unit)
        commanded = unit.command.valid & unit.command.ready
        delivered = unit.o.valid & unit.o.ready
        m.d.comb += [
            Assume(~unit.command.valid | (unit.command.payload.rows != 0)),
            unit.i.payload.eq(self.sent),
        ]
        m.d.sync += [
            self.sent.eq(self.sent + (unit.i.valid & unit.i.ready)),
            self.received.eq(self.received + delivered),
            self.delivered.eq(self.delivered + delivered),
        ]
        with m.If(commanded):
            m.d.sync += self.ordered.eq(self.ordered + unit.command.payload.rows)
        return m, signals


class UnitOrder(EchoSpec):
    """Beats enter and leave a `Unit` in one order: none is lost, doubled, or overtaken.

    The next beat to leave is in every cycle the one whose number is next, and between the last that
    left and the next to come all are somewhere in the unit. A `Unit` never looks at payloads, so what
    is true of numbers is true of all. A core of three stages. Induction.
    """

    def elaborate(self, platform: Any) -> Module:
        m, signals = self.common()
        core, unit = self.core, self.unit
        number: Value = self.received
        for valid, payload in (
            (unit.o.valid, unit.o.payload),
            (signals["result_buffer.waiting"], signals["result_buffer.second"]),
            (core.result_valid, core.result),
            *zip(reversed(core.valid), reversed(core.beats), strict=True),
            (signals["i_buffer.o__valid"], signals["i_buffer.o__payload"]),
            (signals["i_buffer.waiting"], signals["i_buffer.second"]),
        ):
            m.d.comb += Assert(~valid | (payload == number))
            number = (number + valid)[:4]
        m.d.comb += [
            Assert(number == self.sent),
            Assert(~signals["i_buffer.waiting"] | signals["i_buffer.o__valid"]),
            Assert(~signals["result_buffer.waiting"] | unit.o.valid),
            Cover(unit.o.valid & (unit.o.payload == 9)),
        ]
        return m


class UnitTrails(EchoSpec):
    """A `Unit` around a core that is trailing loses, doubles and reorders no beat.

    The next beat to leave is in every cycle the one whose number is next, and one that waits stays.
    A core of three stages that do not stop. Bounded.
    """

    def __init__(self) -> None:
        super().__init__(TrailingEcho)

    def elaborate(self, platform: Any) -> Module:
        m, signals = self.common()
        unit, level = self.unit, signals["result_buffer.level"]
        in_core = self.core.result_valid + sum(self.core.valid)
        in_buffers = unit.o.valid + level + signals["i_buffer.o__valid"] + signals["i_buffer.waiting"]
        m.d.comb += [
            Assert(~unit.o.valid | (unit.o.payload == self.received)),
            Assert((self.received + in_core + in_buffers)[:4] == self.sent),
            Cover(unit.o.valid & (unit.o.payload == 9)),
            Cover(level == FULL),
        ]
        assert_held(m, unit.o.valid, unit.o.ready, unit.o.payload, "o")
        return m


class UnitOwes(EchoSpec):
    """A `Unit` delivers as many results as its commands ask for, no more and no fewer.

    What is ordered and not yet delivered is always the rows of the waiting commands, those that the
    core still has to take, and the beats in flight; so a unit that has come to rest owes nothing. A
    command starts only when the row counter is 0, which therefore neither underflows nor is cut short.
    A core of three stages. Induction.
    """

    def elaborate(self, platform: Any) -> Module:
        m, signals = self.common()
        core, unit = self.core, self.unit
        buffers = ("command_buffer", "result_buffer")
        waiting = {name: signals[f"{name}.waiting"] for name in buffers}
        first = signals["command_buffer.o__valid"]
        in_flight = unit.o.valid + waiting["result_buffer"] + core.result_valid + sum(core.valid)
        rows = core.rows_left
        rows = rows + signals["command_buffer.o__payload"] * first
        rows = rows + signals["command_buffer.second"] * waiting["command_buffer"]
        owed = Signal(6)
        m.d.comb += [
            owed.eq(self.ordered - self.delivered),
            Assert(owed == rows + in_flight),
            Assert(~core.start | ((core.rows_left == 0) & ~core.valid.any())),
            Assert(~waiting["command_buffer"] | first),
            Assert(~waiting["result_buffer"] | unit.o.valid),
            Cover((owed == 0) & (self.delivered == 9)),
        ]
        return m


class UnitMoves(EchoSpec):
    """A `Unit` never stands still: with commands, beats and room there, a result leaves in time.

    In time: it is there PATIENCE cycles later or earlier, which are the way of a command and of its first
    beat. A core of three stages. Induction.
    """

    PATIENCE = STAGES + 3

    def elaborate(self, platform: Any) -> Module:
        m, _ = self.common()
        unit = self.unit
        waited = Signal(range(self.PATIENCE + 2))
        with m.If(unit.command.valid & unit.i.valid & unit.o.ready & ~unit.o.valid):
            m.d.sync += waited.eq(waited + 1)
        with m.Else():
            m.d.sync += waited.eq(0)
        m.d.comb += [Assert(waited <= self.PATIENCE), Cover(waited == self.PATIENCE)]
        return m
