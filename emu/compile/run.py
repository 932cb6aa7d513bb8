"""Runs of alike blocks, each of which one segment computes; together they are a stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import NamedTuple

from intarsia.arch.machine import Machine
from intarsia.emu.compile.arena import Arena, Sharing
from intarsia.emu.compile.block import Constants
from intarsia.emu.compile.blocks import Block
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.frugal import PHASES, choose_frugal, frugal_modes, least
from intarsia.emu.compile.layout import Layout, padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.names import Listed, labels_of_parts
from intarsia.emu.compile.plan import Costs, Plan, Residence, choose
from intarsia.emu.compile.stack import Stack
from intarsia.emu.compile.streamed import PARTS_KEPT
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, Node

STRUCTURE = ("out_bits", "heads", "form")
"""Attributes that decide more than the content of a parameter word."""


class _Placed(NamedTuple):
    block: Block
    kind: tuple[object, ...]
    start: int
    constants: Constants


@dataclass(frozen=True)
class Run:
    """Blocks that follow each other and differ in numbers only.

    kind: what they have in common;  base, step: DRAM address of the first block's constants, and from
    each to the next;  constants: addresses relative to it;  spill: DRAM addresses of spilled tensors;
    labels, listed: see `labels_of_parts`.
    """

    name: str
    stack: str
    tokens: int
    blocks: tuple[Block, ...]
    kind: tuple[object, ...]
    base: int
    step: int
    constants: Constants
    spill: dict[str, int]
    labels: dict[str, str]
    listed: Listed

    def residual(self, plan: Plan) -> Matrix:
        """The residual stream with this plan."""
        embed, rows = self.constants.proj.outputs, plan.block_rows
        name = f"{self.stack} residual"
        return Matrix(name, self.tokens, embed, "int16", rows, self.spill["x"], plan.x_resident)

    def keep(self, layout: Layout, plan: Plan) -> None:
        """Take place in DRAM for what only this plan spills."""
        if plan.stream:
            size = PARTS_KEPT * self.tokens * padded(self.constants.qkv[0][0].outputs, 16)
            self.spill["qkv"] = layout.place(f"{self.name} qkv", size, "activations")

    def block(self, context: Context, plan: Plan, x: Matrix) -> Stack:
        """What emits one of the blocks."""
        return Stack(context, self.labels, self.blocks[0], self.constants, plan, x, self.spill)


def place_runs(layout: Layout, stack: str, tokens: int, blocks: Sequence[Block]) -> list[Run]:
    """The runs of a stack; their constants and what they spill take their places in DRAM."""
    graph = layout.graph
    placed = []
    for block in blocks:
        start = layout.size
        constants = Constants.place(layout, block.nodes, start)
        placed.append(_Placed(block, _kind(graph, block), start, constants))
    embed = graph.output(blocks[0].nodes["residual2"]).shape[1]
    mixed = max(one.constants.proj.inputs for one in placed)
    spill = {
        "x": layout.place(f"{stack} residual", tokens * padded(2 * embed, 16), "activations"),
        "a": layout.place(f"{stack} normalized", tokens * padded(embed, 16), "activations"),
        "mix": layout.place(f"{stack} mixed", tokens * mixed, "activations"),
    }
    runs, first = [], 0
    for kind, group in groupby(placed, key=lambda one: (one.kind, one.constants)):
        alike = list(group)
        names = {part: [one.block.nodes[part].name for one in alike] for part in alike[0].block.nodes}
        labels, listed = labels_of_parts(names)
        whole = len(alike) == len(blocks)
        runs.append(
            Run(
                stack if whole else f"{stack}[{first}:{first + len(alike)}]",
                stack,
                tokens,
                tuple(one.block for one in alike),
                kind,
                alike[0].start,
                alike[1].start - alike[0].start if len(alike) > 1 else 0,
                alike[0].constants,
                dict(spill),
                labels,
                listed,
            )
        )
        first += len(alike)
    return runs


def _kind(graph: Graph, block: Block) -> tuple[object, ...]:
    """All of a block but its names and numbers: equal for blocks that one segment can compute."""

    def of_node(node: Node) -> tuple[object, ...]:
        chosen = [(key, node.attributes[key]) for key in STRUCTURE if key in node.attributes]
        shapes = [(role, graph.constants[key].shape) for role, key in sorted(node.constants.items())]
        return node.op, tuple(chosen), tuple(shapes)

    return block.swapped, tuple((part, of_node(node)) for part, node in block.nodes.items())


class Planner:
    """Chooses plans for runs. Those of a stack agree on where the residual lies between them."""

    def __init__(self, machine: Machine, ends: Callable[[Context, Run, Matrix], None]) -> None:
        """ends(context, run, residual): raises InputError where what is around a stack does not fit."""
        self.machine, self.ends = machine, ends
        self._known: dict[tuple[object, ...], Plan | InputError] = {}

    def plans(self, runs: Sequence[Run]) -> list[Plan]:
        """One plan per run of a stack: that which is best for each, or together where these disagree."""
        best = [self._plan(run) for run in runs]
        wanted = list(dict.fromkeys(plan.residual for plan in best))
        if len(wanted) == 1:
            return best
        others = dict.fromkeys(plan.residual for plan in frugal_modes(runs[0].tokens, self.machine))
        for residuals in (wanted, list(others)):
            found = list(self._together(runs, residuals))
            if found:
                return min(found, key=lambda plans: self._total(runs, plans))
        return [self._plan(run, next(reversed(others))) for run in runs]  # the most frugal: raises

    def _together(self, runs: Sequence[Run], residuals: Sequence[Residence]) -> Iterator[list[Plan]]:
        for residual in residuals:
            try:
                yield [self._plan(run, residual) for run in runs]
            except InputError:
                continue

    def _total(self, runs: Sequence[Run], plans: Sequence[Plan]) -> float:
        pairs = zip(runs, plans, strict=True)
        return sum(len(run.blocks) * self._costs(run).total(plan) for run, plan in pairs)

    def _plan(self, run: Run, residual: Residence | None = None) -> Plan:
        key = (run.tokens, run.kind, residual)
        if key not in self._known:
            attempt = partial(self._attempt, run)
            try:
                given = run.tokens, self.machine, self._costs(run), attempt, residual
                found: Plan | InputError = choose(*given) or choose_frugal(*given)
            except InputError as error:
                found = error
            self._known[key] = found
        known = self._known[key]
        if isinstance(known, InputError):
            raise known
        return known

    def fits(self, run: Run) -> bool:
        """Whether a run finds room with the most frugal plan."""
        plan = least(run.tokens, self._costs(run))
        try:
            for phase in PHASES:
                self._attempt(run, plan, phase)
        except InputError:
            return False
        return True

    def _costs(self, run: Run) -> Costs:
        constants, nodes = run.constants, run.blocks[0].nodes
        return Costs(
            constants.proj.outputs,
            constants.fc1.outputs,
            len(constants.qkv),
            nodes["shiftmax"].integer("out_bits") == 16,
            self.machine,
            constants.qkv[0][0].outputs,
        )

    def _attempt(self, run: Run, plan: Plan, phase: str) -> None:
        """Raise InputError if a phase of a block does not fit with this plan; emits nothing."""
        arena = Arena(self.machine.banks, self.machine.bank_bytes, self.machine.name, plan.sharing)
        # Those with little memory have many small blocks.
        brief = plan.stream is not None or plan.sharing is not Sharing.NONE
        context = Context(self.machine, arena, brief=brief)
        x = run.residual(plan)
        context.create(x)
        block = run.block(context, plan, x)
        if phase == "attention":
            block.attention(heads=1)
        elif phase == "project":
            context.create(block.mix, high=True)
            block.project()
        elif phase == "mlp":
            block.mlp()
        else:
            self.ends(context, run, x)
