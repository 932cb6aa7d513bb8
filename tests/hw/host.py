"""A host on AXI4-Lite for simulations: accesses in order, with random pauses if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

PATIENCE = 200
"""Cycles in which nothing moves on any channel."""

Write = tuple[int, int] | tuple[int, int, int]
"""Address, data, strobes where they are not all high."""


class Host:
    """Accesses the registers behind `bus`."""

    def __init__(self, bus: Any, rng: np.random.Generator | None = None) -> None:
        self.bus, self.rng = bus, rng
        self.cycles = 0

    def may(self) -> bool:
        return self.rng is None or bool(self.rng.random() < 0.5)

    async def write(self, ctx: Any, *writes: Write) -> list[int]:
        """The responses."""
        bus = self.bus
        beats = [(w[0], w[1] | (w[2] if len(w) == 3 else 15) << 32) for w in writes]
        channels = {
            bus.aw: ([bus.aw.addr], [[address] for address, _ in beats]),
            bus.w: ([bus.w.data, bus.w.strb], [[word % (1 << 32), word >> 32] for _, word in beats]),
        }
        return [beat[0] for beat in await self.exchange(ctx, channels, bus.b, [bus.b.resp])]

    async def read(self, ctx: Any, *addresses: int) -> list[int]:
        """What stands there; every response must be OKAY."""
        bus = self.bus
        channels = {bus.ar: ([bus.ar.addr], [[address] for address in addresses])}
        beats = await self.exchange(ctx, channels, bus.r, [bus.r.data, bus.r.resp])
        assert all(beat[1] == 0 for beat in beats)
        return [beat[0] for beat in beats]

    async def exchange(self, ctx: Any, channels: dict[Any, Any], back: Any, fields: Sequence[Any]) -> Any:
        """Sends all beats on their channels and returns as many that came back."""
        sent, shown = dict.fromkeys(channels, 0), dict.fromkeys(channels, False)
        wanted = max(len(beats) for _, beats in channels.values())
        found: list[list[int]] = []
        waiting, idle = None, 0
        while len(found) < wanted:
            idle += 1
            for channel, (signals, beats) in channels.items():
                shown[channel] = shown[channel] or (sent[channel] < len(beats) and self.may())
                ctx.set(channel.valid, shown[channel])
                if shown[channel]:
                    for signal, value in zip(signals, beats[sent[channel]], strict=True):
                        ctx.set(signal, value)
            ready = self.may()
            ctx.set(back.ready, ready)
            if ctx.get(back.valid):
                beat = [ctx.get(field) for field in fields]
                assert waiting in (None, beat), "an answer changed while it waited"
                waiting = None if ready else beat
                if ready:
                    found.append(beat)
                    idle = 0
            else:
                assert waiting is None, "an answer was withdrawn"
            for channel in channels:
                if shown[channel] and ctx.get(channel.ready):
                    sent[channel] += 1
                    idle = 0
                    shown[channel] = False
            await ctx.tick()
            self.cycles += 1
            assert idle < PATIENCE and self.cycles < 200_000, "no answer"
        for channel in channels:
            ctx.set(channel.valid, 0)
        ctx.set(back.ready, 0)
        return found
