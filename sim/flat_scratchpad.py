"""The scratchpad as one memory with many ports, which simulates fast; equal to `hw.scratchpad`."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, unsigned
from amaranth.lib.memory import Memory

from hw.column import LINE
from hw.ports import LINE_BYTES
from hw.scratchpad import Scratchpad


class FlatScratchpad(Scratchpad):
    """Behaves as `Scratchpad` in every cycle that has no error."""

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.memory = self.memory = memory = Memory(
            shape=unsigned(LINE), depth=self.machine.scratchpad_bytes // LINE_BYTES, init=[]
        )
        requests = self.check(m)
        for request in requests[: self.reads]:
            port = self.read[request.number]
            for place, enable in enumerate(request.enable):
                source = memory.read_port(domain=self.domains[request.number])
                m.d.comb += [
                    source.en.eq(enable),
                    source.addr.eq((request.line + place)[: len(source.addr)]),
                    port.data.word_select(place, LINE).eq(source.data),
                ]
        for request in requests[self.reads :]:
            assert request.mask is not None and request.data is not None
            for place, _ in enumerate(request.enable):
                domain = self.domains[self.reads + request.number]
                target = memory.write_port(domain=domain, granularity=8)
                m.d.comb += [
                    target.en.eq(request.mask.word_select(place, LINE_BYTES)),
                    target.addr.eq((request.line + place)[: len(target.addr)]),
                    target.data.eq(request.data.word_select(place, LINE)),
                ]
        return m
