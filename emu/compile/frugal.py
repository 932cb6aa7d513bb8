"""Plans for a scratchpad that is too small for those of `plan.py`: they save memory and cost time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from heapq import heappop, heappush
from itertools import count

from intarsia.arch.machine import Machine
from intarsia.emu.compile.arena import Sharing
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.plan import QUERIES, Costs, Plan, Residence, Stream, group_sizes, modes
from intarsia.model.errors import InputError

Attempt = Callable[[Plan, str], None]

PHASES = ("attention", "project", "mlp", "ends")

FEW_ROWS = (8, 4, 2, 1)
"""Of row blocks, and of query blocks, where those of `plan.py` are too large."""
KEYS = (2048, 512, 128, 32, 16)
VALUES = (64, 32, 16)
WAITS = {Sharing.NONE: 1.0, Sharing.SOME: 1.05, Sharing.ALL: 1.1}
"""By what buffers that share banks make everything take longer, about."""


def choose_frugal(
    tokens: int, machine: Machine, costs: Costs, attempt: Attempt, residual: Residence | None = None
) -> Plan:
    """The plan that costs least among those that fit; the error is that of the most frugal of all.

    `attempt(plan, phase)` raises where a phase of a plan does not fit. residual: only plans with this
    `Plan.residual`.
    """
    search = _Search(costs, attempt)
    for plan in frugal_modes(tokens, machine):
        if residual in (None, plan.residual):
            search.add(plan, machine)
    found = search.best()
    if found is None:
        found = least(tokens, costs)
        for phase in PHASES:
            attempt(found, phase)
        if residual not in (None, found.residual):
            raise InputError(f"no plan has a residual like that of others: {residual}")
    return found


class _Search:
    """Plans by cost, cheapest first. Those whose groups are not known yet have the cost of the largest."""

    def __init__(self, costs: Costs, attempt: Attempt) -> None:
        self.costs, self.attempt = costs, attempt
        self._heap: list[tuple[float, int, Plan, bool]] = []
        self._groups: dict[Plan, tuple[int, int] | None] = {}
        self._number = count()

    def add(self, plan: Plan, machine: Machine) -> None:
        """All ways of attention that may go with `plan`."""
        whole = replace(plan, project_group=plan.blocks, mlp_group=plan.blocks)
        for option in _options(whole, machine, self.costs):
            self._push(option, False)

    def best(self) -> Plan | None:
        """The cheapest that fits."""
        while self._heap:
            _, _, plan, final = heappop(self._heap)
            if final:
                if self._fits(plan, "attention"):
                    return plan
                continue
            groups = self._largest(plan)
            if groups:
                self._push(replace(plan, project_group=groups[0], mlp_group=groups[1]), True)
        return None

    def _push(self, plan: Plan, final: bool) -> None:
        cost = self.costs.total(plan) * WAITS[plan.sharing]
        heappush(self._heap, (cost, next(self._number), plan, final))

    def _fits(self, plan: Plan, phase: str) -> bool:
        try:
            self.attempt(plan, phase)
        except InputError:
            return False
        return True

    def _largest(self, plan: Plan) -> tuple[int, int] | None:
        """The largest groups of row blocks that fit; larger ones need more memory."""
        plan = replace(plan, queries=1, stream=Stream(1, 1, 1))  # of no matter here
        if plan not in self._groups:
            self._groups[plan] = self._search_groups(plan)
        return self._groups[plan]

    def _search_groups(self, plan: Plan) -> tuple[int, int] | None:
        if not self._fits(plan, "ends"):
            return None
        sizes, found = group_sizes(plan.blocks), []
        for phase in ("project", "mlp"):
            low, high = 0, len(sizes)
            while low < high:
                middle = (low + high) // 2
                size = sizes[middle]
                if self._fits(replace(plan, project_group=size, mlp_group=size), phase):
                    high = middle
                else:
                    low = middle + 1
            if low == len(sizes):
                return None
            found.append(sizes[low])
        return found[0], found[1]


def least(tokens: int, costs: Costs) -> Plan:
    """The plan that needs the least memory: if it does not fit, none does."""
    width = costs.width
    stream = Stream(min(16, tokens), min(16, width), 1)
    return Plan(
        tokens,
        1,
        1,
        x_resident=False,
        a_resident=False,
        mix_resident=False,
        stream=stream,
        sharing=Sharing.ALL,
    )


def frugal_modes(tokens: int, machine: Machine) -> Iterator[Plan]:
    """What may live where, in how many row blocks, and by which sharing; the most frugal comes last."""
    first = list(modes(tokens, machine))
    few = [replace(first[-1], block_rows=rows) for rows in FEW_ROWS if rows < first[-1].block_rows]
    for plan in (*first, *few):
        for sharing in Sharing:
            yield replace(plan, sharing=sharing)


def _options(plan: Plan, machine: Machine, costs: Costs) -> Iterator[Plan]:
    """Ways of attention that may fit, by the bytes of their buffers."""
    width = costs.width
    tokens, pitch = plan.tokens, padded(width, 16)
    rows = plan.block_rows
    there = 0
    if plan.x_resident and not plan.evict:
        there += tokens * padded(2 * costs.embed, 16)
    there += (tokens if plan.a_resident else rows) * padded(costs.embed, 16)
    if plan.mix_resident:
        there += tokens * costs.heads * pitch
    row = padded(tokens, 16) + padded(tokens * (1 + costs.wide), 16)
    room = machine.scratchpad_bytes - there
    queries = [q for q in (*QUERIES, *FEW_ROWS) if q <= rows]
    for few in dict.fromkeys(queries or [rows]):
        if plan.sharing is not Sharing.NONE and 3 * tokens * pitch + 2 * few * row <= room:
            yield replace(plan, queries=few)
        for buffers in (2, 1):
            for values in (width, *(v for v in VALUES if v < width)):
                rest = room - buffers * few * (row + pitch)
                rest -= (1 if values == width else buffers) * tokens * padded(values, 16)
                sizes = (tokens, *(k for k in KEYS if k < tokens))
                taken = {k: (1 if k == tokens else buffers) * k * pitch for k in sizes}
                keys = next((k for k in sizes if taken[k] <= rest), None)
                if keys:
                    yield replace(plan, queries=few, stream=Stream(keys, values, buffers))
                if keys == tokens:
                    break  # fewer values at once would only cost
