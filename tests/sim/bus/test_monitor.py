# amaranth: UnusedElaboratable=no
"""The monitor on buses that keep the rules, and that break them one by one."""

from __future__ import annotations

from typing import Any

import pytest
from amaranth.hdl import ClockDomain, Module
from amaranth.sim import Simulator

from intarsia.sim.bus.monitor import CHANNELS, RULES, Monitor

READ = [
    {"m_axi_arvalid": 1, "m_axi_araddr": 64},
    {"m_axi_arvalid": 1, "m_axi_araddr": 64, "m_axi_arready": 1},
    {"m_axi_rvalid": 1, "m_axi_rready": 1},
    {"m_axi_rvalid": 1, "m_axi_rready": 1, "m_axi_rlast": 1},
]
WRITE = [
    {"m_axi_awvalid": 1, "m_axi_wvalid": 1, "m_axi_wlast": 1, "m_axi_wready": 1},
    {"m_axi_awvalid": 1, "m_axi_awready": 1},
    {"m_axi_bvalid": 1, "m_axi_bready": 1},
]
LITE = [
    {"s_axil_awvalid": 1, "s_axil_awready": 1, "s_axil_arvalid": 1, "s_axil_arready": 1},
    {"s_axil_wvalid": 1, "s_axil_wready": 1, "s_axil_rvalid": 1, "s_axil_rready": 1},
    {"s_axil_bvalid": 1, "s_axil_bready": 1},
]
PAYLOADS = {"ar": "{}addr", "r": "{}data", "aw": "{}addr", "w": "{}strb", "b": "{}resp"}
Cycles = list[dict[str, int]]


def watched(cycles: Cycles) -> tuple[list[int], list[int], set[str]]:
    """Bursts owed and shown before each cycle's end, and the rules that were broken."""
    monitor, domain, m = Monitor(width=8), ClockDomain("sync"), Module()
    m.domains += domain
    m.submodules += monitor
    owed: list[int] = []
    bursts: list[int] = []
    broken: set[str] = set()

    async def bench(ctx: Any) -> None:
        for cycle in [*cycles, {}]:
            for name, member in monitor.signature.members.items():
                if name not in ("fault", "owed", "bursts"):
                    assert member
                    ctx.set(getattr(monitor, name), cycle.get(name, 0))
            ctx.set(domain.rst, cycle.get("reset", 0))
            await ctx.tick()
            owed.append(ctx.get(monitor.owed))
            bursts.append(ctx.get(monitor.bursts))
        broken.update(rule for bit, rule in enumerate(RULES) if ctx.get(monitor.fault) >> bit & 1)

    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return owed, bursts, broken


def test_what_keeps_the_rules() -> None:
    assert watched(READ) == ([1, 1, 1, 0, 0], [1, 1, 1, 1, 1], set())
    assert watched(WRITE) == ([1, 1, 0, 0], [1, 1, 1, 1], set())
    assert watched(LITE)[2] == set()


@pytest.mark.parametrize("change", ["withdrawn", "changed"])
def test_a_beat_that_is_not_taken_stays(change: str) -> None:
    """On every channel; the sets are of odd and even ones, so that none is taken for its neighbour."""
    for chosen in (CHANNELS[::2], CHANNELS[1::2]):
        first, taken, then = {}, {}, {}
        for prefix, channel in chosen:
            start = f"{prefix}_{channel}"
            first[f"{start}valid"] = taken[f"{start}ready"] = 1
            then[PAYLOADS[channel].format(start)] = 1
        then = then | first if change == "changed" else {}
        rules = {RULES[CHANNELS.index(channel)] for channel in chosen}
        unsteady = set(RULES[: len(CHANNELS)])
        assert watched([first, then])[2] & unsteady == rules
        assert not watched([first, first, first | taken])[2] & unsteady
        # A reset ends everything.
        assert not watched([first, first | {"reset": 1}, {}])[2] & unsteady


def test_answers_to_nothing() -> None:
    assert watched([{"s_axil_rvalid": 1}])[2] >= {"s_axil r: an answer to nothing"}
    for half in ("aw", "w"):
        cycles = [{f"s_axil_{half}valid": 1, f"s_axil_{half}ready": 1}, {"s_axil_bvalid": 1}]
        assert watched(cycles)[2] >= {"s_axil b: an answer to nothing"}


def test_words_before_their_burst() -> None:
    assert watched([{"m_axi_wvalid": 1, "m_axi_wready": 1}])[2] == {"m_axi w: a word before its burst"}
    assert watched([WRITE[0], {"m_axi_wvalid": 1}])[2] >= {"m_axi w: a word before its burst"}


def test_reset() -> None:
    """Its first edge takes `valid` away; what was broken before is still known."""
    high = {"m_axi_arvalid": 1, "reset": 1}
    assert watched([high, {"reset": 1}])[2] == set()
    assert watched([high, high])[2] == {"valid is high in reset"}
    assert watched([{"m_axi_arvalid": 1}, {}, {"reset": 1}, {}])[2] == {RULES[0]}
    # The memory is not asked.
    assert watched([{"reset": 1}, {"reset": 1, "m_axi_rvalid": 1}])[2] == set()
