"""What the parts around the stacks share: addresses, scalars, LayerNorm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from intarsia.arch.isa import Layernorm, Load, Space, Unit
from intarsia.emu.compile.block import PARAMETERS
from intarsia.emu.compile.context import Context, Matrix, groups
from intarsia.emu.compile.emitter import Access, block, slot, word
from intarsia.emu.compile.layout import Packed
from intarsia.emu.compile.pattern import Network
from intarsia.emu.compile.plan import group_sizes
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node

T = TypeVar("T")


def own_parameters(network: Network) -> dict[str, Node]:
    """The nodes that have a parameter word of their own after those of the blocks, by name and in order."""
    nodes = (
        network.embedding, network.encoder_norm, network.decoder_norm, network.masks, network.mask_norm
    )  # fmt: skip
    return {node.name: node for node in nodes}


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

    def __init__(self, context: Context, network: Network, addresses: Addresses) -> None:
        self.c, self.network, self.at = context, network, addresses
        first = len(PARAMETERS)
        self._words = {name: first + i for i, name in enumerate(own_parameters(network))}

    def _fitting(self, x: Matrix, attempt: Callable[[range], None]) -> list[range]:
        """Row blocks in as few groups as fit: every group reads the weights once."""
        c, count = self.c, len(x.blocks)

        def groups_fit(size: int) -> None:
            for part in c.some(groups(count, size)):
                attempt(part)

        return groups(count, self._first(group_sizes(count), groups_fit))

    def _first(self, options: Sequence[T], attempt: Callable[[T], None]) -> T:
        """The first option whose attempt fits; the last one's error if none does. Emits nothing.

        The last needs the least memory. Where it is only asked whether any fits, it is tried first.
        """
        c = self.c
        emitter, c.emitter = c.emitter, None
        live, half = dict(c.arena.live), c.half
        problem: InputError | None = None
        try:
            for option in options if emitter is not None else reversed(options):
                try:
                    attempt(option)
                    return option
                except InputError as error:
                    problem = error if problem is None or emitter is not None else problem
                finally:
                    c.forget()
                    c.arena.live = dict(live)
        finally:
            c.emitter, c.half = emitter, half
        assert problem is not None
        raise problem

    def _rows(self, dram: int, address: int, rows: int, x: Matrix, label: str) -> int:
        """LOAD constant int16 rows, which DRAM holds without padding."""
        size = 2 * x.columns
        load = Load(dram, Space.SCRATCHPAD, address, size, rows, 1, size, 0, x.stride, 0)
        return self.c.add(Unit.LOAD, load, label, (), (block(address, x.stride, rows, size),))

    def _norm(
        self,
        node: Node,
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
            self._index(node),
            out16=out16,
        )
        reads = (
            block(source, source_stride, rows, 2 * length),
            slot(index, self.c.machine),
            self._word(node),
        )
        width = length * (1 + out16)
        return self.c.add(
            Unit.LAYERNORM, instruction, node.name, reads, (block(target, target_stride, rows, width),)
        )

    def _cut(
        self,
        cuts: tuple[tuple[str, int, int], ...],
        index: int,
        address: int,
        stride: int,
        start: int,
        rows: int,
        columns: int,
    ) -> None:
        """Probe what LayerNorm has made of rows start..start + rows in the tensors that are cut from it."""
        for name, low, high in cuts:
            first, last = max(low, start), min(high, start + rows)
            if first < last:
                place = address + (first - start) * stride
                self.c.probe(
                    name, Unit.LAYERNORM, index, place, stride, last - first, columns, "int8", first - low
                )

    def _constants(self, node: Node, dram: int, index: int, channels: int) -> None:
        self._parameter(node)
        self.c.row_constants(index, dram, channels, node.name, based=False)

    def _index(self, node: Node) -> int:
        return self._words[node.name]

    def _word(self, node: Node) -> Access:
        return word(self._index(node))

    def _parameter(self, node: Node) -> None:
        self.c.parameter(self._index(node), self.at.parameters, len(PARAMETERS), node.name, based=False)
