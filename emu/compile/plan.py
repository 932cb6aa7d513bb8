"""What of a stack of blocks stays on chip, and in which pieces it is worked on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from intarsia.arch.duration import ISSUE, bytes_per_cycle, cycles
from intarsia.arch.isa import Layernorm, Layout, Matmul, Residual, Shiftmax
from intarsia.arch.machine import Machine
from intarsia.emu.compile.arena import Sharing
from intarsia.emu.compile.matrix import row_blocks
from intarsia.model.errors import InputError

QUERIES = (128, 64, 32, 16, 8)
"""Rows of a query block that are tried: more rows hide the array's start, fewer need less memory."""

LEAST_ROWS = 16

DRAM_WEIGHT = 2
"""Of a memory cycle against one of the array, when plans are compared."""

MORE_BLOCKS = 4
"""How many more row blocks than necessary are tried: smaller ones group better."""


Residence = tuple[int, bool, Sharing]
"""As `Plan.residual`."""


@dataclass(frozen=True)
class Stream:
    """Attention whose q, k and v come from DRAM.

    keys: rows of k that are on chip at once;  values: columns of v, of all rows: a multiple of 16, or
    all there are;  buffers: of everything that comes by turns, 2 or, to save memory, 1.
    """

    keys: int
    values: int
    buffers: int


@dataclass(frozen=True)
class Plan:
    """Choices for a stack of identical transformer blocks.

    block_rows: rows of the blocks that linear operators and row units work on;  queries: rows of an
    attention block;  x_resident, a_resident, mix_resident: whether the residual, the normalized
    input and the heads' outputs live on chip;  evict: the residual leaves during attention;
    project_group, mlp_group: row blocks that share one pass over the weights;  stream: how keys and
    values pass through the chip, None: those of a head are all there;  sharing: of banks.
    """

    tokens: int
    block_rows: int
    queries: int
    x_resident: bool = True
    a_resident: bool = True
    mix_resident: bool = True
    evict: bool = False
    project_group: int = 1
    mlp_group: int = 1
    stream: Stream | None = None
    sharing: Sharing = Sharing.NONE

    @cached_property
    def blocks(self) -> int:
        """Number of row blocks."""
        return len(row_blocks(self.tokens, self.block_rows))

    @cached_property
    def query_blocks(self) -> int:
        """Number of query blocks of a head; none spans two row blocks."""
        return sum(
            len(row_blocks(rows, self.queries)) for _, rows in row_blocks(self.tokens, self.block_rows)
        )

    @property
    def residual(self) -> Residence:
        """Rows of a block, whether it is on chip, and how: blocks that follow each other agree on it."""
        return self.block_rows, self.x_resident, self.sharing

    @property
    def spills(self) -> list[str]:
        """Which tensors leave the chip, and when."""
        found = []
        if not self.x_resident:
            found.append("residual: lives in DRAM")
        elif self.evict:
            found.append("residual: in DRAM during attention")
        if not self.a_resident:
            found.append("LayerNorm outputs: live in DRAM")
        if not self.mix_resident:
            found.append("attention outputs: live in DRAM")
        if self.stream:
            found.append(f"q, k, v of a head: in DRAM, read for every {self.queries} queries")
        if self.project_group < self.blocks:
            found.append(f"weights of proj: read {-(-self.blocks // self.project_group)} times")
        if self.mlp_group < self.blocks:
            found.append(f"weights of fc1 and fc2: read {-(-self.blocks // self.mlp_group)} times")
        return found


def parts(count: int, size: int) -> list[int]:
    """`count` in parts of `size`; the last may be smaller."""
    return [min(size, count - first) for first in range(0, count, size)]


