"""Puts a compiled netlist in the place of a component in Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.sim import Simulator
from amaranth.sim._base import BaseProcess

from intarsia.sim.suite.compiled import Calls, Model, places, ports
from intarsia.sim.suite.target import Target, parameters


class Process(BaseProcess):
    """Gives the simulator the outputs that the model has of the simulator's inputs."""

    def __init__(self, state: Any, component: wiring.Component, model: Model, domain: Any) -> None:
        self.state, self.model = state, model
        ins, outs = ports(component)
        self.inputs = [(state.get_signal(signal), low, mask) for signal, low, mask in places(ins)]
        self.outputs = [(state.get_signal(signal), low, mask) for signal, low, mask in places(outs)]
        self.clocks = [state.get_signal(signal) for signal in (domain.clk, domain.rst)]
        self.seen: tuple[int, ...] | None = None
        self.shown = -1
        self.runnable = True
        for signal in (*ins, domain.clk, domain.rst):
            state.add_signal_waker(signal, self.wake)

    def wake(self, before: int, after: int) -> bool:
        self.runnable = True
        return True

    def reset(self) -> None:
        self.runnable = True

    def run(self) -> None:
        slots = self.state.slots
        clk, rst = (slots[place].curr for place in self.clocks)
        inputs = 0
        for place, low, mask in self.inputs:
            inputs |= (slots[place].curr & mask) << low
        if self.seen == (clk, rst, inputs):
            return
        self.seen = clk, rst, inputs
        outputs = self.model.evaluate(clk, rst, inputs)
        if outputs != self.shown:
            self.shown = outputs
            for place, low, mask in self.outputs:
                slots[place].update(outputs >> low & mask)


class StandIn:
    """While it is `placed`, every simulator takes the compiled target, with `mutant` switched on, for the
    component. `used` : whether one did."""

    def __init__(self, target: Target, calls: Calls) -> None:
        self.calls, self.mutant, self.used = calls, 0, False
        original = target.make()
        self.kind, self.wanted = type(original), parameters(original)
        self.open: list[wiring.Component] = []

    @contextmanager
    def placed(self) -> Iterator[None]:
        elaborate, begin = self.kind.elaborate, Simulator.__init__

        def hollow(component: Any, platform: Any) -> Module:
            if parameters(component) != self.wanted:
                found: Module = elaborate(component, platform)
                return found
            self.open.append(component)
            m = Module()
            m.d.sync += Signal(name="has_a_clock").eq(1)
            return m

        def started(simulator: Any, toplevel: Any, **options: Any) -> None:
            self.open.clear()
            begin(simulator, toplevel, **options)
            engine = simulator._engine
            domain = simulator._design.fragment.domains.get("sync")
            for component in self.open:
                self.used = True
                model = self.calls.model(self.mutant)
                engine._processes.add(Process(engine.state, component, model, domain))

        self.kind.elaborate, Simulator.__init__ = hollow, started
        try:
            yield
        finally:
            self.kind.elaborate, Simulator.__init__ = elaborate, begin
