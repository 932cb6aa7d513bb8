"""Matrices of a segment: rows in blocks, on the chip or in DRAM."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.view import View


@dataclass
class Matrix:
    """Rows of a tensor in blocks, each block in banks of its own, or all of them in DRAM.

    dram: address of row 0 where it lives (or is evicted to) in DRAM; None: it never does.
    """

    name: str
    rows: int
    columns: int
    dtype: str
    block_rows: int
    dram: int | None = None
    resident: bool = True
    addresses: list[int] = field(default_factory=list)

    @cached_property
    def stride(self) -> int:
        """Bytes from row to row, on chip and in DRAM."""
        return padded(self.columns * np.dtype(self.dtype).itemsize, 16)

    def pieces(self, rows: int) -> dict[str, Any]:
        """Fields of a transfer of so many rows: one piece, or each row without what pads it to the stride,
        for nobody ever writes that."""
        size = self.columns * np.dtype(self.dtype).itemsize
        if size == self.stride:
            return {"size": rows * size}
        return {"size": size, "count1": rows, "dram_stride1": self.stride, "stride1": self.stride}

    @cached_property
    def blocks(self) -> list[tuple[int, int]]:
        """First row and number of rows of every block."""
        return row_blocks(self.rows, self.block_rows)

    def view(self, index: int, address: int) -> View:
        """A block that stands at `address` on chip."""
        return View(address, self.stride, self.blocks[index][1], self.columns, self.dtype)

    def part(self, index: int) -> str:
        """What a block is called in the scratchpad."""
        return f"{self.name}[{index}]"


def row_blocks(rows: int, size: int) -> list[tuple[int, int]]:
    """`rows` in as few blocks of at most `size` as possible, of nearly equal size."""
    count = -(-rows // size)
    size = -(-rows // count)
    return [(start, min(size, rows - start)) for start in range(0, rows, size)]


def groups(count: int, size: int) -> list[range]:
    """0..count in ranges of `size`, the last may be shorter."""
    return [range(first, min(first + size, count)) for first in range(0, count, size)]
