"""The report of a model on a machine: keys, sums, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.metric import macs
from intarsia.emu.simulation import named_size, network, simulate, simulate_graph
from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import save_artifact
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.sim.random_graph import renamed
from tests.emu.bounds import array_bound
from tests.emu.compile.edits import with_probabilities


@pytest.fixture(scope="module")
def report():
    return simulate(model=network("mini", "scenes", (64, 80)), machine="edge")


def test_keys_of_the_public_interface(report):
    found = report.to_dict()
    assert {"size", "dataset", "image", "tokens", "macs"} <= set(found["model"])
    assert found["model"]["size"] == "mini"
    assert found["model"]["image"] == [64, 80]
    assert found["model"]["tokens"] == 8 * 10 + 1
    assert {"name", "lanes", "depth", "clock_mhz"} <= set(found["machine"])
    assert {"dram", "scratchpad", "stationary", "accumulator"} <= set(found["traffic_bits"])
    for both in found["traffic_bits"].values():
        assert set(both) == {"read", "write"}
    for layer in found["layers"]:
        assert {"name", "op", "start", "end", "cycles", "macs", "utilization"} <= set(layer)


def test_figures_agree_with_each_other(report):
    found, machine = report.to_dict(), report.machine
    peak = machine.lanes * machine.depth
    assert found["mac_utilization"] == found["model"]["macs"] / (found["cycles"] * peak)
    assert found["mac_utilization"] <= found["array_utilization"] <= 1
    assert found["latency_ms"] == pytest.approx(found["cycles"] / machine.clock_mhz / 1000)
    assert found["fps"] * found["latency_ms"] == pytest.approx(1000)
    assert found["cycles"] >= array_bound(report.program)
    for unit in found["units"].values():
        assert unit["busy"] + unit["stalled"] == found["cycles"]
        assert sum(unit["stalls"].values()) == unit["stalled"]
        assert unit["busy"] + unit["idle"] + unit["mid_work"] == found["cycles"]
        assert sum(unit["idle_causes"].values()) == unit["idle"]
        assert sum(unit["mid_work_causes"].values()) == unit["mid_work"]
    for layer in found["layers"]:
        assert 0 <= layer["start"] < layer["end"] <= found["cycles"]
        assert layer["cycles"] == layer["end"] - layer["start"]
        assert layer["utilization"] <= 1
    assert found["dram_bytes"]["moved"] >= found["dram_bytes"]["fused"] * 0.9
    for level, classes in found["traffic_by_class"].items():
        for way in ("read", "write"):
            assert sum(part[way] for part in classes.values()) == found["traffic_bits"][level][way]


def test_every_mac_of_the_graph_is_in_a_layer(report):
    by_name = {layer["name"]: layer for layer in report.layers}
    assert sum(layer["macs"] for layer in report.layers) == report.macs == macs(report.graph)
    assert {by_name[node.name]["op"] for node in report.graph.nodes if node.name in by_name} >= {
        "linear", "scores", "shiftmax", "mix", "layernorm", "gelu", "residual", "argmax",
    }  # fmt: skip


def test_dram_of_layers_adds_up(report):
    for way in ("read", "write"):
        moved = sum(layer["dram_bits"][way] for layer in report.layers)
        assert moved == report.traffic["dram"][way]


def test_energy_and_roofline_are_there(report):
    assert report.energy["total_uj"] > 0
    assert {"mac", "dram", "scratchpad", "shiftmax"} <= set(report.energy["uj"])
    points = report.roofline.points
    assert {point.op for point in points} == {"linear", "scores", "mix", "matmul"}
    assert all(point.achieved <= report.machine.lanes * report.machine.depth for point in points)


def test_small_memories_spill_and_it_is_told():
    small = Machine(**{**vars(Machine.load("edge")), "banks": 64, "bank_kib": 2, "accumulator_rows": 32})
    graph = network("mini", "scenes", (128, 128))
    found = simulate_graph(graph, small).to_dict()
    assert found["spills"]
    assert any(found["short_of_memory"].values())
    for spill in found["spills"]:
        assert spill["write"] > 0
        assert spill["read"] > 0


def test_a_model_of_a_file_keeps_its_options_and_takes_another_window(graph, tmp_path):
    save_artifact(graph, tmp_path / "model.intarsia")
    same = network(model=tmp_path / "model.intarsia")
    assert same.config == graph.config
    wide = network(model=tmp_path / "model.intarsia", image=(40, 120))
    assert (wide.config.image, wide.options) == ((40, 120), graph.options)


def test_blocks_that_differ_are_known_on_their_own_window_only(graph):
    """Config and options have one value for all blocks: they cannot say which is the wide one."""
    mixed = with_probabilities(graph, "encoder.blocks.1", 8)
    assert network(model=mixed, image=graph.config.image) is mixed
    with pytest.raises(InputError) as error:
        network(model=mixed, image=(40, 120))
    assert str(error.value) == (
        "encoder.blocks.1.shiftmax: is not as the model's description says, so the model can be simulated "
        "on its own window of 60x80 only"
    )


def test_names_of_a_graph_are_those_of_its_layers(graph):
    rng = np.random.default_rng(0)
    plain, other = (simulate_graph(g, Machine.load("edge")) for g in (graph, renamed(graph, rng)))
    assert [layer["op"] for layer in plain.layers] == [layer["op"] for layer in other.layers]
    known = {node.name for node in other.graph.nodes} | {
        "encoder residual", "decoder residual", "encoder output"
    }  # fmt: skip
    assert {layer["name"] for layer in other.layers} <= known
    for key in ("cycles", "traffic_bits", "model", "spills"):
        assert plain.to_dict()[key] == other.to_dict()[key]


def test_what_does_not_go_together_is_refused(graph):
    with pytest.raises(InputError, match="not both"):
        network("tiny", model=graph)
    with pytest.raises(InputError, match="must be either a size or a model, not"):
        network()
    with pytest.raises(InputError, match="size must be one of"):
        network("huge")
    with pytest.raises(InputError, match="with which the model was quantized"):
        network(model=graph, options=QuantizeOptions("shift", 8))
    with pytest.raises(InputError, match="a machine must be a preset"):
        simulate(model=graph, machine="none")


def test_sizes_are_recognised():
    assert named_size(SegmenterConfig.named("base")) == "base"
    assert named_size(SegmenterConfig(embed=64, heads=2, layers=2, image=(8, 8), classes=2)) is None
