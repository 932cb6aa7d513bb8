"""ShiftGELU in its three forms: a pass for the row's maximum, a pass for the products."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, ShapeLike, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.tree import MAX_LEAVES, TREE_STAGES, Tree, maximum
from intarsia.hw.units.shift_exp.core import NO_CLAMP, ShiftExp
from intarsia.hw.units.shiftgelu.lane import I_P_SHAPE, X_SHAPE, ShiftgeluLane, i_p, past


class Shiftgelu(Core):
    """out[r, k] = requantize(shiftgelu(x), b, c) of rows of int8, as in `model.integer.arithmetic`.

        I_p = x, or with `scaled` x + (x >> 1) + (x >> 3) + (x >> 4)
        m = row maximum of I_p, or with `element` max(I_p, 0)
        e1 = ShiftExp(I_p - m);  e2 = ShiftExp(-m);  s = min(e1 + e2, I31)
        sig = min((e1 * (I31 // s)) >> 24, 127); where s = 0 by the sign of x: 127, 64 or 0
        out = sat(RHE(x * sig * b / 2**c))

    One of e1 and e2 is common to all lanes, so each lane has one ShiftExp, and there is one more for
    all: with the row's maximum it makes e2; with the element's, one argument is -abs(I_p) and the
    other 0, which is the common one.

    Parameters
    ----------
    lanes : elements per beat, 1..256, a power of two
    max_length : longest row, which sizes the buffer

    Members
    -------
    command : rows, length (1..max_length), i0, n, lam (0: no left bound), scaled, element, b, c, and
        wide: sat_16, else sat_8. The forms of `arithmetic.GELU_FORMS` are settings of scaled,
        element, n and lam; scaled and element together are none of them
    i : signed(8) by lane; every row begins a beat, lanes behind its end are ignored
    result : signed(16) by lane, zeros behind a row's end

    Timing: arch.isa.Gelu.unit_cycles, the same for all forms. The first result leaves
    beats + DIVIDE + GELU_PIPELINE + 1 cycles after the command, then one beat per cycle, also from row
    to row. All stops together when a beat is missing or a result has no room.

    Range: exact for all x, b, c, lam, i0 in 1..2**23 and n in 1..31.
    """

    def __init__(self, *, lanes: int, max_length: int = 4096) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        if not 1 <= max_length < 1 << 16:
            raise ValueError(f"max_length must be in 1..65535, not {max_length}")
        self.lanes, self.max_length = lanes, max_length
        super().__init__(
            command=data.StructLayout(
                {
                    "rows": 16,
                    "length": 16,
                    "i0": 24,
                    "n": 5,
                    "lam": 16,
                    "scaled": 1,
                    "element": 1,
                    "b": signed(32),
                    "c": 6,
                    "wide": 1,
                }
            ),
            inputs={"i": data.ArrayLayout(X_SHAPE, lanes)},
            result=data.ArrayLayout(signed(16), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, command = self.lanes, self.command
        lane_bits = lanes.bit_length() - 1
        most_beats = -(-self.max_length // lanes)

        names = ("i0", "n", "scaled", "element", "b", "c", "wide")
        held = {
            name: Signal(command.shape()[name].shape, name=f"held_{name}", reset_less=True)
            for name in names
        }
        steps = Signal(11, reset_less=True)  # lam * n, where the low bits are all of lam
        clamps = Signal(reset_less=True)
        bound = Signal(6, reset_less=True)
        final = Signal(range(max(most_beats, 2)), reset_less=True)  # the number of a row's last beat
        outside = Signal(lanes, reset_less=True)  # lanes that a row's last beat leaves empty
        rows_after = Signal(16, reset_less=True)
        beat = Signal.like(final, reset_less=True)
        taking, last, busy = Signal(), Signal(), Signal()
        m.d.comb += [self.i_want.eq(taking), self.idle.eq(~busy), last.eq(beat == final)]
        m.d.sync += bound.eq(Mux(clamps & ~steps[6:].any(), steps[:6], NO_CLAMP))
        with m.If(self.start):
            tail = command.length[:lane_bits]
            m.d.sync += [register.eq(command[name]) for name, register in held.items()]
            m.d.sync += [
                steps.eq(command.lam[:6] * command.n),
                clamps.eq((command.lam != 0) & ~command.lam[6:].any()),
                final.eq((command.length - 1)[lane_bits:]),
                outside.eq(Cat((tail != 0) & (tail <= k) for k in range(lanes))),
                rows_after.eq(command.rows - 1),
                beat.eq(0),
                taking.eq(1),
                busy.eq(1),
            ]
        with m.Elif(taking):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            with m.If(last):
                m.d.sync += [rows_after.eq(rows_after - 1), taking.eq(rows_after != 0)]

        # First pass. Behind a row's end x is 0, so that the result is, but the maximum sees -128 there.
        x = Signal(self.input_shapes["i"], reset_less=True)
        empty = Signal(lanes, reset_less=True)
        m.d.sync += empty.eq(outside & last.replicate(lanes))
        m.submodules.highest = highest = Tree(leaves=lanes, shape=X_SHAPE, combine=maximum)
        for k in range(lanes):
            m.d.sync += x[k].eq(Mux(last & outside[k], 0, self.i[k]))
            m.d.comb += highest.leaf[k].eq(Cat(x[k][:-1], x[k][-1] | empty[k]).as_signed())
        to_root = 1 + TREE_STAGES
        first = past(m, "first", taking & (beat == 0), to_root)
        ended = past(m, "ended", taking & last, to_root + 1)
        so_far = Signal(X_SHAPE, reset_less=True)
        row_maximum = Signal(I_P_SHAPE, reset_less=True)  # I_p grows with x
        m.d.sync += so_far.eq(Mux(first[-1] | (highest.root > so_far), highest.root, so_far))
        with m.If(ended[-1]):
            m.d.sync += row_maximum.eq(i_p(so_far, held["scaled"]))

        # Second pass: begins early enough for I_p to meet the maximum; a row follows the other at once.
        m.submodules.common = common = ShiftExp(d_bits=I_P_SHAPE.width)
        m.d.sync += common.d.eq(Mux(held["element"], 0, -row_maximum))
        m.d.comb += [common.i0.eq(held["i0"]), common.n.eq(held["n"]), common.bound.eq(bound)]
        products = [ShiftgeluLane() for _ in range(lanes)]
        to_again = 1 + products[0].to_again
        to_result = 1 + products[0].latency
        reading = Signal()
        begun = ended[to_root - ShiftgeluLane.TO_I_P - 1]
        going = past(m, "going", reading, to_result)
        m.submodules.rows = rows = _Rows(x.shape(), most_beats + to_root + to_again)
        m.d.comb += [
            rows.push.eq(past(m, "x_valid", taking, 1)),
            rows.tail.eq(x),
            rows.pop.eq(reading),
            rows.pop_again.eq(going[to_again - 2]),
            self.result_valid.eq(going[-1]),
        ]
        with m.If(begun):
            m.d.sync += reading.eq(1)
        with m.Elif(rows.single):
            m.d.sync += reading.eq(0)
        with m.If(going[-2] & ~going[-3]):  # the command's last beat: there is no gap before
            m.d.sync += busy.eq(0)
        slot = Signal(range(products[0].divider.latency))
        m.d.sync += slot.eq(slot + 1)
        for k, lane in enumerate(products):
            m.submodules[f"lane{k}"] = lane
            m.d.comb += [getattr(lane, name).eq(register) for name, register in held.items()]
            m.d.comb += [
                lane.x.eq(rows.head[k]),
                lane.x_again.eq(rows.head_again[k]),
                lane.row_maximum.eq(row_maximum),
                lane.bound.eq(bound),
                lane.common.eq(common.e),
                lane.slot.eq(slot),
                self.result[k].eq(lane.o),
            ]
        return m


class _Rows(wiring.Component):
    """A queue that is read twice.

    Parameters
    ----------
    shape : of a word
    words : that wait at most, from `push` to `pop_again`

    Members
    -------
    push, tail : a word goes in
    pop, head : the next word, a cycle later;  pop_again, head_again : likewise, after `pop`
    single : `pop` takes the last word that is there
    """

    def __init__(self, shape: ShapeLike, words: int) -> None:
        self.words = words
        super().__init__(
            {
                "push": In(1),
                "tail": In(shape),
                "pop": In(1),
                "head": Out(shape),
                "pop_again": In(1),
                "head_again": Out(shape),
                "single": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = self.words.bit_length()
        m.submodules.words = words = memory.Memory(shape=self.tail.shape(), depth=1 << bits, init=[])
        tail, head, again = words.write_port(), words.read_port(), words.read_port()
        at_tail, at_head, at_again = Signal(bits), Signal(bits), Signal(bits)
        for port, moves, at in (
            (tail, self.push, at_tail),
            (head, self.pop, at_head),
            (again, self.pop_again, at_again),
        ):
            m.d.comb += [port.addr.eq(at), port.en.eq(moves)]
            with m.If(moves):
                m.d.sync += at.eq(at + 1)
        m.d.comb += [
            tail.data.eq(self.tail),
            self.head.eq(head.data),
            self.head_again.eq(again.data),
            self.single.eq((at_head + 1)[:bits] == at_tail),
        ]
        return m
