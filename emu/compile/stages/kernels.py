"""Class vectors: all on chip or, where they are too many, in DRAM and some at a time on chip."""

from __future__ import annotations

from intarsia.arch.isa import Load, Space, Store
from intarsia.emu.compile.buffers import Buffers
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import padded
from intarsia.emu.compile.view import View


class Kernels:
    """int8 [classes, channels], `size` of them on chip at once; `dram`: where all are if that is fewer."""

    name = "class vectors"

    def __init__(
        self, context: Context, label: str, dram: int, classes: int, channels: int, size: int
    ) -> None:
        self.c, self.label, self.dram, self.channels = context, label, dram, channels
        self.stride = padded(channels, 16)
        self.size = size
        self.chunks = [(first, min(size, classes - first)) for first in range(0, classes, size)]
        self._names = [f"{self.name}[{turn}]" for turn in range(min(2, len(self.chunks)))]
        # A part is read only when all have been written.
        self._whole = dram, dram + classes * self.stride
        self.addresses: list[int] = []

    def allocate(self) -> None:
        """Take memory for the vectors, or for two parts of them that take turns."""
        self.addresses = [self.c.arena.allocate(name, self.size * self.stride) for name in self._names]
        self._buffers = Buffers(self.addresses)

    def free(self) -> None:
        """Give it back."""
        for name in self._names:
            self.c.arena.free(name)

    def view(self, address: int, count: int) -> View:
        """Some vectors that stand at `address`."""
        return View(address, self.stride, count, self.channels, "int8")

    def store(self, vectors: View, first: int) -> None:
        """STORE vectors from number `first` on."""
        target, size, rows, stride = (
            self.dram + first * self.stride,
            self.channels,
            vectors.rows,
            self.stride,
        )
        store = Store(target, vectors.address, size, rows, 1, stride, 0, stride, 0)
        if size == stride:
            store = Store(target, vectors.address, rows * stride)
        self.c.add(store, self.label, self._whole)

    def find(self, first: int, count: int) -> View:
        """Where some vectors stand; a LOAD brings them if they do not."""
        if len(self.chunks) == 1:
            return self.view(self.addresses[0], count)
        address, there = self._buffers.find(first)
        if not there:
            source, size, stride = self.dram + first * self.stride, self.channels, self.stride
            load = Load(source, Space.SCRATCHPAD, address, size, count, 1, stride, 0, stride, 0)
            if size == stride:
                load = Load(source, Space.SCRATCHPAD, address, count * stride)
            self.c.add(load, self.label, self._whole)
        return self.view(address, count)
