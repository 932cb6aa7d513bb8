# amaranth: UnusedElaboratable=no
"""The buses' plain names and widths are those that others use: cocotbext-axi's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from cocotbext.axi import axi_channels, axil_channels

from intarsia.hw.interfaces.axi import (
    bus_width,
    checked_width,
    connect_plain,
    full_bus,
    lite_bus,
    plain_members,
)
from tests.arch.machines import MACHINE

CHANNELS = ("AW", "W", "B", "AR", "R")
TO_SUBORDINATE = ("AW", "W", "AR")


@pytest.mark.parametrize("kind", ["full", "lite"])
def test_has_the_names_and_widths_of_cocotbext_axi(kind: str) -> None:
    module, prefix = (axi_channels, "Axi") if kind == "full" else (axil_channels, "AxiLite")
    bus = full_bus(16) if kind == "full" else lite_bus(23)
    members = plain_members("x", bus)
    known = set()
    for channel in CHANNELS:
        theirs = getattr(module, f"{prefix}{channel}Bus")
        widths = getattr(module, f"{prefix}{channel}Source")._signal_widths
        for name in theirs._signals + theirs._optional_signals:
            member = members.get(f"x_{name}")
            assert member is not None or name not in theirs._signals, name
            if member is not None:
                known.add(f"x_{name}")
                out = (channel in TO_SUBORDINATE) != name.endswith("ready")
                assert member.flow is (Out if out else In), name
                assert member.shape == widths.get(name, member.shape), name
    assert known == set(members)
    flipped = plain_members("x", bus.flip())
    assert all(member.flow is not flipped[name].flow for name, member in members.items())


class Inner(wiring.Component):
    """Shows on every output how many there are before it."""

    def __init__(self, signature: wiring.Signature) -> None:
        super().__init__({"port": Out(signature), "seen": Out(64)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sums: Any = 0
        for number, (_, member, signal) in enumerate(self.port.signature.flatten(self.port)):
            if member.flow is Out:
                m.d.comb += signal.eq(number)
            else:
                sums += signal * (number + 1)
        m.d.comb += self.seen.eq(sums)
        return m


class Outer(wiring.Component):
    def __init__(self, signature: wiring.Signature) -> None:
        self.inner = Inner(signature)
        super().__init__({**plain_members("m_axi", signature), "seen": Out(64)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        m.d.comb += self.seen.eq(self.inner.seen)
        connect_plain(m, self, "m_axi", self.inner.port)
        return m


@pytest.mark.parametrize("signature", [full_bus(2), lite_bus(8).flip()])
def test_connects_every_name(signature: wiring.Signature) -> None:
    dut = Outer(signature)

    async def bench(ctx: Any) -> None:
        wanted = 0
        for number, (path, member, _) in enumerate(signature.flatten(dut.inner.port)):
            signal: Signal = getattr(dut, "m_axi_" + "".join(path))
            if member.flow is Out:
                assert ctx.get(signal) == number % (1 << len(signal))
            else:
                ctx.set(signal, 1)
                wanted += number + 1
                assert ctx.get(dut.seen) == wanted
        assert wanted

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()


def test_widths() -> None:
    assert bus_width(replace(MACHINE, memory_width=16)) == 16
    assert bus_width(replace(MACHINE, memory_width=64, lanes=4, depth=4)) == 16
    assert bus_width(replace(MACHINE, memory_width=128, lanes=256)) == 128
    with pytest.raises(ValueError, match="width must be a power of two in 1..128 bytes, not 256"):
        checked_width(256)
