"""Shiftmax: softmax of int8 rows, a pass each for the maximum, the exponentials and the products."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, ShapeLike, Signal, Value, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.ports import UNCHECKED
from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.divide import SerialDivider
from intarsia.hw.lib.tree import MAX_LEAVES, TREE_STAGES, Tree, add, maximum
from intarsia.hw.units.shift_exp.core import ShiftExp

LOWEST = -128
E_BITS, F_BITS, P_BITS = 31, 46, 15
LIMB = 17
"""Bits of the limbs that a product is made of."""
HIGH_BITS = F_BITS - 2 * LIMB
_FACTOR = data.StructLayout({"low": LIMB, "middle": LIMB, "high": HIGH_BITS, "long": 1})
"""f as `_Product` wants it: high is f's third limb, or its second again where f has no third."""


class Shiftmax(Core):
    """p[r, k] = arithmetic.shiftmax of rows of int8 scores.

        d = x - max(row);  e = ShiftExp(d), n, lam = 1;  s = min(sum e, I31);  f = (2**R - 1) // s
        p = (e * f) >> (R - 15)

    Three passes over a row, of different rows at the same time. The first reads the scores and finds
    their maximum; the second takes them from a buffer again and makes and sums exponentials; the third
    takes those from another buffer. In between one divider makes the quotient of one row after the other.

    Parameters
    ----------
    lanes : scores per beat, 1..256, a power of two
    max_length : longest row, which sizes the buffers

    Members
    -------
    command : rows, length (1..max_length), i0, n, reciprocal_bits (R), narrow: p >> 8 instead of p
    i : signed(8) by lane; every row begins a beat, lanes behind its end are ignored
    result : signed(16) by lane, zeros behind a row's end

    Timing: arch.isa.Shiftmax.unit_cycles. Rows start max(beats, DIVIDE) cycles apart; the first result
    leaves 2 * beats + DIVIDE + SHIFTMAX_PIPELINE + 1 cycles after the command, then one beat per cycle
    of a row. All stops together when a beat is missing or a result has no room.

    Range: exact for all scores, i0 in 1..2**23, n in 1..31, R in 15..46.
    """

    def __init__(self, *, lanes: int, max_length: int = 4096) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        if not 1 <= max_length < 1 << 16:
            raise ValueError(f"max_length must be in 1..65535, not {max_length}")
        self.lanes, self.max_length = lanes, max_length
        super().__init__(
            command=data.StructLayout(
                {"rows": 16, "length": 16, "i0": 24, "n": 5, "reciprocal_bits": 6, "narrow": 1}
            ),
            inputs={"i": data.ArrayLayout(signed(8), lanes)},
            result=data.ArrayLayout(signed(16), lanes),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, command = self.lanes, self.command
        lane_bits = lanes.bit_length() - 1
        most_beats = -(-self.max_length // lanes)
        m.submodules.divider = divider = SerialDivider(dividend_bits=F_BITS, divisor_bits=E_BITS)

        i0, n = Signal(24), Signal(5)
        spare, shift = Signal(5), Signal(6)
        final = Signal(range(max(most_beats, 2)))  # the number of a row's last beat
        inside = Signal(lanes)  # lanes that a row's last beat fills
        rows_to_read, rows_to_give = Signal(16), Signal(16)
        with m.If(self.start):
            last = (command.length - 1)[:16]
            m.d.sync += [
                i0.eq(command.i0),
                n.eq(command.n),
                spare.eq(F_BITS - command.reciprocal_bits),
                shift.eq(command.reciprocal_bits - P_BITS + (command.narrow << 3)),
                final.eq(last[lane_bits:]),
                inside.eq(Cat(1, *(last[:lane_bits] >= k for k in range(1, lanes)))),
                rows_to_read.eq(command.rows),
                rows_to_give.eq(command.rows),
            ]

        # First pass: a row begins when the one before is read and the divider will be free for it.
        m.submodules.reading = reading = _Pass(len(final))
        gap = Signal(range(divider.interval))
        m.d.comb += [reading.final.eq(final), self.i_want.eq(reading.active)]
        m.d.comb += reading.begin.eq((rows_to_read != 0) & (gap == 0) & (~reading.active | reading.last))
        with m.If(reading.begin):
            m.d.sync += [rows_to_read.eq(rows_to_read - 1), gap.eq(divider.interval - 1)]
        with m.Elif(gap != 0):
            m.d.sync += gap.eq(gap - 1)

        x = Signal(self.input_shapes["i"], reset_less=True)
        m.submodules.highest = highest = Tree(leaves=lanes, shape=signed(8), combine=maximum)
        for k in range(lanes):
            m.d.sync += x[k].eq(Mux(reading.last & ~inside[k], LOWEST, self.i[k]))
            m.d.comb += highest.leaf[k].eq(x[k])
        to_root = 1 + TREE_STAGES
        begun = _delayed(m, "row_begun", reading.begin, to_root + 1)
        ended = _delayed(m, "row_ended", reading.last, to_root)
        so_far, row_maximum = Signal(signed(8), reset_less=True), Signal(signed(8), reset_less=True)
        higher = Signal(signed(8))
        m.d.comb += higher.eq(Mux(begun[-1], highest.root, maximum(highest.root, so_far)))
        m.d.sync += so_far.eq(higher)
        with m.If(ended[-1]):
            m.d.sync += row_maximum.eq(higher)

        # Second pass: it begins so that the first score leaves the buffer together with the maximum.
        m.submodules.exponents = exponents = _Pass(len(final))
        m.submodules.scores = scores = _Fifo(x.shape(), most_beats + to_root - _Fifo.LATENCY)
        m.d.comb += [
            exponents.final.eq(final),
            exponents.begin.eq(ended[-1 - _Fifo.LATENCY]),
            scores.push.eq(_delayed(m, "x_valid", reading.active, 1)),
            scores.tail.eq(x),
            scores.pop.eq(exponents.active),
        ]
        to_e = _Fifo.LATENCY + 1 + ShiftExp.LATENCY
        to_sum = to_e + TREE_STAGES + 2
        e_valid = _delayed(m, "e_valid", exponents.active, to_e)[-1]
        opens = _delayed(m, "sum_opens", exponents.begin, to_sum)
        closes = _delayed(m, "sum_closes", exponents.last, to_sum)
        e = Signal(data.ArrayLayout(unsigned(E_BITS), lanes))
        m.submodules.sum = lane_sum = Tree(leaves=lanes, shape=unsigned(E_BITS), combine=add)
        for k in range(lanes):
            m.submodules[f"shift_exp{k}"] = lane = ShiftExp(d_bits=9, positive=False)
            m.d.sync += lane.d.eq(scores.head[k] - row_maximum)
            m.d.comb += [lane.i0.eq(i0), lane.n.eq(n), lane.bound.eq(n)]  # lam = 1
            m.d.comb += e[k].eq(lane.e & (~closes[to_e - 1] | inside[k]).replicate(E_BITS))
            m.d.comb += lane_sum.leaf[k].eq(e[k])
        # The sum is at least 2, the exponential of the maximum: no division by 0.
        beat_sum, s = Signal(E_BITS, reset_less=True), Signal(E_BITS, reset_less=True)
        m.d.sync += beat_sum.eq(_saturated(lane_sum.root))
        m.d.sync += s.eq(_saturated(beat_sum + Mux(opens[-1], 0, s)))
        m.d.comb += [divider.start.eq(closes[-1]), divider.divisor.eq(s)]
        m.d.comb += divider.dividend.eq(Const((1 << F_BITS) - 1, F_BITS) >> spare)

        # Third pass: it takes f from the divider, which goes on to the next row.
        m.submodules.products = products = _Pass(len(final))
        wait = to_sum - to_e + divider.latency + 1
        m.submodules.exponentials = exponentials = _Fifo(e.shape(), most_beats + wait)
        m.d.comb += [
            products.final.eq(final),
            products.begin.eq(divider.done),
            exponentials.push.eq(e_valid),
            exponentials.tail.eq(e),
            exponentials.pop.eq(products.active),
        ]
        f, quotient = Signal(_FACTOR, reset_less=True), divider.quotient
        long = quotient[2 * LIMB :].any()
        with m.If(_delayed(m, "divided", divider.done, _Fifo.LATENCY)[-1]):
            m.d.sync += [
                f.low.eq(quotient[:LIMB]),
                f.middle.eq(quotient[LIMB : 2 * LIMB]),
                f.high.eq(Mux(long, quotient[2 * LIMB :], quotient[LIMB : LIMB + HIGH_BITS])),
                f.long.eq(long),
            ]
        for k in range(lanes):
            m.submodules[f"product{k}"] = product = _Product()
            m.d.comb += [
                product.e.eq(exponentials.head[k]),
                product.f.eq(f),
                product.shift.eq(shift),
                self.result[k].eq(product.p),
            ]
        to_result = _Fifo.LATENCY + _Product.LATENCY
        m.d.comb += self.result_valid.eq(_delayed(m, "p_valid", products.active, to_result)[-1])
        with m.If(products.last):
            m.d.sync += rows_to_give.eq(rows_to_give - 1)
        complete = _delayed(m, "complete", products.last & (rows_to_give == 1), to_result - 1)
        busy = Signal()
        m.d.comb += self.idle.eq(~busy)
        with m.If(self.start | complete[-1]):
            m.d.sync += busy.eq(self.start)
        return m


class _Pass(wiring.Component):
    """Counts the beats of one row after the other.

    Parameters
    ----------
    bits : width of `final`

    Members
    -------
    final : In(bits), number of a row's last beat, from 0
    begin : In(1), a row begins in the next cycle; not before the one with `last`
    active : Out(1), a beat of a row in this cycle;  last : Out(1), its last; both registers
    """

    def __init__(self, bits: int) -> None:
        super().__init__({"final": In(bits), "begin": In(1), "active": Out(1), "last": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        following = Signal.like(self.final, reset_less=True)
        with m.If(self.begin):
            m.d.sync += [self.active.eq(1), self.last.eq(self.final == 0), following.eq(1)]
        with m.Elif(self.active):
            m.d.sync += [self.active.eq(~self.last), self.last.eq(following == self.final)]
            m.d.sync += following.eq(following + 1)
        return m


class _Fifo(wiring.Component):
    """A ring in a memory. Nobody asks whether it is full or empty: the passes keep their distance.

    Members
    -------
    push : In(1), tail : In(shape);  pop : In(1), head : Out(shape), LATENCY = 2 cycles after `pop`:
        a memory's own output is late in the cycle
    """

    LATENCY = 2

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        self.shape, self.depth = shape, depth
        super().__init__({"push": In(1), "tail": In(shape), "pop": In(1), "head": Out(shape)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = ring = memory.Memory(
            shape=self.shape, depth=self.depth, init=[], attrs=UNCHECKED
        )
        write, read = ring.write_port(), ring.read_port()
        head = Signal(self.shape, reset_less=True)
        m.d.sync += head.eq(read.data)
        m.d.comb += [write.data.eq(self.tail), self.head.eq(head)]
        m.d.comb += [write.en.eq(self.push), read.en.eq(self.pop)]
        for port, moves in ((write, self.push), (read, self.pop)):
            at = Signal(range(self.depth), name="written" if port is write else "taken")
            m.d.comb += port.addr.eq(at)
            with m.If(moves):
                m.d.sync += at.eq(Mux(at == self.depth - 1, 0, at + 1))
        return m


class _Product(wiring.Component):
    """p = (e * f) >> shift, for e <= s and f = (2**R - 1) // s.

    So e * f < 2**46, and all is modulo 2**46. And where f has a third limb, e has but one, so that one
    small multiplier does for both products at 2**34:

        e * f = e0 * f0 + (e0 * f1 + e1 * f0) * 2**17 + (e0 * f2 + e1 * f1) * 2**34

    Members
    -------
    e : In(31), f : In(_FACTOR);  shift : In(6), stable
    p : Out(15)

    Timing: latency LATENCY = 3, one per cycle.
    """

    LATENCY = 3

    def __init__(self) -> None:
        super().__init__({"e": In(E_BITS), "f": In(_FACTOR), "shift": In(6), "p": Out(P_BITS)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        f, low, high = self.f, self.e[:LIMB], self.e[LIMB:]
        chosen = Mux(f.long, low[:HIGH_BITS], high[:HIGH_BITS])
        low_low = Signal(2 * LIMB, reset_less=True)
        low_middle, high_low = Signal(F_BITS - LIMB, reset_less=True), Signal(E_BITS, reset_less=True)
        top = Signal(HIGH_BITS, reset_less=True)
        product = Signal(F_BITS, reset_less=True)
        upper = Cat(low_low[LIMB:], top) + low_middle + high_low
        m.d.sync += [
            low_low.eq(low * f.low),
            low_middle.eq((low * f.middle)[: F_BITS - LIMB]),
            high_low.eq(high * f.low),
            top.eq((chosen * f.high)[:HIGH_BITS]),
            product.eq(Cat(low_low[:LIMB], upper[: F_BITS - LIMB])),
            self.p.eq((product >> self.shift)[:P_BITS]),
        ]
        return m


def _delayed(m: Module, name: str, bit: Value, cycles: int) -> Signal:
    """Bit k: `bit` k + 1 cycles ago."""
    history = Signal(cycles, name=name)
    m.d.sync += history.eq(Cat(bit, history)[:cycles])
    return history


def _saturated(value: Value) -> Value:
    """min(value, I31)."""
    return Mux(value >= 1 << E_BITS, (1 << E_BITS) - 1, value)[:E_BITS]
