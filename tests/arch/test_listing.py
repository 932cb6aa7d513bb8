"""What a program's text says of its results."""

from __future__ import annotations

import pytest

from intarsia.arch.isa import Unit
from intarsia.arch.listing import listing, listing_dict
from intarsia.arch.machine import Machine
from intarsia.arch.program import Output, Program, Region, Segment

EMPTY = tuple(() for _ in Unit)
SCORES, LABELS = Region("scores", 0, 20, "classes"), Region("labels", 64, 64, "labels")


@pytest.mark.parametrize(
    "label_dtype, outputs, wanted",
    [
        ("uint8", (), "# DRAM: 128 bytes, labels uint8"),
        ("", (Output("scores", "int16"), Output("labels", "uint8")), "scores int16, labels uint8"),
        ("uint16", (Output("scores", "int16"),), "# DRAM: 128 bytes, labels uint16, scores int16"),
    ],
)
def test_results(label_dtype, outputs, wanted):
    segments = (Segment("head", EMPTY, EMPTY),)
    program = Program(Machine.load("edge"), segments, (SCORES, LABELS), 128, label_dtype, outputs)
    program.check()
    assert list(listing(program))[1].endswith(wanted)
    assert listing_dict(program)["outputs"] == [vars(output) for output in outputs]
