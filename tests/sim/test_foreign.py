# amaranth: UnusedElaboratable=no
"""RTL of others in our benches: what is right passes whatever its latency is, all else is named."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import make_unit
from intarsia.model.errors import InputError
from intarsia.sim import runner
from intarsia.sim.foreign import foreign_design
from intarsia.sim.verify import Result, Setup, verify_unit
from intarsia.synth.verilog import verilog_text

SMALL = Machine.load("tests/hw/small.toml")
HAND_WRITTEN = Path(__file__).parent / "foreign"
"""An `affine` from the documentation: `ready` and `valid` are not registered, a beat takes two cycles."""

ICARUS = pytest.param(
    "icarus",
    marks=pytest.mark.needs("iverilog"),
)
TOOLS = pytest.mark.parametrize("tool", ["verilator", ICARUS])
needs_icarus = pytest.mark.needs("iverilog")


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """A folder with the hand-written unit, in which we are."""
    monkeypatch.chdir(tmp_path)
    for path in HAND_WRITTEN.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def own() -> str:
    return verilog_text(make_unit("affine", SMALL), "affine")


def change(file: str, old: str, new: str) -> None:
    text = Path(file).read_text()
    assert text.count(old) == 1
    Path(file).write_text(text.replace(old, new))


def played(tool: str, *files: str, waves: Path | None = None) -> Result:
    paths = [Path(file) for file in files or ("affine.sv", "scale.sv")]
    design = foreign_design(paths, "affine", SMALL, tool)
    return verify_unit("affine", Setup(SMALL, 200, 1, waves, tool, design))


def by_name(result: Result):
    return {check.name: check for check in result.checks}


@TOOLS
def test_our_own_passes(own, theirs, tool):
    Path("ours.v").write_text(own)
    result = played(tool, "ours.v")
    assert (result.ok, result.faults, result.coverage) == (True, (), 1)
    assert result.vectors > 2000
    theirs, ours = result.measured
    assert theirs == ours > 500


@TOOLS
def test_what_somebody_else_wrote_passes_with_another_latency(theirs, tool):
    result = played(tool)
    assert (result.ok, result.faults) == (True, ())
    taken, ours = result.measured
    assert taken > ours
    assert by_name(result)["cycles"].skipped


@TOOLS
def test_a_mutated_unit_fails(own, theirs, tool):
    Path("ours.v").write_text(own.replace("fraction[0] | lost", "fraction[0]", 1))
    assert Path("ours.v").read_text() != own
    result = played(tool, "ours.v")
    assert not result.ok
    assert result.faults


def test_waves_of_what_fails(theirs):
    change("scale.sv", "lost == half && down[0]", "lost == half")
    result = played("verilator", waves=theirs)
    assert "lane" in result.faults[0]
    assert by_name(result)["values"].failures > 0
    assert "affine.vcd: TOP.affine_bench.o__payload at " in result.faults[-1]
    assert "$scope module unit $end" in (theirs / "affine.vcd").read_text()


@needs_icarus
def test_waves_of_icarus(theirs):
    change("scale.sv", "lost == half && down[0]", "lost == half")
    result = played("icarus", waves=theirs)
    assert result.waves == theirs / "affine.fst"
    assert result.waves.read_bytes()[:1] == b"\0"  # the block of a header
    assert result.waves.stat().st_size > 1000


@needs_icarus
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("go = left != 0", "go = 0 && left != 0", "nothing moved for 20000 cycles: 0 of "),
        ("o__payload[k] <= result", "o__payload[k] <= k == 2 ? 16'bx : result", "o__payload has unknown"),
        ("pause <= go;", "pause <= go; if (!o__ready) o__payload[0] <= 7;", "the payload of o changed"),
        ("if (o__ready) o__valid <= 0;", "o__valid <= 0;", "valid of o fell before"),
        ("pause <= 0;", "pause <= 0; $finish;", "ended before its bench was through"),
        ("pause <= 0;", "pause <= 0; $stop;", "ended before its bench was through"),
        ("wire go =", "wire o = ~o & i__valid; wire go = o |", "was stuck for 5 s"),
    ],
)
def test_what_misbehaves_is_a_failure(theirs, monkeypatch, old, new, fault):
    monkeypatch.setattr(runner, "STUCK_SECONDS", 5)
    change("affine.sv", old, new)
    result = played("icarus")
    assert not result.ok
    assert any(fault in found for found in result.faults), result.faults


def test_what_ends_verilator_is_a_failure(theirs):
    change("affine.sv", "pause <= 0;", "pause <= 0; $stop;")
    result = played("verilator")
    assert not result.ok
    assert by_name(result)["simulation"].failures == 1
    assert by_name(result)["values"].skipped == "the simulator left no report"


def refused(*files: str, tool: str = "verilator") -> str:
    with pytest.raises(InputError) as error:
        foreign_design([Path(file) for file in files or ("affine.sv", "scale.sv")], "affine", SMALL, tool)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "[LANES-1:0][31:0] i__payload",
            "[LANES-1:0][15:0] i__payload",
            "port i__payload must be an input of 128 bits, not an input of 64 bits",
        ),
        (
            "rst,\n",
            "reset,\n",
            "port rst must be an input of 1 bit, not missing; port reset is an input of 1",
        ),
        (
            "input  wire                   o__ready",
            "output wire o__ready",
            "port o__ready must be an input of 1 bit, not an output of 1 bit",
        ),
        (
            "o__ready\n);",
            "o__ready, output [7:0] debug\n);",
            "port debug is an output of 8 bits, which affine of small does not have",
        ),
        (
            "[LANES-1:0][31:0] i__payload",
            "[31:0] i__payload [LANES]",
            "port i__payload must be an input of 128 bits, not an input that is no vector of bits",
        ),
    ],
)
def test_ports_that_are_wrong_are_refused(theirs, old, new, message):
    change("affine.sv", old, new)
    if "reset" in new:
        change("affine.sv", "if (rst)", "if (reset)")
    if "[LANES]" in new:
        change("affine.sv", ".x(i__payload[k])", ".x(i__payload[k][31:0])")
    assert message in refused()


def test_files_that_are_wrong_are_refused(theirs):
    Path("two.v").write_text("module a; endmodule module b; endmodule")
    Path("bad.v").write_text("module affine; wire 3; endmodule")
    assert refused("none.v") == "none.v does not exist"
    assert refused("types.svh") == "--rtl must be files .v and .sv, not types.svh"
    assert "module scale is no affine of small: port clk must be an input of 1 bit, not missing" in refused(
        "scale.sv"
    )
    assert "Call it affine: a, b are used by no other one" in refused("two.v")
    message = refused("bad.v")
    assert f"{theirs}/bad.v:1:" in message
    log = re.search(r"all of it is in (\S+\.log)$", message)
    assert log and "syntax error" in Path(log[1]).read_text()
    assert "Cannot find file containing module: 'scale'" in refused("affine.sv")


@needs_icarus
def test_the_first_error_of_icarus(theirs):
    Path("odd.sv").write_text("module odd; `ifdef __ICARUS__\nwire 3;\n`endif\nendmodule\n")
    message = refused("affine.sv", "scale.sv", "odd.sv", tool="icarus")
    assert f"{theirs}/odd.sv:2: syntax error" in message


def test_the_only_top_is_taken(theirs):
    change("affine.sv", "module affine ", "module mine ")
    assert (
        "  mine unit("
        in foreign_design([Path("affine.sv"), Path("scale.sv")], "affine", SMALL, "verilator").verilog
    )


@TOOLS
def test_a_changed_include_is_compiled_again(theirs, tool):
    files = [Path("affine.sv"), Path("scale.sv")]
    before = foreign_design(files, "affine", SMALL, tool)
    change("types.svh", "logic        wide;", "logic wide /* again */;")
    change("types.svh", "logic [5:0]  c;", "bit [5:0] c;")
    assert foreign_design(files, "affine", SMALL, tool) != before


@needs_icarus
def test_files_that_the_rtl_reads_are_found_from_where_we_are(theirs):
    change("scale.sv", "32767", "limit[0]")
    change("scale.sv", "module scale (", "module scale (")
    change(
        "scale.sv",
        "    wire signed [65:0] sum",
        """    reg [65:0] limit [0:0];
    initial $readmemh("limit.hex", limit);
    wire signed [65:0] sum""",
    )
    change("scale.sv", "66'sdlimit[0]", "$signed(limit[0])")
    Path("limit.hex").write_text("7fff\n")
    assert played("icarus").ok
    Path("limit.hex").write_text("7ffe\n")
    assert not played("icarus").ok
