"""Plays the transactions of a bench through Amaranth's simulator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from amaranth.hdl import Value
from amaranth.sim import Simulator

from intarsia.hw.interfaces.stream import Unit
from intarsia.sim.payload import Payload
from intarsia.sim.transaction import Transaction


def play(unit: Unit, transactions: Iterable[Transaction], rng: np.random.Generator | None = None) -> None:
    """Every output beat must be the expected one.

    Without `rng`, one transaction after the other, each in exactly its cycles; with it, commands and
    data as fast as they are taken, with random gaps and back-pressure.
    """
    transactions = list(transactions)
    core = unit.core
    inputs = {"command": core.command_shape, **core.input_shapes}
    packed = [
        {name: Payload.of(shape).pack(t.inputs[name]) for name, shape in inputs.items()}
        for t in transactions
    ]
    expected = [Payload.of(core.result_shape).pack(t.output) for t in transactions]
    groups = [[k] for k in range(len(transactions))] if rng is None else [list(range(len(transactions)))]

    async def bench(ctx: Any) -> None:
        for group in groups:
            pending = {name: [beat for k in group for beat in packed[k][name]] for name in inputs}
            wanted = [(k, n, beat) for k in group for n, beat in enumerate(expected[k])]
            at, cycle, got, accepted, idle = dict.fromkeys(inputs, 0), 0, 0, 0, 0
            offered = dict.fromkeys(inputs, False)
            held = None
            while got < len(wanted) or any(at[name] < len(pending[name]) for name in inputs):
                for name in inputs:
                    stream = getattr(unit, name)
                    if not offered[name]:
                        more = at[name] < len(pending[name])
                        offered[name] = more and (rng is None or rng.random() < 0.7)
                        ctx.set(Value.cast(stream.payload), pending[name][at[name]] if offered[name] else 0)
                        ctx.set(stream.valid, offered[name])
                ready = rng is None or bool(rng.random() < 0.7)
                ctx.set(unit.o.ready, ready)
                idle += 1
                taken = [name for name in inputs if offered[name] and ctx.get(getattr(unit, name).ready)]
                for name in taken:
                    at[name] += 1
                    offered[name] = False
                    idle = 0
                    if name == "command" and rng is None:
                        accepted = cycle
                if ctx.get(unit.o.valid):
                    beat = ctx.get(Value.cast(unit.o.payload))
                    assert got < len(wanted), "a beat more than expected"
                    assert held is None or held == beat, "the payload changed while it waited"
                    k, n, expect = wanted[got]
                    assert beat == expect, (
                        f"{transactions[k].name}, beat {n}: {_show(core, beat)}, not {_show(core, expect)}"
                    )
                    held = None if ready else beat
                    if ready:
                        idle = 0
                        got += 1
                else:
                    assert held is None, "valid fell before the beat was taken"
                assert idle < 2000, f"nothing moves: {got} of {len(wanted)} beats, inputs at {at}"
                await ctx.tick()
                cycle += 1
            if rng is None and (cycles := transactions[group[0]].cycles):
                took = cycle - 1 - accepted
                assert took == cycles, f"{transactions[group[0]].name}: {took} cycles, not {cycles}"

    simulator = Simulator(unit)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def _show(core: Any, beat: int) -> Any:
    return {name: values.tolist() for name, values in Payload.of(core.result_shape).unpack([beat]).items()}
