"""A matrix in the scratchpad, or a part of one, as instructions take it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BYTES = {dtype: np.dtype(dtype).itemsize for dtype in ("int8", "uint8", "int16", "uint16")}
"""Of an element, by type."""


@dataclass(frozen=True, slots=True)
class View:
    """rows x columns elements of `dtype` from byte `address` on; rows are `stride` bytes apart.

    `view[a:b]` are its rows a..b, `view[a:b, c:d]` the columns c..d of these; both must lie within it.
    """

    address: int
    stride: int
    rows: int
    columns: int
    dtype: str

    def __getitem__(self, part: slice | tuple[slice, slice]) -> View:
        """A part, by its first row and column and those behind its last."""
        rows, columns = part if isinstance(part, tuple) else (part, slice(None))
        top, bottom, _ = rows.indices(self.rows)
        left, right, _ = columns.indices(self.columns)
        address = self.address + top * self.stride + left * self.item
        return View(address, self.stride, bottom - top, right - left, self.dtype)

    @property
    def item(self) -> int:
        """Bytes of an element."""
        return BYTES[self.dtype]

    @property
    def wide(self) -> bool:
        """Whether an element has 16 bits."""
        return self.item == 2

    @property
    def width(self) -> int:
        """Bytes of a row, without what pads it to the stride."""
        return self.columns * self.item