@dataclass(frozen=True)
class Costs:
    """What a block of this shape takes on this machine: to compare plans with."""

    embed: int
    hidden: int
    heads: int
    wide: bool
    """16-bit probabilities, which take two passes."""
    machine: Machine
    width: int
    """Channels of a head."""

    def total(self, plan: Plan) -> float:
        """Cycles of the array and of the waits for row units, plus those of the memory port, twice.

        They overlap, so this is no prediction. But it lets neither grow without bound to save a
        little of the other: small query blocks waste the array, large ones push tensors to DRAM.
        DRAM counts twice because a byte from there costs the energy of hundreds of MACs.
        """
        memory = self.dram(plan) / bytes_per_cycle(self.machine)
        return self.array(plan) + self.exposed(plan) + self.streaming(plan) + DRAM_WEIGHT * memory

    def array(self, plan: Plan) -> int:
        """Cycles of all matrix products, by the durations of their instructions."""
        width, inner = self.width, self.heads * self.width
        spent = 0
        for count, times in Counter(rows for _, rows in row_blocks(plan.tokens, plan.block_rows)).items():
            each = 0
            for n, k in ((self.embed, self.hidden), (self.hidden, self.embed), (self.embed, inner)):
                each += self._product(count, n, k, Layout.PACKED)
            each += 3 * self.heads * self._product(count, width, self.embed, Layout.PACKED)
            for queries, blocks in Counter(rows for _, rows in row_blocks(count, plan.queries)).items():
                each += self.heads * blocks * self._attend(plan, queries)
            spent += times * each
        return spent

    def _attend(self, plan: Plan, queries: int) -> int:
        """Cycles of both products of a query block of one head."""
        tokens, width = plan.tokens, self.width
        keys, values = (plan.stream.keys, plan.stream.values) if plan.stream else (tokens, width)
        spent = 0
        for count, times in Counter(parts(tokens, keys)).items():
            spent += times * self._product(queries, count, width, Layout.LANE_MAJOR)
        for count, times in Counter(parts(width, values)).items():
            spent += times * self._product(queries, count, tokens, Layout.DEPTH_MAJOR, x16=self.wide)
        return spent

    def streaming(self, plan: Plan) -> float:
        """Cycles of the memory port for q, k and v of all heads, and of waits where nothing takes turns."""
        stream = plan.stream
        if stream is None:
            return 0.0
        machine, tokens, width = self.machine, plan.tokens, self.width
        moved, loads = 2 * tokens * width, plan.query_blocks
        for all_there, size, line in ((tokens, stream.keys, width), (width, stream.values, tokens)):
            chunks = -(-all_there // size)
            if chunks > 1:
                again = max(0, chunks - stream.buffers)  # the last ones of a block are the next one's first
                loads += chunks + again * (plan.query_blocks - 1)
                moved += 2 * tokens * width + again * size * line * (plan.query_blocks - 1)
        port = moved / bytes_per_cycle(machine) + loads * (ISSUE + machine.memory_latency)
        waits = 0.0
        if stream.buffers == 1:
            queries = min(plan.queries, plan.block_rows)
            shiftmax = cycles(Shiftmax(0, 0, queries, tokens, 0, 0, 0), machine)
            waits = port + plan.query_blocks * shiftmax
        return self.heads * (DRAM_WEIGHT * port + waits)

    def exposed(self, plan: Plan) -> int:
        """Cycles in which the array waits for the last row block to pass the row units."""
        rows = min(plan.block_rows, plan.tokens)
        norm = cycles(Layernorm(0, 0, 0, rows, self.embed, 0, 0, 0), self.machine)
        return norm + cycles(Residual(0, 0, 0, rows, self.embed, 0, 0, 0, 0), self.machine)

    def _product(self, m: int, n: int, k: int, layout: Layout, *, x16: bool = False) -> int:
        return cycles(Matmul(0, 0, 0, m, k, n, 0, 0, 0, layout, x16=x16), self.machine)

    def dram(self, plan: Plan) -> int:
        """DRAM bytes beyond what every plan moves."""
        rows = plan.tokens * self.embed
        project = -(-plan.blocks // plan.project_group)
        mlp = -(-plan.blocks // plan.mlp_group)
        moved = project * self.embed**2 + mlp * 2 * self.embed * self.hidden
        if not plan.x_resident:
            moved += 6 * 2 * rows  # read by both norms, read and written by both residuals
        elif plan.evict:
            moved += 2 * 2 * rows
        if not plan.a_resident:
            moved += (1 + self.heads) * rows
        if not plan.mix_resident:
            moved += (1 + project) * rows
        return moved


def modes(tokens: int, machine: Machine) -> Iterator[Plan]:
    """What may live where, and in how many row blocks."""
    # Two blocks at least: units work on one while the array is at the other.
    fewest = max(2, -(-tokens // machine.accumulator_rows))
    for count in range(fewest, fewest + MORE_BLOCKS + 1):
        plan = Plan(tokens, -(-tokens // count), QUERIES[0])
        yield plan
        yield replace(plan, evict=True)
        yield replace(plan, x_resident=False)
    rows = min(machine.accumulator_rows, -(-tokens // 2))
    while True:
        yield Plan(tokens, rows, QUERIES[0], x_resident=False, a_resident=False, mix_resident=False)
        if rows <= LEAST_ROWS:
            return
        rows = max(rows // 2, LEAST_ROWS)


def choose(
    tokens: int,
    machine: Machine,
    costs: Costs,
    attempt: Callable[[Plan, str], None],
    residual: Residence | None = None,
) -> Plan | None:
    """The plan that costs least among those that fit; `attempt(plan, phase)` raises where one does not.

    residual: only plans with this `Plan.residual`.
    """
    best: Plan | None = None
    for plan in modes(tokens, machine):
        if residual not in (None, plan.residual):
            continue
        whole = replace(plan, project_group=plan.blocks, mlp_group=plan.blocks)
        if best and costs.total(whole) >= costs.total(best):
            continue  # not even with the largest query blocks and all weights read once
        try:
            queries = [q for q in QUERIES if q <= plan.block_rows] or [plan.block_rows]
            plan = _first(attempt, "attention", [replace(plan, queries=q) for q in queries])
            groups = group_sizes(plan.blocks)
            plan = _first(attempt, "project", [replace(plan, project_group=g) for g in groups])
            plan = _first(attempt, "mlp", [replace(plan, mlp_group=g) for g in groups])
            attempt(plan, "ends")
        except InputError:
            continue
        if best is None or costs.total(plan) < costs.total(best):
            best = plan
    return best


def _first(attempt: Callable[[Plan, str], None], phase: str, options: list[Plan]) -> Plan:
    for option in options[:-1]:
        try:
            attempt(option, phase)
            return option
        except InputError:
            continue
    attempt(options[-1], phase)
    return options[-1]


def group_sizes(blocks: int) -> list[int]:
    """Group sizes by the number of passes: all blocks at once, in two parts, ..."""
    sizes = dict.fromkeys(-(-blocks // passes) for passes in range(1, blocks + 1))
    return list(sizes)
