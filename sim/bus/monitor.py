"""What AXI4 and AXI4-Lite forbid, watched in every cycle."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from intarsia.hw.interfaces.axi import full_bus, lite_bus, plain_members
from intarsia.hw.sequencer.control import ADDRESS_BITS

FULL, LITE = "m_axi", "s_axil"
CHANNELS = tuple((prefix, channel) for prefix in (FULL, LITE) for channel in ("ar", "r", "aw", "w", "b"))
OURS = {(FULL, "ar"), (FULL, "aw"), (FULL, "w"), (LITE, "r"), (LITE, "b")}
"""Channels whose beats the accelerator sends."""
RULES = (
    *(f"{prefix} {channel}: withdrawn or changed before it was taken" for prefix, channel in CHANNELS),
    f"{LITE} r: an answer to nothing",
    f"{LITE} b: an answer to nothing",
    f"{FULL} w: a word before its burst",
    "valid is high in reset",
)
"""By bit of `fault`."""


class Monitor(wiring.Component):
    """Looks at both buses of the accelerator.

    Parameters
    ----------
    width : bytes of a word of the memory port

    Members
    -------
    m_axi_*, s_axil_* : In, all signals of the buses
    fault : Out(len(RULES)), rules that were broken since the beginning, resets included
    owed : Out(16), bursts that the memory port has shown and that are not complete
    bursts : Out(32), that it has shown since the reset
    """

    def __init__(self, *, width: int) -> None:
        members = plain_members(FULL, full_bus(width)) | plain_members(LITE, lite_bus(ADDRESS_BITS))
        super().__init__(
            {name: In(member.shape) for name, member in members.items()}
            | {"fault": Out(len(RULES)), "owed": Out(16), "bursts": Out(32)}
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        waiting = {channel: Signal(name="_".join((*channel, "waiting"))) for channel in CHANNELS}
        broken = [self._unsteady(m, channel, waiting[channel]) for channel in CHANNELS]

        answers, requests = self._taken(LITE, "r"), self._taken(LITE, "ar")
        broken.append(self._valid(LITE, "r") & (_balance(m, "reads", requests, answers) == 0))
        answers = self._taken(LITE, "b")
        places = _balance(m, "places", self._taken(LITE, "aw"), answers)
        values = _balance(m, "values", self._taken(LITE, "w"), answers)
        broken.append(self._valid(LITE, "b") & ((places == 0) | (values == 0)))

        shown = {channel: self._valid(FULL, channel) & ~waiting[FULL, channel] for channel in ("ar", "aw")}
        complete = self._taken(FULL, "r") & self.m_axi_rlast
        reading = _balance(m, "reading", shown["ar"], complete)
        writing = _balance(m, "writing", shown["aw"], self._taken(FULL, "b"))
        unfilled = _balance(m, "unfilled", shown["aw"], self._taken(FULL, "w") & self.m_axi_wlast)
        broken.append(self._valid(FULL, "w") & (unfilled + shown["aw"] == 0))
        m.d.comb += self.owed.eq(reading + writing)
        m.d.sync += self.bursts.eq(self.bursts + shown["ar"] + shown["aw"])

        # The first edge of a reset makes `valid` low.
        in_reset = Signal(reset_less=True)
        m.d.sync += in_reset.eq(ResetSignal())
        late = in_reset & ResetSignal() & Cat(self._valid(*channel) for channel in sorted(OURS)).any()
        seen = Cat(Cat(broken) & (~ResetSignal()).replicate(len(broken)), late)
        lasting = Signal(len(RULES), reset_less=True)
        m.d.sync += lasting.eq(lasting | seen)
        m.d.comb += self.fault.eq(lasting)
        return m

    def _valid(self, prefix: str, channel: str) -> Value:
        valid: Value = getattr(self, f"{prefix}_{channel}valid")
        return valid

    def _taken(self, prefix: str, channel: str) -> Value:
        ready: Value = getattr(self, f"{prefix}_{channel}ready")
        return self._valid(prefix, channel) & ready

    def _unsteady(self, m: Module, channel: tuple[str, str], waiting: Signal) -> Value:
        """A beat that was not taken is not there any more; `waiting`: one was shown and not taken."""
        start = "_".join(channel)
        handshake = (f"{start}valid", f"{start}ready")
        names = [n for n in self.signature.members if n.startswith(start) and n not in handshake]
        payload = Cat(getattr(self, name) for name in names)
        before = Signal(len(payload), name=f"{start}_before")
        m.d.sync += [
            waiting.eq(self._valid(*channel) & ~self._taken(*channel)),
            before.eq(payload),
        ]
        return waiting & (~self._valid(*channel) | (payload != before))


def _balance(m: Module, name: str, more: Value, less: Value) -> Signal:
    """How many of one have come since the reset that the other has not followed."""
    count = Signal(16, name=name)
    m.d.sync += count.eq(count + more - less)
    return count
