# amaranth: UnusedElaboratable=no
"""sim.synthesis on a unit whose size one can count."""

import re

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from intarsia.model.cache import cache_folder
from intarsia.synth.process import SimulatorError
from intarsia.synth.synthesis import area, speed
from intarsia.synth.verilog import verilog_text


class Accumulator(wiring.Component):
    """One product per cycle, summed up."""

    a: In(signed(12))
    b: In(signed(12))
    total: Out(signed(24))

    def elaborate(self, platform):
        m = Module()
        product = Signal(signed(24))
        m.d.sync += [product.eq(self.a * self.b), self.total.eq(self.total + product)]
        return m


class Pair(wiring.Component):
    """Two of them, and a memory."""

    a: In(signed(12))
    b: In(signed(12))
    total: Out(signed(24))

    def elaborate(self, platform):
        m = Module()
        m.submodules.first = first = Accumulator()
        m.submodules.second = second = Accumulator()
        m.submodules.store = store = Memory(shape=signed(24), depth=512, init=[])
        write, read = store.write_port(), store.read_port()
        m.d.comb += [
            first.a.eq(self.a), first.b.eq(self.b), second.a.eq(self.a), second.b.eq(self.b),
            write.addr.eq(self.a), write.data.eq(first.total), write.en.eq(1),
            read.addr.eq(second.total), self.total.eq(read.data ^ second.total),
        ]  # fmt: skip
        return m


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    tools = cache_folder("tools", "YoWASP")  # else they would be compiled again
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tools))
    monkeypatch.setenv("INTARSIA_CACHE", str(tmp_path_factory.getbasetemp() / "synthesis"))


@pytest.fixture(scope="module")
def verilog():
    return verilog_text(Accumulator(), "accumulator")


def test_area(verilog):
    found = area(verilog, "accumulator")
    assert (found.dsp, found.bram) == (1, 0)
    assert found.ff == 48
    assert 24 <= found.carry <= 28
    assert found.carry <= found.lut < 100
    assert found.gates > 500  # the product alone


def test_area_by_module_counts_every_instance(verilog, monkeypatch):
    text = verilog_text(Pair(), "pair", share=True)
    assert len(re.findall(r"^module ", text, re.M)) == 2
    found = area(text, "pair", by_module=True)
    assert (found.dsp, found.memories) == (2, 1)
    assert found.gates == 2 * area(verilog, "accumulator").gates + 24 + found.memories
    assert found.fits

    monkeypatch.setattr("intarsia.synth.synthesis.LUTS", 95)
    larger = area(text, "pair", by_module=True)
    assert (larger.lut, larger.ff, larger.gates) == (None, 96, found.gates)
    assert not larger.fits


def test_speed_names_the_slowest_path(verilog):
    found = speed(verilog, "accumulator")
    assert 100 < found.mhz < 1000
    assert found.path.startswith(("product to total: ", "total to total: "))
    assert found.path.endswith(" of them routing")


def test_a_placement_without_an_end_is_given_up(verilog, monkeypatch, tmp_path):
    monkeypatch.setenv("INTARSIA_CACHE", str(tmp_path))
    monkeypatch.setattr("intarsia.synth.synthesis.TRY_SECONDS", 0.01)
    with pytest.raises(SimulatorError, match=r"--placer heap .*has no end in 0.01 s"):
        speed(verilog, "accumulator")
    monkeypatch.setattr("intarsia.synth.synthesis.run_tool", None)  # that it was given up is kept
    with pytest.raises(SimulatorError, match=r"--placer heap .*has no end in 0.01 s"):
        speed(verilog, "accumulator")


def test_the_clock_of_what_is_only_placed(verilog):
    found = speed(verilog, "accumulator", by_module=True)
    assert 100 < found.mhz < 1000
    assert found.path == "placed, not routed"


def test_results_are_kept(verilog, monkeypatch):
    before = (area(verilog, "accumulator"), speed(verilog, "accumulator"))
    monkeypatch.setattr("intarsia.synth.synthesis.run_tool", None)
    monkeypatch.setattr("intarsia.synth.synthesis.yosys", None)
    assert (area(verilog, "accumulator"), speed(verilog, "accumulator")) == before


def test_text_that_is_no_verilog_is_refused():
    with pytest.raises(SimulatorError, match="yosys failed"):
        area("module broken(; endmodule", "broken")
