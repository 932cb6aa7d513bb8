"""A program in a sequencer, as the host puts it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from intarsia.arch.isa import Unit
from intarsia.hw.sequencer.segment_table import DESCRIPTOR_WORDS
from intarsia.hw.sequencer.sequencer import Sequencer


async def load(
    ctx: Any, dut: Sequencer, memories: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]
) -> None:
    """Fills the program memories by unit and the table by segment, word by word."""
    for number, words in enumerate(segments):
        assert len(words) == DESCRIPTOR_WORDS
        for word, value in enumerate(words):
            ctx.set(dut.describe, 1)
            ctx.set(dut.describe_segment, number)
            ctx.set(dut.describe_word, word)
            ctx.set(dut.describe_data, value)
            await ctx.tick()
    ctx.set(dut.describe, 0)
    for unit in Unit:
        for address, word in enumerate(memories[unit]):
            ctx.set(dut.write, 1)
            ctx.set(dut.write_unit, int(unit))
            ctx.set(dut.write_address, address)
            ctx.set(dut.write_data, word)
            await ctx.tick()
    ctx.set(dut.write, 0)
    ctx.set(dut.segments, len(segments))
