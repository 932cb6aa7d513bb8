"""What the parts around the stacks share: addresses, scalars, LayerNorm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from emu.compile.block import PARAMETERS
from emu.compile.context import Context, Matrix, groups
from emu.compile.emitter import Access, block, slot, word
from emu.compile.layout import Packed
from emu.isa import Layernorm, Load, Space, Unit
from model.errors import InputError
from model.integer.graph import MASKS
from model.segmenter.config import SegmenterConfig

GLOBALS = ("encoder.embedding", "encoder.norm", "decoder.norm", "decoder.masks", MASKS)
"""Nodes with a parameter word of their own, after those of the blocks."""


@dataclass(frozen=True)
class Addresses:
    """DRAM addresses of what the ends read and write."""

    image: int
    table: int
    cls_token: int
    position: int
    class_embedding: int
    parameters: int
    encoder_norm: int
    decoder_norm: int
    mask_norm: int
    patch_embed: Packed
    proj_dec: Packed
    proj_patch: Packed
    proj_classes: Packed
    labels: int


class GlobalPart:
    """Emits a part of the network that occurs once."""

    def __init__(self, context: Context, config: SegmenterConfig, addresses: Addresses) -> None:
        self.c, self.config, self.at = context, config, addresses

    def _fitting(self, x: Matrix, attempt: Callable[[range], None]) -> list[range]:
        """Row blocks in as few groups as fit: every group reads the weights once."""
        c, count = self.c, len(x.blocks)
        emitter, c.emitter = c.emitter, None
        live = dict(c.arena.live)
        half = c.half
        try:
            for passes in range(1, count + 1):
                size = -(-count // passes)
                parts = groups(count, size)
                try:
                    for part in parts:
                        attempt(part)
                    return parts
                except InputError:
                    if size == 1:
                        raise
                finally:
                    c.forget()
                    c.arena.live = dict(live)
        finally:
            c.emitter, c.half = emitter, half
        raise AssertionError("one block either fits or raises")

    def _rows(self, dram: int, address: int, rows: int, x: Matrix, label: str) -> int:
        """LOAD constant int16 rows, which DRAM holds without padding."""
        size = 2 * x.columns
        load = Load(dram, Space.SCRATCHPAD, address, size, rows, 1, size, 0, x.stride, 0)
        return self.c.add(Unit.LOAD, load, label, (), (block(address, x.stride, rows, size),))

    def _norm(
        self,
        name: str,
        index: int,
        source: int,
        source_stride: int,
        target: int,
        target_stride: int,
        rows: int,
        length: int,
        *,
        out16: bool,
    ) -> int:
        instruction = Layernorm(
            source,
            index,
            target,
            rows,
            length,
            source_stride,
            target_stride,
            self._index(name),
            out16=out16,
        )
        reads = (
            block(source, source_stride, rows, 2 * length),
            slot(index),
            self._word(name),
        )
        width = length * (1 + out16)
        return self.c.add(
            Unit.LAYERNORM, instruction, name, reads, (block(target, target_stride, rows, width),)
        )

    def _constants(self, name: str, dram: int, index: int, channels: int) -> None:
        self._parameter(name)
        self.c.row_constants(index, dram, channels, name, based=False)

    def _index(self, name: str) -> int:
        return len(PARAMETERS) + GLOBALS.index(name)

    def _word(self, name: str) -> Access:
        return word(self._index(name))

    def _parameter(self, name: str) -> None:
        self.c.parameter(self._index(name), self.at.parameters, len(PARAMETERS), name, based=False)
