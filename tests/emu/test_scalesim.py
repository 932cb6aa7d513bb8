"""SCALE-Sim's files and compute cycles."""

from __future__ import annotations

import pytest

from intarsia.arch.duration import ACCESS, ISSUE
from intarsia.arch.isa.matmul import ARRAY_PIPELINE, REQUANTIZE_PIPELINE
from intarsia.arch.machine import Machine
from intarsia.emu.scalesim import Systolic, compare, compute_cycles, machine_cycles, read_config
from intarsia.emu.topology import Product, read_topology
from intarsia.model.errors import InputError

MACHINE = Machine(
    name="test", clock_mhz=800, lanes=32, depth=32, accumulator_rows=512,
    shiftmax_lanes=16, layernorm_lanes=16, gelu_lanes=16, elementwise_lanes=32,
    banks=112, bank_kib=32, stationary_kib=256, memory_width=16, memory_latency=100,
)  # fmt: skip

CONFIG = """[general]
run_name = run_32x32

[architecture_presets]
ArrayHeight: 32
ArrayWidth:  16
IfmapSramSzkB: 64
Dataflow : {dataflow}
Bandwidth : 10

[run_presets]
InterfaceBandwidth: CALC
"""


@pytest.fixture
def config(tmp_path):
    def write(text):
        (tmp_path / "scale.cfg").write_text(text)
        return read_config(tmp_path / "scale.cfg")

    return write


@pytest.mark.parametrize(
    ("dataflow", "m", "n", "k", "rows", "columns", "cycles"),
    [
        # One fold, then folds in both directions, ragged ones among them.
        ("ws", 1, 1, 1, 1, 1, 1),
        ("ws", 10, 4, 4, 4, 4, 1 * 1 * (10 + 8 + 4 - 2) - 1),
        ("ws", 1025, 576, 192, 32, 32, 6 * 18 * (1025 + 64 + 32 - 2) - 1),
        ("ws", 7, 33, 65, 32, 16, 3 * 3 * (7 + 64 + 16 - 2) - 1),
        ("os", 10, 4, 4, 4, 4, 3 * 1 * (4 + 4 + 4 - 2) - 1),
        ("os", 1025, 576, 192, 32, 32, 33 * 18 * (192 + 32 + 32 - 2) - 1),
        ("os", 7, 33, 65, 32, 16, 1 * 3 * (65 + 32 + 16 - 2) - 1),
        # What SCALE-Sim 3.0.0 printed.
        ("is", 1, 1, 1, 8, 8, 22),
        ("is", 1, 10, 64, 12, 14, 275),
        ("is", 64, 64, 64, 16, 4, 6271),
        ("is", 100, 3, 33, 32, 32, 775),
        ("is", 17, 33, 65, 8, 8, 1484),
        ("is", 40, 1, 40, 32, 32, 379),
    ],
)
def test_compute_cycles(dataflow, m, n, k, rows, columns, cycles):
    assert compute_cycles(Product("x", m, n, k), Systolic("a", rows, columns, dataflow)) == cycles


def test_configs_are_read(config):
    assert config(CONFIG.format(dataflow="ws")) == Systolic("run_32x32", 32, 16, "ws")
    assert config(CONFIG.format(dataflow="OS")).dataflow == "os"
    assert config(CONFIG.format(dataflow="is")).dataflow == "is"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a section \[architecture_presets\], not one without"),
        ("ArrayHeight: 3\n", "is not a SCALE-Sim config"),
        (CONFIG.format(dataflow="rs"), "Dataflow must be one of ws, os, is, not 'rs'"),
        (CONFIG.replace("ArrayWidth:  16\n", ""), "ArrayWidth is missing"),
        (
            CONFIG.replace("ArrayWidth:  16", "ArrayWidth:  -1"),
            "ArrayWidth must be a positive integer, not '-1'",
        ),
        (
            CONFIG.format(dataflow="ws") + "[sparsity]\nSparsitySupport : true\n",
            "SparsitySupport must be false",
        ),
    ],
)
def test_bad_configs_are_refused(config, text, message):
    with pytest.raises(InputError, match=message):
        config(text)


def test_files_that_are_not_text_or_not_there_are_refused(tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00\x81")
    for read in (read_topology, read_config):
        with pytest.raises(InputError, match="binary must be a .* in UTF-8, not other bytes$"):
            read(tmp_path / "binary")
        (tmp_path / "long").write_bytes(b"a" * ((1 << 20) + 1))
        with pytest.raises(InputError, match="long must have at most 1048576 bytes, not more$"):
            read(tmp_path / "long")
        with pytest.raises(InputError, match="does not exist"):
            read(tmp_path / "none")


def test_comparison_adds_up():
    products = (Product("a", 64, 32, 32), Product("b", 100, 7, 33))
    report = compare(products, Systolic("x", 32, 32, "ws"), MACHINE)
    first, second = report["layers"]
    assert (first["start"], first["end"]) == (0, first["cycles"])
    assert (second["start"], second["end"]) == (first["end"], report["cycles"])
    assert report["macs"] == 64 * 32 * 32 + 100 * 7 * 33
    assert report["mac_utilization"] == report["macs"] / (report["cycles"] * 1024)
    assert report["machine"]["cycles"] == first["machine_cycles"] + second["machine_cycles"]
    assert compare((Product("a", 1, 1, 1),), Systolic("x", 1, 1, "os"))["mac_utilization"] == 0


def test_machine_cycles_fill_the_accumulators():
    machine = MACHINE  # 512 rows
    one, rest = (
        machine_cycles(Product("a", 512, 64, 64), machine),
        machine_cycles(Product("a", 1, 64, 64), machine),
    )
    assert machine_cycles(Product("a", 1025, 64, 64), machine) == 2 * one + rest
    fixed = ISSUE + ACCESS + ARRAY_PIPELINE + REQUANTIZE_PIPELINE
    assert one == fixed + 32 + 2 * 2 * 512 + 512 + 1
