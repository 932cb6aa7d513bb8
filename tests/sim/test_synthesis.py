# amaranth: UnusedElaboratable=no
"""sim.synthesis on a unit whose size one can count."""

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.verilog import verilog_text
from sim.runner import SimulatorError
from sim.synthesis import area, speed


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


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
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


def test_speed_names_the_slowest_path(verilog):
    found = speed(verilog, "accumulator")
    assert 100 < found.mhz < 1000
    assert found.path.startswith(("product to total: ", "total to total: "))
    assert found.path.endswith(" of them routing")


def test_the_clock_of_what_is_only_placed(verilog):
    found = speed(verilog, "accumulator", by_module=True)
    assert 100 < found.mhz < 1000
    assert found.path == "placed, not routed"


def test_results_are_kept(verilog, monkeypatch):
    before = (area(verilog, "accumulator"), speed(verilog, "accumulator"))
    monkeypatch.setattr("sim.synthesis.run_tool", None)
    monkeypatch.setattr("sim.synthesis.yosys", None)
    assert (area(verilog, "accumulator"), speed(verilog, "accumulator")) == before


def test_text_that_is_no_verilog_is_refused():
    with pytest.raises(SimulatorError, match="yosys failed"):
        area("module broken(; endmodule", "broken")
