"""A memory behind AXI4 for simulations: ideal, or with random stalls; it checks what a manager may do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.hw.interfaces.axi import BURST_BEATS, INCR, PAGE, SLVERR

Bytes = NDArray[np.uint8]
Word = tuple[int, bytes, int]
"""Address, bytes, strobes."""


class AxiMemory:
    """`data` from address `origin` on; without `rng` always ready, and answering after `latency` cycles.

    `drive` sets the inputs of a cycle, `sample` sees its outputs. Words in `broken` answer with `code`,
    words from `silent_from` on are not read for ever, as long as that is an address.
    `late` takes the address of a burst that is written only once all of its words are there.
    """

    def __init__(
        self,
        bus: Any,
        width: int,
        data: Bytes,
        *,
        latency: int,
        origin: int = 0,
        rng: np.random.Generator | None = None,
        late: bool = False,
    ) -> None:
        self.bus, self.width, self.data = bus, width, data
        self.latency, self.origin, self.rng, self.late = latency, origin, rng, late
        self.broken: set[int] = set()
        self.code = SLVERR
        self.silent_from: int | None = None
        self.reads: list[tuple[int, int, bool]] = []  # earliest cycle, address, last
        self.writes: list[tuple[int, int]] = []  # address, beats: of bursts shown, words not yet taken
        self.shown = False  # the burst on the channel is among those
        self.words: list[Word] = []  # of the burst that has not got all
        self.filled: list[list[Word]] = []  # of bursts that have, and no response
        self.taken = 0  # bursts whose address was taken and that have no response
        self.responses: list[tuple[int, int]] = []  # earliest cycle, code
        self.waiting: dict[str, tuple[int, ...]] = {}  # beats that are shown and were not taken
        self.bursts = 0
        self.offered = False

    def may(self) -> bool:
        return self.rng is None or bool(self.rng.random() < 0.6)

    def is_silent(self, address: int) -> bool:
        return self.silent_from is not None and address >= self.silent_from

    def drive(self, ctx: Any, now: int) -> None:
        bus = self.bus
        if hasattr(bus, "ar"):
            ctx.set(bus.ar.ready, self.may())
            self.offered = bool(self.reads) and self.reads[0][0] <= now and self.may()
            self.offered = self.offered and not self.is_silent(self.reads[0][1])
            ctx.set(bus.r.valid, self.offered)
            if self.offered:
                _, address, last = self.reads[0]
                at = address - self.origin
                good = 0 <= at < len(self.data) and address not in self.broken
                word = self.data[at : at + self.width].tobytes() if good else b""
                ctx.set(bus.r.data, int.from_bytes(word, "little"))
                ctx.set(bus.r.last, last)
                ctx.set(bus.r.resp, 0 if good else self.code)
        if hasattr(bus, "aw"):
            ctx.set(bus.aw.ready, self.may() and (not self.late or bool(self.filled)))
            ctx.set(bus.w.ready, self.may())
            valid = bool(self.responses) and self.responses[0][0] <= now
            ctx.set(bus.b.valid, valid)
            ctx.set(bus.b.resp, self.responses[0][1] if valid else 0)

    def sample(self, ctx: Any, now: int) -> None:
        bus = self.bus
        if hasattr(bus, "ar"):
            self.stable(ctx, "ar")
            if ctx.get(bus.ar.valid) and ctx.get(bus.ar.ready):
                address, beats = self.burst(ctx, bus.ar)
                self.reads += [
                    (now + self.latency, address + k * self.width, k == beats - 1) for k in range(beats)
                ]
            if self.offered:
                assert ctx.get(bus.r.ready)
                self.reads.pop(0)
        if hasattr(bus, "aw"):
            self.sample_writes(ctx, now)

    def sample_writes(self, ctx: Any, now: int) -> None:
        bus = self.bus
        for name in ("aw", "w"):
            self.stable(ctx, name)
        if ctx.get(bus.b.valid):
            assert ctx.get(bus.b.ready)
            self.responses.pop(0)
        if ctx.get(bus.aw.valid):
            if not self.shown:
                self.writes.append(self.burst(ctx, bus.aw))
            self.shown = not ctx.get(bus.aw.ready)
            self.taken += not self.shown
        if ctx.get(bus.w.valid):
            assert self.writes, "a word before its address"
            if ctx.get(bus.w.ready):
                self.word(ctx)
        while self.taken and self.filled:
            self.taken -= 1
            self.respond(self.filled.pop(0), now)

    def word(self, ctx: Any) -> None:
        (address, beats), w = self.writes[0], self.bus.w
        self.words.append((address, ctx.get(w.data).to_bytes(self.width, "little"), ctx.get(w.strb)))
        self.writes[0] = (address + self.width, beats - 1)
        assert ctx.get(w.last) == (beats == 1)
        if beats == 1:
            self.writes.pop(0)
            self.filled.append(self.words)
            self.words = []

    def respond(self, words: list[Word], now: int) -> None:
        """A burst is written."""
        code = 0
        for address, word, strobe in words:
            at = address - self.origin
            if not 0 <= at < len(self.data) or address in self.broken:
                code = self.code
                continue
            for k in range(self.width):
                if strobe >> k & 1:
                    self.data[at + k] = word[k]
        extra = 0 if self.rng is None else int(self.rng.integers(0, 9))
        earliest = self.responses[-1][0] + 1 if self.responses else 0
        self.responses.append((max(now + self.latency + extra, earliest), code))

    def burst(self, ctx: Any, channel: Any) -> tuple[int, int]:
        address, beats = ctx.get(channel.addr), ctx.get(channel.len) + 1
        assert address % self.width == 0 and 1 << ctx.get(channel.size) == self.width
        assert ctx.get(channel.burst) == INCR and beats <= BURST_BEATS
        assert address // PAGE == (address + beats * self.width - 1) // PAGE, "a page crossed"
        self.bursts += 1
        return address, beats

    def stable(self, ctx: Any, name: str) -> None:
        """A beat that is not taken stays as it is."""
        channel = getattr(self.bus, name)
        fields = ("addr", "len") if name != "w" else ("data", "strb", "last")
        beat = tuple(ctx.get(getattr(channel, field)) for field in fields)
        valid, ready = ctx.get(channel.valid), ctx.get(channel.ready)
        if name in self.waiting:
            assert valid and beat == self.waiting.pop(name)
        if valid and not ready:
            self.waiting[name] = beat

    @property
    def owes(self) -> bool:
        """Whether anything is still to come, in either direction."""
        return bool(self.reads or self.writes or self.filled or self.responses or self.taken)
