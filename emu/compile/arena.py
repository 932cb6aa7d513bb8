"""Scratchpad memory by name: buffers of whole banks, first fit."""

from __future__ import annotations

from model.errors import InputError


class Arena:
    """Allocates runs of banks. Whole banks, so that units on two buffers never share a port."""

    def __init__(self, banks: int, bank_bytes: int, machine: str) -> None:
        self.banks, self.bank_bytes, self.machine = banks, bank_bytes, machine
        self.live: dict[str, tuple[int, int]] = {}

    def allocate(self, name: str, size: int, *, high: bool = False) -> int:
        """Address of `size` bytes, lowest or highest; InputError says by how much they do not fit."""
        count = -(-size // self.bank_bytes)
        gaps = self._gaps()
        fitting = [(start, length) for start, length in gaps if length >= count]
        if not fitting:
            most = max((length for _, length in gaps), default=0)
            raise InputError(
                f"{name} does not fit into the scratchpad of {self.machine}: it needs {count} banks of "
                f"{self.bank_bytes} bytes in one piece, at most {most} of {self.banks} are free, "
                f"{count - most} ({(count - most) * self.bank_bytes} bytes) more are wanted"
            )
        start, length = fitting[-1] if high else fitting[0]
        if high:
            start += length - count
        self.live[name] = (start, count)
        return start * self.bank_bytes

    def _gaps(self) -> list[tuple[int, int]]:
        """(first bank, banks) of every free run, from low to high."""
        gaps, start = [], 0
        for first, taken in [*sorted(self.live.values()), (self.banks, 0)]:
            if first > start:
                gaps.append((start, first - start))
            start = first + taken
        return gaps

    def restore(self, name: str, address: int, size: int) -> None:
        """Take the buffer that was freed at `address` back; nothing may live there now."""
        self.live[name] = (address // self.bank_bytes, -(-size // self.bank_bytes))

    def free(self, name: str) -> None:
        """Give the buffer back."""
        del self.live[name]
