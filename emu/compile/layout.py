"""Where everything lies in DRAM, and the bytes of constants in the order that the machine reads.

The constants of identical layers lie one block after the other, each laid out alike, so that one
segment with a growing base serves all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa.layernorm import CHANNEL
from intarsia.arch.isa.matmul import OUTPUT
from intarsia.arch.isa.record import Scalar
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES, TABLE_BYTES, Machine
from intarsia.arch.program import Region
from intarsia.emu.compile.instructions import parameters_of
from intarsia.model.integer.graph import IMAGE, Graph, Node, Output

Bytes = NDArray[np.uint8]

ALIGNMENT = 64
"""Of everything in DRAM, in bytes; a word of the memory port where that is wider."""


def padded(width: int, multiple: int) -> int:
    """`width` rounded up."""
    return -(-width // multiple) * multiple


LINE = 16
"""Bytes that addresses of matrices in the scratchpad are multiples of."""


@dataclass(frozen=True)
class Packed:
    """A packed weight of N outputs in DRAM: tiles of `lanes` outputs, `tile_bytes` each."""

    address: int
    outputs: int
    inputs: int
    tile_bytes: int
    tiles: int

    def least(self, lanes: int, item: int) -> int:
        """Tiles that a product needs at once at least: their outputs, of `item` bytes, fill lines of 16."""
        return min(self.tiles, max(1, LINE // item // lanes))


@dataclass
class Layout:
    """DRAM from address 0: each `place` appends a piece and remembers how its bytes are made."""

    graph: Graph
    machine: Machine
    size: int = 0
    regions: list[Region] = field(default_factory=list)
    writers: list[tuple[int, Callable[[], Bytes]]] = field(default_factory=list)

    def place(self, name: str, size: int, kind: str, content: Callable[[], Bytes] | None = None) -> int:
        """Reserve `size` bytes; `content` makes them when a memory image is wanted."""
        address = self.size
        self.regions.append(Region(name, address, size, kind))
        if content is not None:
            self.writers.append((address, content))
        self.size = padded(address + size, max(ALIGNMENT, self.machine.memory_width))
        return address

    def array(self, name: str, kind: str = "constants") -> int:
        """A constant of the graph as it is."""
        array = self.graph.constants[name]
        return self.place(name, array.nbytes, kind, lambda: as_bytes(array))

    def byte_table(self, node: Node) -> int:
        """The entries of a table, which LOOKUP has per channel of a pixel: three times the same."""
        table = self.graph.constants[node.constants["table"]]
        return self.place(node.name, TABLE_BYTES, "constants", lambda: as_bytes(np.tile(table, 3)))

    def ones(self, name: str, count: int) -> int:
        """So many int8 that are 1."""
        return self.place(name, count, "constants", lambda: np.ones(count, np.uint8))

    def packed(
        self,
        node: Node,
        rows: slice | None = None,
        spread: tuple[int, int] | None = None,
        pitch: int = 1,
    ) -> Packed:
        """The weight of a linear node (its outputs `rows`) in the order of MATMUL's tiles.

        spread (heads, width): every head's inputs are followed by zeros up to `width`.
        pitch: the outputs are followed by some that are 0, up to a multiple of it.
        """
        machine, constants = self.machine, self.graph.constants
        weight = constants[node.constants["weight"]]
        part = rows or slice(0, weight.shape[0])
        zeros = -(part.stop - part.start) % pitch
        outputs, inputs = part.stop - part.start + zeros, weight.shape[1]
        if spread:
            inputs = spread[0] * spread[1]
        tiles, depth_tiles = -(-outputs // machine.lanes), -(-inputs // machine.depth)
        tile_bytes = machine.lanes * (ENTRY_BYTES + depth_tiles * machine.depth)

        def content() -> Bytes:
            def of(role: str) -> NDArray[Any]:
                return np.pad(constants[node.constants[role]][part], (0, zeros))

            bias = of("bias") if "bias" in node.constants else None
            padded_rows = np.pad(_spread(weight[part], spread), ((0, zeros), (0, 0)))
            return pack(padded_rows, bias, of("b"), of("c"), machine)

        name = node.name if rows is None else f"{node.name}[{part.start}:{part.stop}]"
        address = self.place(name, tiles * tile_bytes, "weights", content)
        return Packed(address, outputs, inputs, tile_bytes, tiles)

    def layernorm(self, node: Node) -> int:
        """b and B of every channel."""
        constants = self.graph.constants
        b, B = constants[node.constants["b"]], constants[node.constants["B"]]

        def content() -> Bytes:
            entries = np.zeros(len(b), CHANNEL.dtype)
            entries["b"], entries["B"] = b, B
            return as_bytes(entries)

        return self.place(node.name, len(b) * ENTRY_BYTES, "constants", content)

    def parameters(self, name: str, nodes: Mapping[str, Node]) -> int:
        """One parameter word of 16 bytes per node, in the order of `nodes`."""
        content = lambda: np.concatenate([parameter_word(node) for node in nodes.values()])  # noqa: E731
        return self.place(name, PARAMETER_BYTES * len(nodes), "constants", content)

    def output(self, output: Output) -> int:
        """A tensor that leaves the network, without padding."""
        tensor = self.graph.tensors[output.tensor]
        return self.place(output.tensor, tensor.size * tensor.bits // 8, output.kind)

    def image(self, patch: int) -> int:
        """The picture, rows of pixels padded to whole patches."""
        height, width, _ = self.graph.tensors[IMAGE].shape
        return self.place(IMAGE, padded(height, patch) * padded(width, patch) * 3, "image")


def pack(
    weight: NDArray[np.int8],
    bias: NDArray[np.int32] | None,
    b: NDArray[np.int32],
    c: NDArray[np.int8],
    machine: Machine,
) -> Bytes:
    """Weight int8 [N, K] and its constants as MATMUL reads them; ragged tiles end in zeros."""
    n, k = weight.shape
    lanes, depth = machine.lanes, machine.depth
    tiles, depth_tiles = -(-n // lanes), -(-k // depth)
    entries = np.zeros(tiles * lanes, OUTPUT.dtype)
    entries["b"][:n], entries["c"][:n] = b, c
    if bias is not None:
        entries["bias"][:n] = bias
    full = np.zeros((tiles * lanes, depth_tiles * depth), np.int8)
    full[:n, :k] = weight
    body = full.reshape(tiles, lanes, depth_tiles, depth).transpose(0, 2, 1, 3).reshape(tiles, -1)
    heads = as_bytes(entries).reshape(tiles, -1)
    return np.concatenate([heads, body.view(np.uint8)], axis=1).reshape(-1)


def parameter_word(node: Node) -> Bytes:
    """The scalars of one node in 16 bytes, as the instruction declares them; products are MATMULs.

    Where the instruction has none the word is empty.
    """
    record = parameters_of(node.op)
    if record is None:
        return np.zeros(PARAMETER_BYTES, np.uint8)
    return record.packed(**{scalar.name: _scalar(node, scalar) for scalar in record.scalars})


def _scalar(node: Node, scalar: Scalar) -> int:
    if scalar.names:
        return scalar.names.index(str(node.attributes[scalar.name]))
    return node.integer(scalar.name)


def as_bytes(array: NDArray[np.generic]) -> Bytes:
    """The array's memory, little-endian."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _spread(weight: NDArray[np.int8], spread: tuple[int, int] | None) -> NDArray[np.int8]:
    if spread is None:
        return weight
    heads, width = spread
    n, k = weight.shape
    wide = np.zeros((n, heads, width), np.int8)
    wide[:, :, : k // heads] = weight.reshape(n, heads, -1)
    return wide.reshape(n, -1)
