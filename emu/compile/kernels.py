"""Class vectors: all on chip or, where they are too many, in DRAM and some at a time on chip."""

from __future__ import annotations

from intarsia.arch.isa import Load, Space, Store, Unit
from intarsia.emu.compile.buffers import Buffers
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.emitter import block
from intarsia.emu.compile.layout import padded


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
        self.addresses: list[int] = []

    def allocate(self) -> None:
        """Take memory for the vectors, or for two parts of them that take turns."""
        self.addresses = [self.c.arena.allocate(name, self.size * self.stride) for name in self._names]
        self._buffers = Buffers(self.addresses)

    def free(self) -> None:
        """Give it back."""
        for name in self._names:
            self.c.arena.free(name)

    def store(self, address: int, first: int, rows: int) -> None:
        """STORE some vectors."""
        target = self.dram + first * self.stride
        store = Store(target, address, self.channels, rows, 1, self.stride, 0, self.stride, 0)
        if self.channels == self.stride:
            store = Store(target, address, rows * self.stride)
        read = (block(address, self.stride, rows, self.channels),)
        self.c.add(Unit.STORE, store, self.label, read, (), (), (self.name,))

    def find(self, first: int, count: int) -> int:
        """Where some vectors stand; a LOAD brings them if they do not."""
        if len(self.chunks) == 1:
            return self.addresses[0]
        address, there = self._buffers.find(first)
        if not there:
            source = self.dram + first * self.stride
            load = Load(
                source, Space.SCRATCHPAD, address, self.channels, count, 1, self.stride, 0, self.stride, 0
            )
            if self.channels == self.stride:
                load = Load(source, Space.SCRATCHPAD, address, count * self.stride)
            written = (block(address, self.stride, count, self.channels),)
            self.c.add(Unit.LOAD, load, self.label, (), written, (self.name,))
        return address
