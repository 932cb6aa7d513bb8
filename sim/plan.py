"""From a bench to jobs: which transactions are played, in which order, against which disturbances."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from intarsia.hw.interfaces.stream import Core
from intarsia.sim.job import Job, Phase, Play
from intarsia.sim.payload import Payload
from intarsia.sim.transaction import Bench, Transaction

DISTURBANCES: tuple[dict[str, Any], ...] = (
    {},
    {"offer": 0.5},
    {"offer": 0.7, "take": 0.7},
    {"take": 0.4, "waits": True},
)
"""Of a phase: see `Phase`. A unit whose `valid` waits for `ready` hangs in one that waits for `valid`."""
RESETS = 16
BATCH = 20_000
"""Beats of one phase of exhaustive transactions: what a report can point into."""


class Plan:
    """The transactions of a run of a bench and the phases that play them.

    Every directed transaction is played and measured alone, then with every disturbance. Random ones,
    at least `vectors` output values of them, are split between measuring and the disturbances. In
    between, resets strike in mid-stream and the next transaction must come out right. Exhaustive
    transactions follow, back to back.
    """

    def __init__(self, bench: Bench, vectors: int, seed: int, *, exhaustive: bool = True) -> None:
        self.seed = seed
        self.core: Core = bench.core
        self.transactions: list[Transaction] = []
        self.phases: list[Phase] = []
        rng = np.random.default_rng(seed)
        directed = self._add(bench.directed(rng))
        self._time(directed)
        for disturbance in DISTURBANCES:
            self.phases.append(Phase(directed, **disturbance))
        endless = bench.random(rng)
        share = -(-vectors // (1 + len(DISTURBANCES)))
        self._time(self._add(_values(endless, share)))
        for disturbance in DISTURBANCES:
            self.phases.append(Phase(self._add(_values(endless, share)), **disturbance))
        self._resets(self._add(itertools.islice(endless, 2 * RESETS)), rng)
        if exhaustive:
            self._exhaust(bench)

    def job(self, phases: list[Phase] | None = None, **options: Any) -> Job:
        """All phases, or some, for the simulator."""
        inputs = {"command": self.core.command_shape, **self.core.input_shapes}
        payloads = {name: Payload.of(shape) for name, shape in inputs.items()}
        result = Payload.of(self.core.result_shape)
        plays = [
            Play(
                t.name,
                {name: payload.pack(t.inputs[name]) for name, payload in payloads.items()},
                result.pack(t.output),
                t.cycles,
            )
            for t in self.transactions
        ]
        return Job(list(inputs), plays, self.phases if phases is None else phases, self.seed, **options)

    def bins(self) -> set[str]:
        """What the transactions cover."""
        return set().union(*(t.bins for t in self.transactions))

    def _add(self, transactions: Iterator[Transaction]) -> list[int]:
        first = len(self.transactions)
        self.transactions.extend(transactions)
        return list(range(first, len(self.transactions)))

    def _time(self, plays: list[int]) -> None:
        self.phases.append(Phase(plays, timed=True))

    def _resets(self, plays: list[int], rng: np.random.Generator) -> None:
        for struck, next_one in zip(plays[::2], plays[1::2], strict=True):
            cycle = int(rng.integers(1, max(self.transactions[struck].cycles, 2) + 1))
            self.phases.append(Phase([struck], reset_after=cycle))
            self.phases.append(Phase([next_one]))

    def _exhaust(self, bench: Bench) -> None:
        batch: list[int] = []
        beats = 0
        for transaction in bench.exhaustive():
            batch += self._add(iter((transaction,)))
            beats += len(next(iter(transaction.output.values())))
            if beats >= BATCH:
                self.phases.append(Phase(batch))
                batch, beats = [], 0
        if batch:
            self.phases.append(Phase(batch))


def _values(transactions: Iterator[Transaction], wanted: int) -> Iterator[Transaction]:
    """As many as have so many output values together."""
    while wanted > 0:
        transaction = next(transactions)
        wanted -= transaction.values
        yield transaction
