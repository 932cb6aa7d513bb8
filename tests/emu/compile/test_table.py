"""Networks whose activations are tables, alone and among those with ShiftGELU."""

from __future__ import annotations

import pytest

from intarsia.arch.isa import Gelu, Lookup
from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph
from tests.emu.compile.comparison import hold
from tests.emu.compile.edits import with_tables


@pytest.mark.parametrize("machine", ["tests/hw/small.toml", "edge"])
@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        (("encoder", "decoder"), (True, False)),
        (("encoder.blocks.1", "decoder.blocks.0"), (True, True)),
        (("none",), (False, True)),
    ],
)
def test_every_tensor_is_the_executors(graph, picture, machine, blocks, expected):
    target, changed = Machine.load(machine), with_tables(graph, *blocks)
    segments = compile_graph(changed, target).segments
    inside = [segment for segment in segments if segment.name.startswith(("encoder", "decoder"))]
    kinds = {type(op) for segment in inside for queue in segment.queues for op in queue}
    assert (Lookup in kinds, Gelu in kinds) == expected
    hold(changed, target, picture)
