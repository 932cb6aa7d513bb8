"""The counters of real cores, at small sizes, for as many cycles as a few commands take.

A core that its `Unit` stops does not change, so its state goes through the same sequence with stalls as
without, and what holds here, where nothing stops it, holds in a unit whatever comes and goes. That is not
so of a core that is trailing, of which a part flows on: see `stops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import (
    Assert,
    Assume,
    Const,
    Cover,
    Elaboratable,
    Fragment,
    Module,
    ResetSignal,
    Signal,
    Value,
)

from intarsia.hw.interfaces.stream import Core, stoppable
from intarsia.sim.formal.division import delayed
from intarsia.sim.formal.inside import opened
from intarsia.sim.formal.proof import Spec

Count = Callable[[SimpleNamespace], Value]
"""A number of beats, from the fields of a command."""
COUNT_BITS = 8


class CoreSpec(Spec):
    """A core without its unit: it starts in any cycle in which it is idle, with any command.

    Parameters
    ----------
    make : the core
    limits : the largest value of some fields of the command, which are at least 1; others are free
    stops : the solver stops a core that is trailing in any cycles; otherwise nothing stops it
    at_once : the first command starts in the first cycle, and there is no reset: this makes many cycles
        affordable
    """

    def __init__(
        self,
        make: Callable[[], Core],
        limits: Mapping[str, int],
        *,
        stops: bool = False,
        at_once: bool = False,
    ) -> None:
        super().__init__()
        self.core, self.limits, self.at_once = make(), limits, at_once
        self.free += [self.core.start, Value.cast(self.core.command)]
        self.free += [Value.cast(getattr(self.core, name)) for name in self.core.input_shapes]
        self.advance = self.choose(1, "advance") if stops else Const(1)

    def within(self, m: Module) -> Elaboratable:
        """The core, to take as a submodule of `m`."""
        return stoppable(m, self.core, self.advance) if self.core.trailing else self.core

    def assume_commands(self, m: Module) -> SimpleNamespace:
        """Returns the limited fields, no wider than they need be."""
        m.d.comb += Assume(~self.core.start | self.core.idle)
        if self.at_once:
            begun = Signal()
            m.d.sync += begun.eq(begun | self.advance)
            m.d.comb += [Assume(begun | self.core.start), Assume(~ResetSignal("sync"))]
        fields = SimpleNamespace()
        for name, most in self.limits.items():
            value = self.core.command[name]
            m.d.comb += Assume((value >= 1) & (value <= most))
            setattr(fields, name, value[: most.bit_length()])
        return fields


class CoreBalance(CoreSpec):
    """A core wants exactly the beats, and gives exactly the results, that its commands say.

    Never more than that at any time; and as many once it has been idle for `settle` cycles with no further
    start. So no counter of rows or beats of it wraps while it is in use. Bounded.

    Parameters
    ----------
    results, beats : how many leave and, by input, how many are wanted, of one command
    """

    def __init__(
        self,
        make: Callable[[], Core],
        limits: Mapping[str, int],
        *,
        results: Count,
        beats: Mapping[str, Count],
        settle: int = 1,
        at_once: bool = False,
    ) -> None:
        super().__init__(make, limits, at_once=at_once)
        self.results, self.beats, self.settle = results, beats, settle

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        core = self.core
        m.submodules.core = self.within(m)
        fields = self.assume_commands(m)
        resting = Signal(range(self.settle + 1))
        with m.If(~core.idle | core.start):
            m.d.sync += resting.eq(0)
        with m.Elif(resting < self.settle):
            m.d.sync += resting.eq(resting + 1)
        rested = resting == self.settle
        flows = {"result": (core.result_valid, self.results)}
        flows |= {name: (getattr(core, f"{name}_want"), count) for name, count in self.beats.items()}
        for name, (moves, count) in flows.items():
            asked = Signal(COUNT_BITS, name=f"{name}_asked")
            moved = Signal(COUNT_BITS, name=f"{name}_moved")
            m.d.sync += moved.eq(moved + moves)
            with m.If(core.start):
                m.d.sync += asked.eq(asked + count(fields))
            m.d.comb += [
                Assert(moved + moves <= asked),
                Assert(~rested | (moved == asked)),
                Cover(rested & (moved != 0)),
            ]
        return m


class RingFill(CoreSpec):
    """No entry of a ring in a core's memory is read before it is written, nor written before it was read.

    Nobody asks such a ring whether it is full or empty: its writer and its reader keep their distance,
    and that is what is proven here. Nor do they meet at one address in one cycle. Bounded.

    Parameters
    ----------
    pointers : where the next entry is written and where the next one is read: paths in the core
    """

    def __init__(
        self, make: Callable[[], Core], limits: Mapping[str, int], *, pointers: tuple[str, str]
    ) -> None:
        super().__init__(make, limits, at_once=True)
        self.pointers = pointers

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fragment: Fragment
        fragment, signals = opened(self.core)
        m.submodules.core = fragment
        self.assume_commands(m)
        # Looked at one cycle late, when the pointers show what has been done.
        written, taken = (signals[path] for path in self.pointers)
        was_written, was_taken = delayed(m, written, 1, "written"), delayed(m, taken, 1, "taken")
        pushed, popped = written != was_written, taken != was_taken
        fill = Signal(COUNT_BITS)  # in the cycle before
        m.d.sync += fill.eq(fill + pushed - popped)
        m.d.comb += [
            Assert(~popped | (fill != 0)),
            Assert(~(pushed & (was_written == was_taken)) | (fill == 0)),
            Cover(popped & (fill == 1)),
            Cover(pushed & popped & (fill > 1)),
        ]
        return m
