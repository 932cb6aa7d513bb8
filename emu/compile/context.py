"""What emitting a segment works with: memory, queues, and matrices that live on chip or in DRAM."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

from intarsia.arch.isa import (
    UNIT,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Matmul,
    Residual,
    Space,
    Store,
    Unit,
)
from intarsia.arch.machine import ENTRY_BYTES, PARAMETER_BYTES, Machine
from intarsia.arch.program import Probe
from intarsia.emu.compile.arena import Arena, Sharing
from intarsia.emu.compile.emitter import Emitter
from intarsia.emu.compile.layout import Packed, padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.view import View

T = TypeVar("T")

ALIKE = 8
"""Pieces of work of one kind that are looked at where memory is only planned."""


class Done(NamedTuple):
    """An instruction that was added, by its unit and its number among those of the unit."""

    unit: Unit
    number: int


class Context:
    """Emits instructions with their accesses, and owns the scratchpad."""

    def __init__(self, machine: Machine, arena: Arena, *, brief: bool = False) -> None:
        """brief: what is alike is planned a few times only."""
        self.brief = brief
        self.machine, self.arena = machine, arena
        self.emitter: Emitter | None = None
        self._limbo: deque[str] = deque()
        self.half = 0

    def add(self, instruction: Instruction, label: str, dram: tuple[int, int] | None = None) -> Done:
        """Append, as `Emitter.add`; without an emitter only memory is planned."""
        unit = UNIT[type(instruction)]
        return Done(unit, self.emitter.add(instruction, label, dram) if self.emitter else 0)

    def probe(
        self, tensor: str, done: Done, view: View, row: int, column: int = 0, head: int | None = None
    ) -> None:
        """Note where a part of a tensor, from (row, column) on, stands after an instruction."""
        if self.emitter is not None and view.rows > 0 < view.columns:
            place = (view.address, view.stride, view.rows, view.columns, view.dtype)
            self.emitter.probes.append(Probe(tensor, done.unit, done.number, *place, row, column, head))

    def some(self, items: Iterable[T]) -> list[T]:
        """All of them or, where memory is planned in brief, some of the first and the last."""
        found = list(items)
        if self.brief and self.emitter is None and len(found) > ALIKE:
            found[ALIKE - 1 :] = found[-1:]
        return found

    def begin(self) -> None:
        """Start an iteration: whatever takes turns begins as in every other one."""
        self.flush()
        self.half = 0

    # --- matrices ---------------------------------------------------------------------------

    def create(self, matrix: Matrix, *, high: bool = False) -> None:
        """Give a resident matrix its memory; `high` keeps the low end free for what lives longer."""
        if matrix.resident:
            matrix.addresses = [
                self.arena.allocate(matrix.part(i), rows * matrix.stride, high=high)
                for i, (_, rows) in enumerate(matrix.blocks)
            ]

    def destroy(self, matrix: Matrix) -> None:
        """Take its memory back."""
        if matrix.resident:
            for i in range(len(matrix.blocks)):
                self.arena.free(matrix.part(i))

    def open(self, matrix: Matrix, index: int, *, load: bool, apart: str = "") -> int:
        """Address of a block on chip; one that lives in DRAM is loaded if its content matters.

        apart: buffers that are read together with it (`Arena.allocate`).
        """
        if matrix.resident:
            return matrix.addresses[index]
        # Where buffers share banks, a last block that is smaller would leave a gap that fits no other.
        shared = self.arena.sharing is not Sharing.NONE
        _, rows = matrix.blocks[0 if shared else index]
        name = matrix.part(index)
        if name in self._limbo:
            self._limbo.remove(name)
            self.arena.free(name)
        address = self.arena.allocate(name, rows * matrix.stride, apart=apart)
        if load:
            self.load_block(matrix, index, address)
        return address

    def close(self, matrix: Matrix, index: int, address: int, *, store: bool) -> None:
        """Done with a block; one that lives in DRAM is stored if it was changed.

        Its memory is given back one block later, so that two of them take turns.
        """
        if matrix.resident:
            return
        if store:
            self.store_block(matrix, index, address)
        self._limbo.append(matrix.part(index))
        if len(self._limbo) > 2:
            self.arena.free(self._limbo.popleft())

    def flush(self) -> None:
        """Give all closed blocks back."""
        while self._limbo:
            self.arena.free(self._limbo.popleft())

    def forget(self) -> None:
        """Drop what is waiting to be given back, after an attempt that did not fit."""
        self._limbo.clear()

    def evict(self, matrix: Matrix) -> None:
        """Move a resident matrix to DRAM for a while."""
        for i in range(len(matrix.blocks)):
            self.store_block(matrix, i, matrix.addresses[i])
            self.arena.free(matrix.part(i))

    def restore(self, matrix: Matrix) -> None:
        """Bring an evicted matrix back to where it was."""
        for i in range(len(matrix.blocks)):
            self.arena.restore(matrix.part(i))
            self.load_block(matrix, i, matrix.addresses[i])

    def load_block(self, matrix: Matrix, index: int, address: int) -> None:
        """LOAD a block of a matrix from DRAM."""
        start, rows = matrix.blocks[index]
        assert matrix.dram is not None
        load = Load(matrix.dram + start * matrix.stride, Space.SCRATCHPAD, address, **matrix.pieces(rows))
        self.add(load, matrix.name)

    def store_block(self, matrix: Matrix, index: int, address: int) -> None:
        """STORE a block of a matrix to DRAM."""
        start, rows = matrix.blocks[index]
        assert matrix.dram is not None
        store = Store(matrix.dram + start * matrix.stride, address, **matrix.pieces(rows))
        self.add(store, matrix.name)

    # --- constants --------------------------------------------------------------------------

    def parameter(self, index: int, words: int, first: int, label: str, *, based: bool) -> None:
        """LOAD parameter word `index` from an array of them at `words` that begins with word `first`."""
        dram = words + (index - first) * PARAMETER_BYTES
        self.load(Space.PARAMETERS, index * PARAMETER_BYTES, dram, PARAMETER_BYTES, label, based=based)

    def row_constants(self, index: int, dram: int, channels: int, label: str, *, based: bool) -> None:
        """LOAD b and B of a LayerNorm into a slot."""
        address = index * self.machine.slot_bytes
        self.load(Space.CONSTANTS, address, dram, channels * ENTRY_BYTES, label, based=based)

    def load(self, space: Space, address: int, dram: int, size: int, label: str, *, based: bool) -> None:
        """LOAD constants."""
        self.add(Load(dram, space, address, size, based=based), label)

    def chunks(self, packed: Packed, item: int) -> list[tuple[int, int]]:
        """(first tile, tiles) of the parts of a weight that fit half the stationary buffer.

        item: bytes of an output; every part but the last makes whole lines of 16 bytes. Where half the
        buffer holds no part, one fills the whole, and the array waits for the next.
        """
        tile, least = packed.tile_bytes, packed.least(self.machine.lanes, item)
        whole, half = self.machine.stationary_bytes, self.machine.stationary_bytes // 2
        for room, step in ((half, packed.least(self.machine.lanes, 1)), (half, least), (whole, least)):
            most = room // tile // step * step
            if most:
                break
        else:
            raise AssertionError("a machine with a smaller stationary buffer is refused before")
        # Two at least, so that one is loaded while the array is at the other.
        count = max(-(-packed.tiles // most), min(2, packed.tiles // step))
        size = padded(-(-packed.tiles // count), step)
        return [(t, min(size, packed.tiles - t)) for t in range(0, packed.tiles, size)]

    def columns(self, packed: Packed, first: int, tiles: int) -> tuple[int, int]:
        """First column and number of columns that tiles of a weight make; the last may be ragged."""
        column = first * self.machine.lanes
        return column, min(tiles * self.machine.lanes, packed.outputs - column)

    def weights(self, packed: Packed, first: int, tiles: int, label: str, *, based: bool) -> int:
        """LOAD tiles of a weight into the half of the stationary buffer whose turn it is, or all of it."""
        return self.weight_pieces([(packed, first, tiles)], label, based=based)[0]

    def weight_pieces(self, pieces: list[tuple[Packed, int, int]], label: str, *, based: bool) -> list[int]:
        """LOAD (weight, first tile, tiles) one after another into one half, or all; their addresses."""
        half = self.machine.stationary_bytes // 2
        if sum(tiles * packed.tile_bytes for packed, _, tiles in pieces) > half:
            self.half = 0
        address = self.half * half
        self.half ^= 1
        found = []
        for packed, first, tiles in pieces:
            size = tiles * packed.tile_bytes
            self.load(
                Space.STATIONARY,
                address,
                packed.address + first * packed.tile_bytes,
                size,
                label,
                based=based,
            )
            found.append(address)
            address += size
        return found

    # --- instructions -----------------------------------------------------------------------

    def linear(self, label: str, x: View, out: View, packed: Packed, y: int) -> Done:
        """MATMUL of int8 rows with tiles of a packed weight, at `y`, that make the columns of `out`."""
        return self._product(label, x, y, 0, out, packed.inputs, Layout.PACKED, 0)

    def by_rows(self, label: str, x: View, y: View, out: View, param: int) -> Done:
        """MATMUL of rows of x with rows of y: out = x y^T, requantized by a parameter word."""
        return self._product(label, x, y.address, y.stride, out, x.columns, Layout.LANE_MAJOR, param)

    def by_columns(self, label: str, x: View, y: View, out: View, param: int) -> Done:
        """MATMUL of rows of x with columns of y: out = x y, requantized by a parameter word."""
        return self._product(label, x, y.address, y.stride, out, y.rows, Layout.DEPTH_MAJOR, param)

    def _product(
        self, label: str, x: View, y: int, y_stride: int, out: View, depth: int, layout: Layout, param: int
    ) -> Done:
        strides = x.stride, y_stride, out.stride
        sizes = out.rows, depth, out.columns
        return self.add(
            Matmul(x.address, y, out.address, *sizes, *strides, layout, x.wide, out.wide, param), label
        )

    def norm(self, label: str, source: View, target: View, slot: int, param: int) -> Done:
        """LAYERNORM of int16 rows with the row constants of a slot."""
        place = source.address, slot, target.address
        size = source.rows, source.columns, source.stride, target.stride
        return self.add(Layernorm(*place, *size, param, target.wide), label)

    def residual(self, label: str, x: View, identity: View, target: View, param: int) -> Done:
        """RESIDUAL of int16 rows."""
        place = x.address, identity.address, target.address
        strides = x.stride, identity.stride, target.stride
        return self.add(Residual(*place, x.rows, x.columns, *strides, param), label)

    def load_rows(self, view: View, dram: int, label: str, *, dram_stride: int = 0) -> Done:
        """LOAD rows that DRAM holds `dram_stride` bytes apart, or densely."""
        size = view.width
        stride = dram_stride or size
        load = Load(dram, Space.SCRATCHPAD, view.address, size, view.rows, 1, stride, 0, view.stride, 0)
        return self.add(load, label)

    def store_rows(self, view: View, dram: int, label: str, *, dram_stride: int = 0) -> Done:
        """STORE rows to DRAM, `dram_stride` bytes apart or densely."""
        size = view.width
        stride = dram_stride or size
        return self.add(Store(dram, view.address, size, view.rows, 1, stride, 0, view.stride, 0), label)
