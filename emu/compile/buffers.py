"""Buffers that take turns, and what each of them holds."""

from __future__ import annotations


class Buffers:
    """Addresses of which the one that was used longest ago is filled next."""

    def __init__(self, addresses: list[int]) -> None:
        self.addresses = addresses
        self._held: list[int | None] = [None] * len(addresses)
        self._turn = 0

    def find(self, key: int) -> tuple[int, bool]:
        """Where `key` stands, or is to stand; whether it is there already."""
        there = key in self._held
        place = self._held.index(key) if there else self._turn
        self._held[place] = key
        self._turn = (place + 1) % len(self.addresses)
        return self.addresses[place], there
