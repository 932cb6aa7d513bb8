"""The label of every row of scores: the index of its first maximum."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.lib.tree import MAX_LEAVES, TREE_STAGES, less

LOWEST = -(2**15)

Candidate = tuple[Value, Value | None]
"""A score and the lane that it came from; None before the first level of the tree."""


class Argmax(Core):
    """label[r] = the smallest k < length with score[r, k] = max over the row.

    Parameters
    ----------
    lanes : scores per beat, 1..256, a power of two

    Members
    -------
    command : {rows : 16, length : 16}, both at least 1
    i : signed(16) by lane; every row begins a beat, lanes behind its end are ignored
    result : unsigned(16), a label per row

    Timing: a beat of scores per cycle. The label of a row leaves LATENCY cycles after the row's last
    beat: one to blank the lanes behind the end, four for the tree, one for the best so far.

    Range: all scores, all lengths.
    """

    LATENCY = TREE_STAGES + 2

    def __init__(self, *, lanes: int) -> None:
        if not 1 <= lanes <= MAX_LEAVES or lanes & (lanes - 1):
            raise ValueError(f"lanes must be a power of two in 1..{MAX_LEAVES}, not {lanes}")
        self.lanes = lanes
        super().__init__(
            command=data.StructLayout({"rows": 16, "length": 16}),
            inputs={"i": data.ArrayLayout(signed(16), lanes)},
            result=unsigned(16),
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        lane_bits = self.lanes.bit_length() - 1
        running = Signal()
        rows_left = Signal(16)
        beats = Signal(16 - lane_bits)
        beats_left = Signal.like(beats)
        last_lane = Signal(lane_bits)
        ends = Signal()
        valid_at = Signal(TREE_STAGES + 1)
        ends_at = Signal(TREE_STAGES + 1)
        last_index = Signal(16)
        m.d.comb += [
            self.idle.eq(~running & ~valid_at.any()),
            self.i_want.eq(running),
            ends.eq(running & (beats_left == 0)),
            last_index.eq(self.command.length - 1),
        ]
        with m.If(self.start):
            m.d.sync += [
                running.eq(1),
                rows_left.eq(self.command.rows),
                beats.eq(last_index[lane_bits:]),
                beats_left.eq(last_index[lane_bits:]),
                last_lane.eq(last_index[:lane_bits]),
            ]
        with m.Elif(ends):
            m.d.sync += [beats_left.eq(beats), rows_left.eq(rows_left - 1), running.eq(rows_left != 1)]
        with m.Elif(running):
            m.d.sync += beats_left.eq(beats_left - 1)
        m.d.sync += [
            valid_at.eq(Cat(running, valid_at[:-1])),
            ends_at.eq(Cat(ends, ends_at[:-1])),
        ]

        leaves: list[Candidate] = []
        for k in range(self.lanes):
            score = Signal(signed(16), name=f"score_{k}", reset_less=True)
            # The lowest score behind the end never wins: an equal one stands before it.
            behind = (ends & (k > last_lane)) if k else Const(0)
            m.d.sync += score.eq(Mux(behind, LOWEST, self.i[k]))
            leaves.append((score, None))
        value, lane = self._first_maximum(m, leaves)

        best = Signal(signed(16), reset_less=True)
        beat = Signal.like(beats)
        fresh = Signal(init=1)
        with m.If(valid_at[-1]):
            m.d.sync += [fresh.eq(ends_at[-1]), beat.eq(Mux(ends_at[-1], 0, beat + 1))]
            with m.If(fresh | less(best, value)):
                m.d.sync += [best.eq(value), self.result.eq(beat if lane is None else Cat(lane, beat))]
        m.d.sync += self.result_valid.eq(ends_at[-1])
        return m

    def _first_maximum(self, m: Module, candidates: list[Candidate]) -> Candidate:
        """A tree of TREE_STAGES registers, each behind the first of four, whatever the number of lanes."""
        for stage in range(TREE_STAGES):
            groups = [candidates[k : k + 4] for k in range(0, len(candidates), 4)]
            candidates = []
            for k, group in enumerate(groups):
                value, lane = self._first_of_four(m, group, f"{stage}_{k}")
                value_register = Signal(signed(16), name=f"value_{stage}_{k}", reset_less=True)
                m.d.sync += value_register.eq(value)
                lane_register = None
                if lane is not None:
                    lane_register = Signal.like(lane, name=f"lane_{stage}_{k}", reset_less=True)
                    m.d.sync += lane_register.eq(lane)
                candidates.append((value_register, lane_register))
        return candidates[0]

    def _first_of_four(self, m: Module, group: list[Candidate], name: str) -> Candidate:
        """Of four, two or one. All are compared at once: the second comparison of a tree would have to
        wait for the first."""
        larger: dict[tuple[int, int], Value] = {}
        for a, b in combinations(range(len(group)), 2):
            larger[a, b] = Signal(name=f"larger_{name}_{b}_{a}")
            m.d.comb += larger[a, b].eq(less(group[a][0], group[b][0]))
        if len(group) == 1:
            return group[0]
        if len(group) == 2:
            return _either(larger[0, 1], group[0], group[1])
        low, high = larger[0, 1], larger[2, 3]
        second_pair = Signal(name=f"larger_{name}_pair")
        m.d.comb += second_pair.eq(
            Mux(low, Mux(high, larger[1, 3], larger[1, 2]), Mux(high, larger[0, 3], larger[0, 2]))
        )
        return _either(second_pair, _either(low, *group[:2]), _either(high, *group[2:]))


def _either(second: Value, a: Candidate, b: Candidate) -> Candidate:
    """The lane gets a bit on top: which of the two it was."""
    value = Mux(second, b[0], a[0])
    if a[1] is None or b[1] is None:
        return value, second
    return value, Cat(Mux(second, b[1], a[1]), second)
