"""Labels repeated along a row: nearest-neighbour upsampling in one direction."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.tree import MAX_LEAVES

SUM_STAGES = 3
LEVELS_PER_STAGE = 3
"""8 levels are a prefix sum over 256 lanes; each adds numbers of up to 8 bits."""
STAGES = SUM_STAGES + 1
"""From the counters to the label of every lane: the marks, their sums."""


class Expand(Core):
    """target[r, i * factor + j] = source[r, i] for i < length, j < factor; zeros behind the row's end.

    A beat of `lanes` labels makes exactly `factor` beats of results. In each of them the label of lane
    0 fills `gap` lanes, or all; from there on every `factor` lanes the next label begins. These lanes
    are marked, and the number of marks up to a lane says which label it takes. From one beat to the
    next the gap shrinks by lanes mod factor, or, where it is used up by that, grows by the rest of a
    factor. So nothing is divided but `lanes`, a constant, by the factors up to it.

    Parameters
    ----------
    lanes : labels per beat, 1..256, a power of two

    Members
    -------
    command : {rows : 16, length : 16, factor : 16}, all at least 1
    i : unsigned(16) by lane; every row begins a beat, lanes behind its end are ignored
    result : unsigned(16) by lane; every row begins a beat

    Timing: a beat of results per cycle, the first one LATENCY cycles after `start`. A beat of labels
    is taken two cycles before its first result.

    Range: all labels, lengths and factors, also where length * factor exceeds 16 bits.
    """

    LATENCY = STAGES + 2

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        self.lanes, self.lane_bits = lanes, lanes.bit_length() - 1
        labels = data.ArrayLayout(unsigned(16), lanes)
        super().__init__(
            command=data.StructLayout({"rows": 16, "length": 16, "factor": 16}),
            inputs={"i": labels},
            result=labels,
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lanes, lane_bits = self.lanes, self.lane_bits
        running = Signal()
        ends = Signal()  # with this beat of results all of a beat of labels has left
        gap = Signal(16)
        label = Signal(lane_bits)  # of lane 0
        labels_left = Signal(range(lanes + 1))  # of the beat, with that of lane 0
        step = _Step(lanes)
        step.take(m, self.start, self.command.factor)

        # Where the next beat of results begins.
        used_up = Signal()
        rest = Signal(signed(lane_bits + 2))
        m.d.comb += [
            used_up.eq(gap <= step.shift),
            rest.eq(labels_left - step.whole),
            ends.eq((rest <= 0) | ((rest == 1) & used_up)),
        ]
        next_gap = Mux(used_up, gap + step.grow, gap - step.shift)
        next_label = label + step.whole + used_up

        # Rows and their beats of labels.
        rows_left = Signal(16)
        beats = Signal(16 - lane_bits)
        beats_left = Signal(16 - lane_bits)
        last_lane = Signal(lane_bits)
        first = Signal()
        last = Signal()
        next_last = Signal()
        last_index = Signal(16)
        m.d.comb += [
            next_last.eq(Mux(last, beats == 0, beats_left == 1)),
            last_index.eq(self.command.length - 1),
        ]
        with m.If(self.start):
            m.d.sync += [
                running.eq(1),
                rows_left.eq(self.command.rows),
                beats.eq(last_index[lane_bits:]),
                beats_left.eq(last_index[lane_bits:]),
                last_lane.eq(last_index[:lane_bits]),
                first.eq(1),
                last.eq(last_index[lane_bits:] == 0),
                gap.eq(self.command.factor),
                label.eq(0),
                labels_left.eq(Mux(last_index[lane_bits:] == 0, last_index[:lane_bits] + 1, lanes)),
            ]
        with m.Elif(running & ends):
            m.d.sync += [
                first.eq(1),
                last.eq(next_last),
                gap.eq(step.factor),
                label.eq(0),
                labels_left.eq(Mux(next_last, last_lane + 1, lanes)),
                beats_left.eq(Mux(last, beats, beats_left - 1)),
                rows_left.eq(rows_left - last),
                running.eq(~last | (rows_left != 1)),
            ]
        with m.Elif(running):
            m.d.sync += [
                first.eq(0),
                gap.eq(next_gap),
                label.eq(next_label),
                labels_left.eq(rest - used_up),
            ]

        # The beat of labels arrives together with the label that every lane takes of it.
        valid_at = Signal(STAGES)
        first_at = Signal(STAGES - 1)
        last_at = Signal(STAGES - 1)
        labels = Signal(16 * lanes, reset_less=True)
        m.d.comb += [self.idle.eq(~running & ~valid_at.any()), self.i_want.eq(first_at[-1])]
        m.d.sync += [
            valid_at.eq(Cat(running, valid_at[:-1])),
            first_at.eq(Cat(running & first, first_at[:-1])),
            last_at.eq(Cat(last, last_at[:-1])),
            self.result_valid.eq(valid_at[-1]),
        ]
        with m.If(self.i_want):
            behind = [last_at[-1] & (k > last_lane) for k in range(1, lanes)]
            kept = [Mux(behind[k - 1], 0, self.i[k]) for k in range(1, lanes)]
            m.d.sync += labels.eq(Cat(self.i[0], *kept))
        for k, taken in enumerate(self._taken(m, label, gap, step.pattern)):
            m.d.sync += self.result[k].eq(labels.word_select(taken, 16))
        return m

    def _taken(self, m: Module, label: Value, gap: Value, pattern: Value) -> list[Value]:
        """Which label every lane takes, STAGES cycles later."""
        marks: Value = pattern
        for bit in range(self.lane_bits):
            marks = Mux(gap[bit], Cat(Const(0, 1 << bit), marks)[: self.lanes], marks)
        marked = Signal(self.lanes - 1, reset_less=True)  # lane 0 never is
        first_label = Signal.like(label, reset_less=True)
        m.d.sync += [marked.eq(Mux(gap[self.lane_bits :].any(), 0, marks[1:])), first_label.eq(label)]

        sums: list[Value] = [first_label, *marked]
        for stage in range(SUM_STAGES):
            for level in range(LEVELS_PER_STAGE * stage, LEVELS_PER_STAGE * (stage + 1)):
                reach = 1 << level
                added = [(a + b)[: self.lane_bits] for a, b in zip(sums, sums[reach:], strict=False)]
                sums[reach:] = added
            for k, value in enumerate(sums):
                register = Signal(len(value), name=f"sum_{stage}_{k}", reset_less=True)
                m.d.sync += register.eq(value)
                sums[k] = register
        return sums


class _Step:
    """What a factor makes of `lanes`, kept for a command.

    factor : as the command says
    whole, shift : quotient and remainder of lanes / factor
    grow : factor - shift
    pattern : bit k is set where k is a multiple of factor, k < lanes
    """

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.factor = Signal(16)
        self.whole = Signal(range(lanes + 1))
        self.shift = Signal(range(lanes + 1))
        self.grow = Signal(16)
        self.pattern = Signal(lanes)

    def take(self, m: Module, start: Value, factor: Value) -> None:
        lanes = self.lanes
        with m.If(start):
            m.d.sync += self.factor.eq(factor)
            with m.Switch(factor):
                for divisor in range(1, lanes + 1):
                    with m.Case(divisor):
                        whole, shift = divmod(lanes, divisor)
                        pattern = sum(1 << k for k in range(0, lanes, divisor))
                        m.d.sync += [
                            self.whole.eq(whole),
                            self.shift.eq(shift),
                            self.grow.eq(divisor - shift),
                            self.pattern.eq(pattern),
                        ]
                with m.Default():
                    m.d.sync += [
                        self.whole.eq(0),
                        self.shift.eq(lanes),
                        self.grow.eq(factor - lanes),
                        self.pattern.eq(1),
                    ]
