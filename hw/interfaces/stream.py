"""What every unit shares: buffered streams around a pipeline that stops as a whole.

A unit is a `Core`, a pipeline of fixed latency that knows nothing of valid and ready, inside a
`Unit` that gives it streams. When an input that the core wants in this cycle is missing, or a
result has no room, the core's clock enable goes low and nothing in it moves. The streams are
buffered by two entries each, so `ready` of every input and `valid` and payload of the output come
from registers, and no path leads from one side of a unit to the other.

A clock enable that reaches thousands of registers is slow. A large core therefore stops only what
decides; what follows from that flows on, and the buffer of its results has room for what is under way.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import DomainRenamer, Elaboratable, EnableInserter, Module, ShapeLike, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

BUFFER_LATENCY = 1
"""Cycles that a beat spends in a `Buffer` that is empty."""


class Buffer(wiring.Component):
    """A stream buffered by two entries.

    Parameters
    ----------
    payload : shape of the payload

    Members
    -------
    i : In(stream), o : Out(stream)

    Timing: latency 1, one beat per cycle. `i.ready`, `o.valid` and `o.payload` are registers: a beat
    that arrives while the output waits goes to the second entry.
    """

    def __init__(self, payload: ShapeLike) -> None:
        super().__init__({"i": In(stream.Signature(payload)), "o": Out(stream.Signature(payload))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        second = Signal.like(self.i.payload)
        waiting = Signal()
        m.d.comb += self.i.ready.eq(~waiting)
        with m.If(~self.o.valid | self.o.ready):
            m.d.sync += [self.o.valid.eq(waiting | self.i.valid), waiting.eq(0)]
            with m.If(waiting):
                m.d.sync += self.o.payload.eq(second)
            with m.Else():
                m.d.sync += self.o.payload.eq(self.i.payload)
        with m.Elif(self.i.valid & ~waiting):
            m.d.sync += [second.eq(self.i.payload), waiting.eq(1)]
        return m


class TrailingBuffer(wiring.Component):
    """A `Buffer` for beats that may still come after `i.ready` went low.

    Parameters
    ----------
    payload : shape of the payload
    trailing : cycles, beginning with the first in which `i.ready` is low, in which a beat may come

    Members
    -------
    i : In(stream): a beat is taken whenever `i.valid` is high;  o : Out(stream)

    Timing: latency 1, one beat per cycle. `i.ready`, `o.valid` and `o.payload` are registers.
    """

    def __init__(self, payload: ShapeLike, trailing: int) -> None:
        self.payload, self.trailing = payload, trailing
        # While `i.ready` falls behind the level that calls for it, two beats more may come.
        self.depth = 1 << (trailing + 1).bit_length()
        super().__init__({"i": In(stream.Signature(payload)), "o": Out(stream.Signature(payload))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.waiting = waiting = memory.Memory(shape=self.payload, depth=self.depth, init=[])
        write, read = waiting.write_port(), waiting.read_port(domain="comb")
        level = Signal(range(self.depth + 1))
        room = Signal(init=1)
        free, pushed, popped = Signal(), Signal(), Signal()
        m.d.comb += [
            free.eq(~self.o.valid | self.o.ready),
            popped.eq(free & (level != 0)),
            pushed.eq(self.i.valid & (~free | (level != 0))),
            write.data.eq(self.i.payload),
            write.en.eq(pushed),
            self.i.ready.eq(room),
        ]
        m.d.sync += [
            write.addr.eq(write.addr + pushed),
            read.addr.eq(read.addr + popped),
            level.eq(level + pushed - popped),
            room.eq(level < self.depth - self.trailing - 1),
        ]
        with m.If(popped):
            m.d.sync += self.o.payload.eq(read.data)
        with m.Elif(free):
            m.d.sync += self.o.payload.eq(self.i.payload)
        with m.If(free):
            m.d.sync += self.o.valid.eq(popped | self.i.valid)
        return m


class Core(wiring.Component):
    """A pipeline that may be stopped in any cycle; base of the cores of all units.

    Parameters
    ----------
    command, inputs, result : shapes
    trailing : 0, or cycles in which the core still gives results after it has been stopped

    Members
    -------
    command : In(shape), what to do next; taken in a cycle in which `start` is high
    start : In(1), high only while `idle`
    idle : Out(1), nothing is in flight: a command may start in this cycle
    NAME : In(shape), NAME_want : Out(1), for every input: a beat of it is taken in this cycle.
        NAME_want depends on registers only.
    result : Out(shape), result_valid : Out(1), registers: a beat leaves in this cycle
    moving : In(1), if trailing: `sync` moves in this cycle

    All of its state is in the domain `sync`, which its `Unit` stops by its clock enable; unless it is
    `trailing`: then it may have state in the domain `flow` too, the same clock and reset, which never
    stops. What goes from `sync` to `flow` counts only while `moving`, and a result counts in every
    cycle.
    """

    def __init__(
        self,
        *,
        command: ShapeLike,
        inputs: dict[str, ShapeLike],
        result: ShapeLike,
        trailing: int = 0,
    ) -> None:
        members: dict[str, wiring.Member] = {
            "command": In(command),
            "start": In(1),
            "idle": Out(1),
            "result": Out(result),
            "result_valid": Out(1),
        }
        for name, shape in inputs.items():
            members |= {name: In(shape), f"{name}_want": Out(1)}
        if trailing:
            members["moving"] = In(1)
        super().__init__(members)
        self.command_shape, self.input_shapes, self.result_shape = command, inputs, result
        self.trailing = trailing


def stoppable(m: Module, core: Core, advance: Value) -> Elaboratable:
    """The core, to take as a submodule of `m`, where it moves while `advance` is high."""
    if not core.trailing:
        return EnableInserter(advance)(core)
    m.d.comb += core.moving.eq(advance)
    return DomainRenamer({"flow": "sync"})(EnableInserter(advance)(core))


class Unit(wiring.Component):
    """Streams around a core.

    Members
    -------
    command : In(stream), one beat per command
    NAME : In(stream), for every input of the core
    o : Out(stream), results

    Timing: a command is accepted while the core is idle or the buffer has room. With inputs always
    valid and `o` always ready, the core never stops; the buffers add 1 cycle in front of it and 1
    behind. A missing input stops all of the core for as long as it lasts, and so do two results that
    wait, whether or not another one comes.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        members = {"command": In(stream.Signature(core.command_shape))}
        members |= {name: In(stream.Signature(shape)) for name, shape in core.input_shapes.items()}
        super().__init__(members | {"o": Out(stream.Signature(core.result_shape))})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core = self.core
        results: Buffer | TrailingBuffer
        if core.trailing:
            results = TrailingBuffer(core.result_shape, core.trailing)
        else:
            results = Buffer(core.result_shape)
        m.submodules.result_buffer = results
        m.submodules.command_buffer = commands = Buffer(core.command_shape)
        wiring.connect(m, wiring.flipped(self.command), commands.i)
        wiring.connect(m, results.o, wiring.flipped(self.o))
        # Room for a result, whether or not one comes: this decides about every register of the core.
        go = results.i.ready
        for name in core.input_shapes:
            m.submodules[f"{name}_buffer"] = buffer = Buffer(core.input_shapes[name])
            wiring.connect(m, wiring.flipped(getattr(self, name)), buffer.i)
            go &= ~getattr(core, f"{name}_want") | buffer.o.valid
        advance = Signal()
        m.d.comb += [
            advance.eq(go),
            core.command.eq(commands.o.payload),
            core.start.eq(commands.o.valid & core.idle),
            commands.o.ready.eq(advance & core.idle),
            results.i.payload.eq(core.result),
            results.i.valid.eq(core.result_valid & (advance | bool(core.trailing))),
        ]
        for name in core.input_shapes:
            buffer = getattr(m.submodules, f"{name}_buffer")
            m.d.comb += [
                getattr(core, name).eq(buffer.o.payload),
                buffer.o.ready.eq(advance & getattr(core, f"{name}_want")),
            ]
        m.submodules.core = stoppable(m, core, advance)
        return m
