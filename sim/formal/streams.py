"""Streams: what `Buffer` promises, and with it the output of every `Unit`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from amaranth.hdl import Assert, Assume, Cat, Cover, Module, Mux, Signal, Value

from intarsia.hw.interfaces.stream import Buffer, Core, TrailingBuffer, Unit
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import Spec


def assert_held(m: Module, valid: Value, ready: Value, payload: Value, name: str) -> None:
    """While valid waits for ready it stays, and so does the payload."""
    waited = Signal(name=f"{name}_waited")
    before = Signal(payload.shape(), name=f"{name}_before")
    m.d.sync += [waited.eq(valid & ~ready), before.eq(payload)]
    with m.If(waited):
        m.d.comb += [Assert(valid), Assert(payload == before)]
        m.d.comb += Cover(ready)


class BufferQueue(Spec):
    """`Buffer` is a queue of two entries: what enters leaves, once, in its order, and unchanged.

    Compared in every cycle with a naive queue: `i.ready` while that is not full, `o.valid` while it is not
    empty, `o.payload` its oldest entry. Beats may come and be taken in any cycle; the input need not
    even keep a beat that waits. Payload of 4 bits. Induction.
    """

    def __init__(self, buffer: Callable[[int], Buffer] = Buffer) -> None:
        super().__init__()
        self.buffer = buffer(4)
        self.free += [self.buffer.i.valid, self.buffer.i.payload, self.buffer.o.ready]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        buffer = self.buffer
        m.submodules.buffer, signals = opened(buffer)
        count = Signal(2)
        oldest, newest = Signal(4), Signal(4)  # the same one while there is only one
        enters, leaves = buffer.i.valid & buffer.i.ready, buffer.o.valid & buffer.o.ready
        m.d.sync += count.eq(count + enters - leaves)
        with m.If(leaves & (count == 2)):
            m.d.sync += oldest.eq(newest)
        with m.If(enters):
            m.d.sync += newest.eq(buffer.i.payload)
            with m.If(count == leaves):
                m.d.sync += oldest.eq(buffer.i.payload)
        m.d.comb += [
            Assert(count <= 2),
            Assert(buffer.i.ready == (count != 2)),
            Assert(buffer.o.valid == (count != 0)),
            Assert((count == 0) | (buffer.o.payload == oldest)),
            Assert((count != 2) | (signals["second"] == newest)),
            Cover((count == 2) & leaves),
            Cover((count == 1) & leaves & enters),
        ]
        return m


class BufferHeld(Spec):
    """A beat at the output of `Buffer` stays there, unchanged, until it is taken.

    Payload of 4 bits. Induction.
    """

    def __init__(self, buffer: Callable[[int], Buffer] = Buffer) -> None:
        super().__init__()
        self.buffer = buffer(4)
        self.free += [self.buffer.i.valid, self.buffer.i.payload, self.buffer.o.ready]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        assert_held(m, buffer.o.valid, buffer.o.ready, buffer.o.payload, "o")
        return m


class BufferRegistered(Spec):
    """`i.ready`, `o.valid` and `o.payload` of `Buffer` depend on its registers only.

    Two buffers get the same inputs up to a cycle of the solver's choice, and any two in that one: even
    then these three must be the same. Payload of 4 bits. Induction.
    """

    def __init__(self, buffer: Callable[[int], Buffer] = Buffer) -> None:
        super().__init__()
        self.buffers = buffer(4), buffer(4)
        self.inputs = [
            (self.choose(1, f"valid_{k}"), self.choose(4, f"payload_{k}"), self.choose(1, f"ready_{k}"))
            for k in range(2)
        ]
        self.differ = self.choose(1, "differ")

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        over = Signal()  # the cycle is past
        m.d.sync += over.eq(over | self.differ)
        inside = []
        for k, buffer in enumerate(self.buffers):
            m.submodules[f"buffer_{k}"], signals = opened(buffer)
            valid, payload, ready = self.inputs[k]
            common_valid, common_payload, common_ready = self.inputs[0]
            m.d.comb += [
                buffer.i.valid.eq(Mux(self.differ, valid, common_valid)),
                buffer.i.payload.eq(Mux(self.differ, payload, common_payload)),
                buffer.o.ready.eq(Mux(self.differ, ready, common_ready)),
            ]
            inside.append(signals)
        with m.If(~over):
            for name in ("waiting", "second"):
                m.d.comb += Assert(inside[0][name] == inside[1][name])
            one, other = self.buffers
            m.d.comb += [
                Assert(one.i.ready == other.i.ready),
                Assert(one.o.valid == other.o.valid),
                Assert(one.o.payload == other.o.payload),
                Cover(self.differ & (one.i.valid != other.i.valid) & (one.o.ready != other.o.ready)),
            ]
        return m


class TrailingQueue(Spec):
    """`TrailingBuffer` is a queue that always has room for beats that come late.

    They may come up to TRAILING cycles after `i.ready` was last high. Every beat carries its number
    modulo 16: they leave in order, none is lost or doubled, and one that waits stays. Bounded.
    """

    TRAILING = 2

    def __init__(self, buffer: Callable[[int, int], TrailingBuffer] = TrailingBuffer) -> None:
        super().__init__()
        self.buffer = buffer(4, self.TRAILING)
        self.free += [self.buffer.i.valid, self.buffer.o.ready]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.buffer = buffer = self.buffer
        i, o = buffer.i, buffer.o
        was_ready = Signal(self.TRAILING)
        sent, received = Signal(4), Signal(4)
        m.d.sync += [
            was_ready.eq(Cat(i.ready, was_ready)),
            sent.eq(sent + i.valid),
            received.eq(received + (o.valid & o.ready)),
        ]
        m.d.comb += [
            Assume(~i.valid | i.ready | was_ready.any()),
            i.payload.eq(sent),
            Assert(~o.valid | (o.payload == received)),
            Assert(o.valid == (sent != received)),
            Cover((sent - received)[:4] == buffer.depth),
            Cover(received == 9),
        ]
        assert_held(m, o.valid, o.ready, o.payload, "o")
        return m


class UnitSpec(Spec):
    """A real core in its unit, whose streams the solver drives as it likes."""

    def __init__(self, make: Callable[[], Core]) -> None:
        super().__init__()
        self.unit = unit = Unit(make())
        for name in ("command", *unit.core.input_shapes):
            stream = getattr(unit, name)
            self.free += [stream.valid, Value.cast(stream.payload)]
        self.free.append(unit.o.ready)


class UnitHeld(UnitSpec):
    """A result of a real unit stays at its output, unchanged, until it is taken, whatever its core does.

    Commands and beats of any content may come and go in any cycle. Induction.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        assert_held(m, unit.o.valid, unit.o.ready, Value.cast(unit.o.payload), "o")
        return m


class UnitQuiet(UnitSpec):
    """From a reset until a command is accepted a real unit is idle, wants no beat, and shows no result.

    Induction, so also from a reset in the middle of any work.
    """

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.unit = unit = self.unit
        quiet = Signal(init=1)
        was_at_work = Signal(reset_less=True)
        m.d.sync += was_at_work.eq(~quiet)
        with m.If(unit.command.valid & unit.command.ready):
            m.d.sync += quiet.eq(0)
        with m.If(quiet):
            m.d.comb += [Assert(unit.core.idle), Assert(~unit.o.valid)]
            m.d.comb += [Assert(~getattr(unit.core, f"{name}_want")) for name in unit.core.input_shapes]
            m.d.comb += Cover(was_at_work)
        return m
