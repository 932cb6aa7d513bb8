"""One call from a model and a machine to everything that the emulator can say without running it.

from intarsia.emu import simulate
report = simulate("base", machine="mobile")
report.cycles, report.to_dict()["units"]["array"]
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from intarsia.arch.machine import KEYS, Machine
from intarsia.arch.program import Program
from intarsia.arch.timing import Timeline, simulate_program
from intarsia.emu.compile import Compiler
from intarsia.emu.compile.pattern import find_network
from intarsia.emu.compile.run import STRUCTURE
from intarsia.emu.definitions import DEFINITIONS, derived
from intarsia.emu.energy import energy, operations
from intarsia.emu.metric import compulsory_bytes, fused_bytes, macs
from intarsia.emu.next_step import next_steps
from intarsia.emu.over_time import OverTime
from intarsia.emu.roofline import Roofline, roofline
from intarsia.emu.traffic import level_sums, moved_bytes, traffic_by_class
from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.graph import IMAGE, Graph, Node, QuantizeOptions
from intarsia.model.networks import DEFAULT, find
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.quantize.outline import outline


@dataclass(frozen=True)
class Report:
    """A model on a machine: the program, its timeline and what follows from them."""

    graph: Graph
    size: str | None
    program: Program
    timeline: Timeline
    short_of_memory: dict[str, list[str]]
    """Per stack of blocks, what leaves the chip or is read more than once since memory is short."""

    @property
    def machine(self) -> Machine:
        """What it ran on."""
        return self.program.machine

    @property
    def cycles(self) -> int:
        """From the first instruction to the last byte of the outputs."""
        return self.timeline.cycles

    @property
    def latency_ms(self) -> float:
        """Time of one inference."""
        return self.cycles / (self.machine.clock_mhz * 1e3)

    @property
    def fps(self) -> float:
        """Inferences per second, one after another."""
        return 1e3 / self.latency_ms

    @cached_property
    def macs(self) -> int:
        """Multiplications of one inference."""
        return macs(self.graph)

    @property
    def mac_utilization(self) -> float:
        """MACs / (cycles * lanes * depth)."""
        return self.macs / (self.cycles * self.machine.lanes * self.machine.depth)

    @cached_property
    def operations(self) -> dict[str, int]:
        """MACs (two for a 16-bit operand) and elements of every kind of operation."""
        return operations(self.program)

    @cached_property
    def traffic_by_class(self) -> dict[str, dict[str, dict[str, int]]]:
        """Bits per memory, tensor class and direction."""
        return traffic_by_class(self.program)

    @property
    def traffic(self) -> dict[str, dict[str, int]]:
        """Bits per memory and direction."""
        return level_sums(self.traffic_by_class)

    @cached_property
    def layers(self) -> list[dict[str, Any]]:
        """Plain values of every layer, in order of start; `op` is the graph's where it knows the layer."""
        ops = {node.name: node.op for node in self.graph.nodes}
        peak = self.machine.lanes * self.machine.depth
        return [
            {
                "name": layer.name,
                "op": ops.get(layer.name, layer.op),
                "start": layer.start,
                "end": layer.end,
                "cycles": layer.cycles,
                "macs": layer.macs,
                "utilization": layer.utilization,
                "busy": layer.busy,
                "busy_utilization": layer.macs / (layer.busy * peak) if layer.busy else 0.0,
                "dram_bits": {"read": layer.dram_read * 8, "write": layer.dram_write * 8},
            }
            for layer in self.timeline.layers
        ]

    @cached_property
    def roofline(self) -> Roofline:
        """Layers under the bounds of the array and the memory port."""
        return roofline(self.machine, [{**layer, "cycles": layer["busy"]} for layer in self.layers])

    @cached_property
    def energy(self) -> dict[str, Any]:
        """See `emu.energy`."""
        return energy(self.machine, self.operations, self.traffic, self.cycles)

    @cached_property
    def over_time(self) -> OverTime:
        """DRAM and scratchpad over time; takes longer than all the rest, so `to_dict` leaves it out."""
        return OverTime(self.program, self.timeline)

    @cached_property
    def more_memory(self) -> list[dict[str, Any]]:
        """Where the next step is (see `emu.next_step`); empty where memory is not short.

        It takes a dozen compilations or two, so `to_dict` leaves it out.
        """
        short = self.short_of_memory
        return next_steps(self.graph, self.program, short) if any(short.values()) else []

    @cached_property
    def spills(self) -> list[dict[str, Any]]:
        """Tensors (or parts) that the schedule keeps in DRAM for a while: bytes, bits written and read."""
        moved = moved_bytes(self.program)
        return [
            {
                "tensor": region.name,
                "bytes": region.size,
                "write": moved[region]["write"] * 8,
                "read": moved[region]["read"] * 8,
            }
            for region in self.program.regions
            if region.kind == "activations" and any(moved[region].values())
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; the keys of the public interface and a few more."""
        config, machine = self.graph.config, self.machine
        worked = self.operations.get("mac", 0) / (self.cycles * machine.lanes * machine.depth)
        dram, network = self.traffic["dram"], find_network(self.graph)
        return {
            "model": {
                "network": self.graph.network,
                "task": find(self.graph.network).task,
                "size": self.size,
                "dataset": config.dataset,
                "image": list(self.graph.tensors[IMAGE].shape[:2]),
                "tokens": network.tokens(0),
                "macs": self.macs,
                "softmax_bits": self.graph.options.softmax_bits,
                "gelu": self.graph.options.gelu,
            },
            "machine": {
                "name": machine.name,
                "lanes": machine.lanes,
                "depth": machine.depth,
                "clock_mhz": machine.clock_mhz,
                "on_chip_bytes": machine.on_chip_bytes,
                "parameters": {key: getattr(machine, field) for key, field, _ in KEYS},
                "derived": derived(machine),
            },
            "cycles": self.cycles,
            "latency_ms": self.latency_ms,
            "fps": self.fps,
            "mac_utilization": self.mac_utilization,
            "array_utilization": worked,
            "traffic_bits": self.traffic,
            "traffic_by_class": self.traffic_by_class,
            "dram_bytes": {
                "moved": (dram["read"] + dram["write"]) // 8,
                "fused": fused_bytes(self.graph),
                "compulsory": compulsory_bytes(self.graph),
            },
            "units": {
                unit.unit.name.lower(): {
                    "busy": unit.busy,
                    "stalled": unit.stalled,
                    "stalls": dict(unit.stalls),
                    "idle": unit.idle,
                    "idle_causes": dict(unit.idles),
                    "mid_work": unit.mid_work,
                    "mid_work_causes": unit.mid_work_stalls,
                }
                for unit in self.timeline.units
            },
            "layers": self.layers,
            "energy": self.energy,
            "roofline": self.roofline.to_dict(),
            "spills": self.spills,
            "short_of_memory": self.short_of_memory,
            "definitions": DEFINITIONS,
        }


def simulate(
    size: str | None = None,
    dataset: str | None = None,
    image: tuple[int, int] | None = None,
    model: str | Path | Graph | None = None,
    machine: str | Path | Machine = "mobile",
    options: QuantizeOptions | None = None,
    network: str = DEFAULT,
) -> Report:
    """Compile a model for a machine and time it.

    size: one of the `network`'s on `dataset`, without weights, or model: an artifact or its graph.
    image: (height, width), default the model's own. options: widths and GELU form of a `size`;
    an artifact has its own. Raises InputError for what does not go together or does not fit.
    """
    graph = _graph(size, dataset, image, model, options, network)
    return simulate_graph(graph, machine, size or named_size(graph.config))


def simulate_graph(graph: Graph, machine: str | Path | Machine, size: str | None = None) -> Report:
    """The same for a graph that is already there."""
    compiler = Compiler(graph, machine if isinstance(machine, Machine) else Machine.load(machine))
    program = compiler.program()
    return Report(graph, size, program, simulate_program(program), compiler.spills())


def network(
    size: str | None = None,
    dataset: str | None = None,
    image: tuple[int, int] | None = None,
    model: str | Path | Graph | None = None,
    options: QuantizeOptions | None = None,
    name: str = DEFAULT,
) -> Graph:
    """The graph to simulate; see `simulate`. name: the network whose size is wanted."""
    if (size is None) == (model is None):
        raise InputError(
            f"what is simulated must be either a size or a model, not {'both' if size else 'neither'}"
        )
    if model is None:
        assert size is not None
        changes = {"image": image} if image else {}
        return outline(find(name).named(size, dataset, **changes), options, name)
    graph = model if isinstance(model, Graph) else load_artifact(Path(model))
    if options is not None and options != graph.options:
        raise InputError(
            f"options must be {graph.options}, with which the model was quantized, not {options}"
        )
    if image and tuple(image) != graph.config.image:
        # Time depends on shapes alone: the same network on another window needs no weights.
        _check_described(graph)
        return outline(replace(graph.config, image=image), graph.options, graph.network)
    return graph


_graph = network
"""Where an argument has its name."""


def _check_described(graph: Graph) -> None:
    """Refuse a network of which config and options do not say all that its time depends on."""
    described = outline(graph.config, graph.options, graph.network)
    known = {node.name: _structure(described, node) for node in described.nodes}
    for node in graph.nodes:
        if known.get(node.name) != _structure(graph, node):
            height, width = graph.config.image
            raise InputError(
                f"{node.name}: is not as the model's description says, so the model can be simulated on "
                f"its own window of {height}x{width} only"
            )


def _structure(graph: Graph, node: Node) -> tuple[object, ...]:
    """All of a node that time depends on."""
    chosen = tuple(node.attributes.get(key) for key in STRUCTURE)
    made = graph.output(node)
    return node.op, node.inputs, made.shape, made.dtype, chosen


def named_size(config: EncoderConfig) -> str | None:
    """Which of the named sizes an encoder is, if any."""
    return find(config.network).size_of(config)
