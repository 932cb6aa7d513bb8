"""DRAM: the memory of cocotbext-axi, with words that answer as a test wants it."""

from __future__ import annotations

import logging
from typing import Any

from cocotb.triggers import Event
from cocotbext.axi import AxiResp
from cocotbext.axi.axi_ram import AxiRamRead, AxiRamWrite

from intarsia.sim.bus.case import Answer

SIZE = 1 << 19
QUIET = logging.ERROR
CODES = {"decerr": AxiResp.DECERR, "exokay": AxiResp.EXOKAY}
"""Codes that cocotbext-axi's memory has not of its own."""


class Faults:
    """Words that answer in another way; all beyond the DRAM of a program answer with an error too."""

    def __init__(self) -> None:
        self.end = SIZE
        self.answers: dict[int, Answer] = {}
        self.mended = Event()

    def set(self, answers: dict[int, Answer], end: int) -> None:
        self.answers, self.end = answers, end
        self.mended.clear()

    def mend(self) -> None:
        """Every word answers as it should, from now on; those that were silent do."""
        self.answers = {}
        self.mended.set()

    async def answer(self, word: int) -> Answer | None:
        """Of a word, once there is one."""
        found = self.answers.get(word)
        if found == "silent":
            await self.mended.wait()
            found = None
        return "decerr" if found is None and word >= self.end else found


class Reads(AxiRamRead):
    """The half that reads."""

    def __init__(self, faults: Faults, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.log.setLevel(QUIET)
        self.faults = faults
        self.found: Answer | None = None
        self.send, self.r_channel.send = self.r_channel.send, self._send

    async def _read(self, address: int, length: int) -> Any:
        self.found = await self.faults.answer(address)
        if self.found in (None, "id", "exokay"):
            return await super()._read(address, length)
        raise ValueError("a word that does not answer")

    async def _send(self, beat: Any) -> None:
        if self.found in CODES:
            beat.rresp = CODES[self.found]
        elif self.found == "id":
            beat.rid = 1
        await self.send(beat)


class Writes(AxiRamWrite):
    """The half that writes."""

    def __init__(self, faults: Faults, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.log.setLevel(QUIET)
        self.faults = faults
        self.found: Answer | None = None
        self.send, self.b_channel.send = self.b_channel.send, self._send

    async def _write(self, address: int, data: Any) -> None:
        answer = await self.faults.answer(address // self.byte_lanes * self.byte_lanes)
        self.found = answer or self.found
        if answer in ("slverr", "decerr"):
            raise ValueError("a word that does not answer")
        await super()._write(address, data)

    async def _send(self, beat: Any) -> None:
        if self.found in CODES:
            beat.bresp = CODES[self.found]
        elif self.found == "id":
            beat.bid = 1
        self.found = None
        await self.send(beat)


class Dram:
    """SIZE bytes behind `bus`; `channels` by name, `m_axi ar` and so on."""

    def __init__(self, bus: Any, clock: Any, reset: Any) -> None:
        self.bytes = bytearray(SIZE)
        self.faults = Faults()
        self.reads = Reads(self.faults, bus.read, clock, reset, mem=self.bytes)
        self.writes = Writes(self.faults, bus.write, clock, reset, mem=self.bytes)
        halves = {self.reads: ("ar", "r"), self.writes: ("aw", "w", "b")}
        self.channels = {
            f"m_axi {name}": getattr(half, f"{name}_channel")
            for half, names in halves.items()
            for name in names
        }

    def fill(self, contents: bytes) -> None:
        self.bytes[: len(contents)] = contents
