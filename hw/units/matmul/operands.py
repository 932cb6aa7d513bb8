"""What a product reads: rows of x, tiles of y, the constants of its outputs."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from intarsia.arch.isa import Layout, Matmul
from intarsia.arch.isa.matmul import OUTPUT, WORD
from intarsia.arch.machine import ENTRY_BYTES, Machine
from intarsia.hw.interfaces.instruction import ILLEGAL_FIELD, INSTRUCTION_BITS, field, scalar, scalar_faults
from intarsia.hw.interfaces.ports import ERROR_BITS, LINE_BYTES, Shape, read_port
from intarsia.hw.lib.nest import Nest
from intarsia.hw.memory.parameter_memory import PARAMETER_BITS
from intarsia.hw.memory.prefetch import Prefetch

PASSES_BITS = 2


class Operand(wiring.Component):
    """What the readers of a product have in common.

    Parameters
    ----------
    machine : array, scratchpad, stationary buffer;  payload : of the stream that takes the beats
    size, alignment : bytes that are read at once, power of two up to 16 that divides their addresses

    Members
    -------
    instruction : In(256), a MATMUL; launch : In(1), the next cycle asks for the first beat
    outer, inner : In(16), tiles of outputs and of inputs;  outputs, inputs : In, what the last of them
        holds; all are held from `launch` on
    port : Out(read_port), error : Out, of its requests, a cycle later
    o : Out(stream), beats
    """

    def __init__(
        self, machine: Machine, payload: Any, size: int, alignment: int, **members: wiring.Member
    ) -> None:
        self.machine, self.size, self.alignment = machine, size, alignment
        self.shape = Shape.of(size, alignment)
        super().__init__(
            {
                "instruction": In(INSTRUCTION_BITS),
                "launch": In(1),
                "outer": In(16),
                "inner": In(16),
                "outputs": In(range(machine.lanes + 1)),
                "inputs": In(range(machine.depth + 1)),
                "port": Out(read_port(self.shape)),
                "error": Out(ERROR_BITS),
                "o": Out(stream.Signature(payload)),
                **members,
            }
        )

    def field(self, name: str) -> Any:
        return field(self.instruction, Matmul, name)

    def nest(self, m: Module, *loops: tuple[Any, Any], origin: Any) -> Nest:
        """The nest of these (count, step), innermost first."""
        m.submodules.nest = nest = Nest(count_bits=tuple(len(Value.cast(count)) for count, _ in loops))
        m.d.comb += [nest.start.eq(self.launch), nest.origin.eq(origin)]
        for level, (count, step) in enumerate(loops):
            m.d.comb += [getattr(nest, f"count{level}").eq(count), nest.step[level].eq(step)]
        return nest

    def prefetch(self, m: Module, tag_bits: int) -> Prefetch:
        """What reads through `port`."""
        m.submodules.prefetch = prefetch = Prefetch(
            self.shape, size=self.size, alignment=self.alignment, tag_bits=tag_bits
        )
        m.d.comb += self.error.eq(prefetch.error)
        return prefetch

    @property
    def passes(self) -> Value:
        return Mux(self.field("x16"), Const(2, PASSES_BITS), Const(1, PASSES_BITS))


class XReader(Operand):
    """Rows of x for every tile: of outputs, of inputs, pass by pass; zeros beyond column K."""

    def __init__(self, machine: Machine, payload: Any) -> None:
        super().__init__(machine, payload, 2 * machine.depth, min(machine.depth, LINE_BYTES))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        depth, wide = self.machine.depth, self.field("x16")
        tile = Mux(wide, 2 * depth, depth)
        nest = self.nest(
            m,
            (self.field("m"), self.field("x_stride")),
            (self.passes, 0),
            (self.inner, tile),
            (self.outer, 0),
            origin=self.field("x"),
        )
        prefetch = self.prefetch(m, tag_bits=1)
        wiring.connect(m, prefetch.port, wiring.flipped(self.port))
        last = nest.last[2]
        columns = Mux(last, self.inputs, depth)
        request, beat = prefetch.i.payload, prefetch.o.payload
        valid = Signal(depth)
        m.d.sync += valid.eq(Cat(self.inputs > k for k in range(depth)))
        m.d.comb += [
            prefetch.i.valid.eq(nest.valid),
            nest.next.eq(prefetch.i.ready),
            request.address.eq(nest.address),
            request.size.eq(Mux(wide, 2 * columns, columns)),
            request.tag.eq(last),
            self.o.valid.eq(prefetch.o.valid),
            prefetch.o.ready.eq(self.o.ready),
        ]
        for k in range(depth):
            element = Mux(wide, beat.data.word_select(k, 16), beat.data.word_select(k, 8))
            m.d.comb += self.o.payload[k].eq(Mux(beat.tag & ~valid[k], 0, element))
        return m


class YReader(Operand):
    """Rows of the tiles of y, every tile as often as there are passes.

    packed : Out(read_port), of the stationary buffer, in whose tiles the constants come first

    Rows beyond N or K are not read: what stands for them in the array reaches no output.
    """

    def __init__(self, machine: Machine, payload: Any) -> None:
        size = max(machine.lanes, machine.depth)
        alignment = min(machine.lanes, machine.depth, LINE_BYTES)
        packed = Out(read_port(Shape.of(size, alignment)))
        super().__init__(machine, payload, size, alignment, packed=packed)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, depth = self.machine.lanes, self.machine.depth
        packed = self.field("layout") == Layout.PACKED
        depth_major = self.field("layout") == Layout.DEPTH_MAJOR
        stride = self.field("y_stride")
        of_outputs = packed_bytes(self)
        rows = Const(lanes, len(Const(self.size)))
        nest = self.nest(
            m,
            (Mux(depth_major, depth, rows), Mux(packed, depth, stride)),
            (self.passes, 0),
            (
                self.inner,
                Mux(packed, lanes * depth, Mux(depth_major, stride << exact_log2(depth), depth)),
            ),
            (
                self.outer,
                Mux(packed, of_outputs, Mux(depth_major, lanes, stride << exact_log2(lanes))),
            ),
            origin=self.field("y") + Mux(packed, ENTRY_BYTES * lanes, 0),
        )
        prefetch = self.prefetch(m, tag_bits=0)
        outputs = Mux(nest.last[3], self.outputs, lanes)
        inputs = Mux(nest.last[2], self.inputs, depth)
        # All indices are compared with the last tile's rows: whether it is the last comes later.
        missing = Mux(
            depth_major,
            nest.last[2] & (nest.index0 >= self.inputs),
            nest.last[3] & (nest.index0 >= self.outputs),
        )
        of_row = Mux(depth_major, outputs, inputs)
        request, port = prefetch.i.payload, prefetch.port
        m.d.comb += [
            prefetch.i.valid.eq(nest.valid),
            nest.next.eq(prefetch.i.ready),
            request.address.eq(nest.address),
            request.size.eq(Mux(packed, depth, Mux(missing, 0, of_row))),
            self.o.valid.eq(prefetch.o.valid),
            Value.cast(self.o.payload).eq(prefetch.o.payload.data),
            prefetch.o.ready.eq(self.o.ready),
            port.data.eq(Mux(packed, self.packed.data, self.port.data)),
            port.error.eq(Mux(packed, self.packed.error, self.port.error)),
        ]
        for memory, wanted in ((self.packed, packed), (self.port, ~packed)):
            m.d.comb += [memory.address.eq(port.address), memory.enable.eq(Mux(wanted, port.enable, 0))]
        return m


def packed_bytes(operand: Operand) -> Value:
    """Bytes from the tiles of one output to those of the next."""
    lanes, depth = operand.machine.lanes, operand.machine.depth
    return ENTRY_BYTES * lanes + (operand.inner << exact_log2(lanes * depth))


class Constants(Operand):
    """The requantizer's commands: of every tile of outputs, the constants in front of its tiles, or
    those of the parameter word.

    param : In(128), the parameter word;  param_here : In(1), it is that of this instruction
    """

    def __init__(self, machine: Machine, payload: Any) -> None:
        members = {"param": In(PARAMETER_BITS), "param_here": In(1)}
        super().__init__(machine, payload, machine.word, LINE_BYTES, **members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        machine, word = self.machine, self.machine.word
        size = ENTRY_BYTES * machine.lanes
        windows = -(-size // word)
        packed = self.field("layout") == Layout.PACKED
        nest = self.nest(
            m,
            (Const(windows, windows.bit_length()), word),
            (self.outer, packed_bytes(self)),
            origin=self.field("y"),
        )
        prefetch = self.prefetch(m, tag_bits=2)
        wiring.connect(m, prefetch.port, wiring.flipped(self.port))
        last = nest.last[0]
        rest = size - (windows - 1) * word
        beat = prefetch.o.payload
        # The windows before the last wait in registers.
        held = [Signal(8 * word, name=f"window{k}") for k in range(windows - 1)]
        with m.If(prefetch.o.valid & ~beat.tag[0]):
            m.d.sync += [old.eq(new) for old, new in zip(held, [*held[1:], beat.data], strict=False)]
        entries = Cat(*held, beat.data)
        outputs = [entries.word_select(k, 8 * ENTRY_BYTES) for k in range(machine.lanes)]
        too_far = Cat(
            fault & (~beat.tag[1] | (k < self.outputs))
            for k, entry in enumerate(outputs)
            for fault in scalar_faults(entry, OUTPUT)
        ).any()
        m.d.comb += [
            prefetch.i.valid.eq(nest.valid),
            nest.next.eq(prefetch.i.ready),
            prefetch.i.payload.address.eq(nest.address),
            prefetch.i.payload.size.eq(Mux(packed, Mux(last, rest, word), 0)),
            prefetch.i.payload.tag.eq(nest.last),
            self.o.valid.eq(prefetch.o.valid & beat.tag[0] & (packed | self.param_here)),
            prefetch.o.ready.eq(self.o.valid & self.o.ready | ~beat.tag[0]),
        ]
        with m.If(packed & self.o.valid & too_far):
            m.d.comb += self.error.eq(ILLEGAL_FIELD)
        command = self.o.payload
        m.d.comb += [
            command.rows.eq(self.field("m")),
            command.wide.eq(self.field("out16")),
            command.shared.eq(~packed),
        ]
        for lane, entry in enumerate(outputs):
            m.d.comb += [
                command.bias[lane].eq(Mux(packed, scalar(entry, OUTPUT, "bias"), 0)),
                command.b[lane].eq(scalar(entry, OUTPUT, "b")),
                command.c[lane].eq(scalar(entry, OUTPUT, "c")),
            ]
        with m.If(~packed):
            m.d.comb += [
                command.b[0].eq(scalar(self.param, WORD, "b")),
                command.c[0].eq(scalar(self.param, WORD, "c")),
            ]
        return m
