"""What of a stack of blocks stays on chip, and in which pieces it is worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from emu.compile.context import row_blocks
from emu.duration import bytes_per_cycle, cycles
from emu.isa import Layernorm, Layout, Matmul, Residual
from emu.machine import Machine
from model.errors import InputError

QUERIES = (128, 64, 32, 16, 8)
"""Rows of a query block that are tried: more rows hide the array's start, fewer need less memory."""

LEAST_ROWS = 16

DRAM_WEIGHT = 2
"""Of a memory cycle against one of the array, when plans are compared."""

MORE_BLOCKS = 4
"""How many more row blocks than necessary are tried: smaller ones group better."""


@dataclass(frozen=True)
class Plan:
    """Choices for a stack of identical transformer blocks.

    block_rows: rows of the blocks that linear operators and row units work on;  queries: rows of an
    attention block;  x_resident, a_resident, mix_resident: whether the residual, the normalized
    input and the heads' outputs live on chip;  evict: the residual leaves during attention;
    project_group, mlp_group: row blocks that share one pass over the weights.
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

    @cached_property
    def blocks(self) -> int:
        """Number of row blocks."""
        return len(row_blocks(self.tokens, self.block_rows))

    @property
    def residual(self) -> tuple[int, bool]:
        """Rows of a block and whether it is on chip: blocks that follow each other must agree on these."""
        return self.block_rows, self.x_resident

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
        if self.project_group < self.blocks:
            found.append(f"weights of proj: read {-(-self.blocks // self.project_group)} times")
        if self.mlp_group < self.blocks:
            found.append(f"weights of fc1 and fc2: read {-(-self.blocks // self.mlp_group)} times")
        return found


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
        return self.array(plan) + self.exposed(plan) + DRAM_WEIGHT * memory

    def array(self, plan: Plan) -> int:
        """Cycles of all matrix products, by the durations of their instructions."""
        tokens, width, inner = plan.tokens, self.width, self.heads * self.width
        rows = [count for _, count in row_blocks(tokens, plan.block_rows)]
        spent = 0
        for count in rows:
            for n, k in ((self.embed, self.hidden), (self.hidden, self.embed), (self.embed, inner)):
                spent += self._product(count, n, k, Layout.PACKED)
            spent += 3 * self.heads * self._product(count, width, self.embed, Layout.PACKED)
            for _, queries in row_blocks(count, plan.queries):
                spent += self.heads * self._product(queries, tokens, width, Layout.LANE_MAJOR)
                spent += self.heads * self._product(
                    queries, width, tokens, Layout.DEPTH_MAJOR, x16=self.wide
                )
        return spent

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
    residual: tuple[int, bool] | None = None,
) -> Plan:
    """The plan that costs least among those that fit; `attempt(plan, phase)` raises where one does not.

    The error of the most frugal plan is what the caller sees when none does. residual: only plans
    with this `Plan.residual`.
    """
    best: Plan | None = None
    problem: InputError | None = None
    for plan in modes(tokens, machine):
        if residual not in (None, plan.residual):
            continue
        whole = replace(plan, project_group=plan.blocks, mlp_group=plan.blocks)
        if best and costs.total(whole) >= costs.total(best):
            continue  # not even with the largest query blocks and all weights read once
        try:
            queries = [q for q in QUERIES if q <= plan.block_rows] or [plan.block_rows]
            plan = _first(attempt, "attention", [replace(plan, queries=q) for q in queries])
            groups = _groups(plan.blocks)
            plan = _first(attempt, "project", [replace(plan, project_group=g) for g in groups])
            plan = _first(attempt, "mlp", [replace(plan, mlp_group=g) for g in groups])
        except InputError as error:
            problem = error
            continue
        if best is None or costs.total(plan) < costs.total(best):
            best = plan
    if best is None:
        assert problem is not None
        raise problem
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


def _groups(blocks: int) -> list[int]:
    """Group sizes by the number of passes: all blocks at once, in two parts, ..."""
    sizes = dict.fromkeys(-(-blocks // passes) for passes in range(1, blocks + 1))
    return list(sizes)
