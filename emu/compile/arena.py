"""Scratchpad memory by name: buffers in banks of their own or, where memory is short, side by side."""

from __future__ import annotations

from enum import IntEnum

from intarsia.model.errors import InputError

ALIGNMENT = 16
"""Of matrices in the scratchpad, in bytes."""


class Sharing(IntEnum):
    """Which buffers may stand in one bank: the more do, the less fits between them and the more wait.

    NONE: every buffer has banks of its own;  SOME: those that find none share;  ALL: no gap is left.
    """

    NONE = 0
    SOME = 1
    ALL = 2


class Arena:
    """Allocates runs of bytes, first fit.

    Units on buffers in different banks never share a port. Those in one bank wait for each other, which
    the emitter sees to; but the two operands that one instruction reads must be in different banks.
    """

    def __init__(self, banks: int, bank_bytes: int, machine: str, sharing: Sharing = Sharing.NONE) -> None:
        self.banks, self.bank_bytes, self.machine = banks, bank_bytes, machine
        self.sharing = sharing
        self.live: dict[str, tuple[int, int]] = {}
        """By name (first byte, bytes taken)."""
        self._last: dict[str, tuple[int, int]] = {}

    def allocate(self, name: str, size: int, *, high: bool = False, apart: str = "") -> int:
        """Address of `size` bytes, lowest or highest; InputError says by how much they do not fit.

        apart: the name of buffers ("x" of "x[0]", "x[1]") that an instruction reads together with this
        one, so that no bank may hold both.
        """
        found = None
        if self.sharing is not Sharing.ALL:
            found = self._place(size, self.bank_bytes, self._gaps(""), high)
        if found is None and self.sharing is not Sharing.NONE:
            found = self._place(size, ALIGNMENT, self._gaps(apart), high)
        if found is None:
            raise InputError(self._problem(name, size, apart))
        self.live[name] = self._last[name] = found
        return found[0]

    def restore(self, name: str) -> None:
        """Take a buffer that was freed back where it was; nothing may live there now."""
        self.live[name] = self._last[name]

    def free(self, name: str) -> None:
        """Give the buffer back."""
        del self.live[name]

    def _place(
        self, size: int, unit: int, gaps: list[tuple[int, int]], high: bool
    ) -> tuple[int, int] | None:
        """(first byte, bytes) of `size` bytes in whole units, in one of the gaps (first byte, end)."""
        taken = -(-size // unit) * unit
        for start, end in reversed(gaps) if high else gaps:
            first = -(-start // unit) * unit
            if high:
                first = max(first, (end - taken) // unit * unit)
            if first + taken <= end:
                return first, taken
        return None

    def _gaps(self, apart: str) -> list[tuple[int, int]]:
        """(first byte, end) of every free run, from low to high, without the banks of `apart`."""
        end = self.banks * self.bank_bytes
        taken = [(start, start + size) for start, size in self.live.values()]
        for name, (start, size) in self.live.items():
            if apart and name.partition("[")[0] == apart:
                first, last = start // self.bank_bytes, (start + size - 1) // self.bank_bytes
                taken.append((first * self.bank_bytes, (last + 1) * self.bank_bytes))
        gaps, begin = [], 0
        for start, stop in [*sorted(taken), (end, end)]:
            if start > begin:
                gaps.append((begin, start))
            begin = max(begin, stop)
        return gaps

    def _problem(self, name: str, size: int, apart: str) -> str:
        where = f"the scratchpad of {self.machine} must have"
        if self.sharing is Sharing.NONE:
            count = -(-size // self.bank_bytes)
            gaps = [(-(-a // self.bank_bytes), b // self.bank_bytes) for a, b in self._gaps("")]
            most = max((end - start for start, end in gaps), default=0)
            return (
                f"{where} {count} banks of {self.bank_bytes} bytes free in one piece for {name}, "
                f"not {most} of {self.banks} ({count - most} or {(count - most) * self.bank_bytes} bytes "
                "too few)"
            )
        most = max((end - start for start, end in self._gaps(apart)), default=0)
        return (
            f"{where} {size} bytes free in one piece for {name}, not {most} of "
            f"{self.banks * self.bank_bytes} ({size - most} too few)"
        )
