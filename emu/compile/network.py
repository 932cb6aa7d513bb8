"""A whole network as segments: the runs of blocks, and what is before, between and after the stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.machine import Machine
from intarsia.arch.program import OUTPUT_KINDS, Output, Program, Segment
from intarsia.emu.compile.advice import Need, largest, refusal
from intarsia.emu.compile.arena import Arena
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.emitter import Emitter, segment
from intarsia.emu.compile.layout import Layout, Packed
from intarsia.emu.compile.limits import check_limits, padding_bytes, row_needs, weight_needs
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.pattern import find_network
from intarsia.emu.compile.places import Places
from intarsia.emu.compile.plan import Plan
from intarsia.emu.compile.run import Planner, Run, place_runs
from intarsia.emu.compile.stages.stage import Keep, keep_nothing
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, Graph

DRAM_BYTES = 1 << 32
STACKS = ("encoder", "decoder")
"""What the first stacks of blocks are called, in segments, regions and reports."""


class Compiler:
    """Compiles one graph for one machine. Constants have their places in DRAM from the start.

    `stacks`: the runs of every stack of blocks. Raises InputError, with the name of the node, for a graph
    that is not understood (`find_network`) or that the machine has no room for.
    """

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph, self.machine = graph, machine
        self.network = find_network(graph)
        check_limits(graph, self.network)
        self.layout = Layout(graph, machine)
        self.places = Places.of(self.layout, self.network.own_nodes, graph.outputs)
        self.stacks = [
            place_runs(self.layout, self._name(i), self.network.tokens(i), blocks)
            for i, blocks in enumerate(self.network.stacks)
        ]
        self.plans: dict[str, Plan] = {}
        self._segments: list[Segment] = []

    def program(self) -> Program:
        """The program; InputError names what does not fit into the machine, and what to set."""
        self._choose_plans()
        self._check_dram()
        self._segments = []
        network, places = self.network, self.places
        residuals = [runs[0].residual(self.plans[runs[0].name]) for runs in self.stacks]
        x, c = residuals[0], Context(self.machine, self._arena(self.stacks[0][0]))
        c.create(x)
        self._add(c, "embedding", lambda: network.embedding.emit(c, places, x))
        self._add_runs(c, self.stacks[0], x)
        for i, between in enumerate(network.between):
            y, normed = residuals[i + 1], self._between(i, x, residuals[i + 1])
            c.create(normed, high=True)
            self._add(c, f"{self._name(i)} norm", partial(between.emit_norm, c, places, x, normed))
            c.destroy(x)
            c.arena.sharing = self.plans[self.stacks[i + 1][0].name].sharing
            c.create(y)
            self._add(c, f"{self._name(i + 1)} tokens", partial(between.emit_tokens, c, places, normed, y))
            c.destroy(normed)
            self._add_runs(c, self.stacks[i + 1], y)
            x = y
        self._add(c, "head", lambda: self._tails(c, x, self._keep))
        self._check_dram()
        labels, others = self._outputs()
        return Program(
            machine=self.machine,
            segments=tuple(self._segments),
            regions=tuple(self.layout.regions),
            dram_bytes=self.layout.size,
            label_dtype=labels[0].dtype if labels else "",
            outputs=tuple(others),
        )

    @staticmethod
    def _name(stack: int) -> str:
        return STACKS[stack] if stack < len(STACKS) else f"stack {stack}"

    def _outputs(self) -> tuple[list[Output], list[Output]]:
        """The labels, if there are some, and all other outputs."""
        kinds = {output.tensor: output.kind for output in self.graph.outputs}
        found = [Output(name, self.graph.tensors[name].dtype) for name in kinds]
        labels = [output for output in found if kinds[output.region] == "labels"][:1]
        return labels, [output for output in found if output not in labels]

    def _tails(self, c: Context, x: Matrix, keep: Keep = keep_nothing) -> None:
        for tail in self.network.tails:
            tail.emit(c, self.places, x, keep)

    def _choose_plans(self) -> None:
        self._check_dram()
        needs = list(largest(self._needs(), self.machine))
        problem = ""
        if not needs:
            planner = Planner(self.machine, self._ends)
            try:
                for runs in self.stacks:
                    for run, plan in zip(runs, planner.plans(runs), strict=True):
                        self.plans[run.name] = plan
                        run.keep(self.layout, plan)
                return
            except InputError as error:
                problem = str(error)
        self.plans = {}
        raise refusal(self.machine, needs, problem, self._fits)

    def _needs(self) -> Iterator[Need]:
        """What the machine must have whatever the plan."""
        yield from row_needs(self.graph, self.network)
        yield from weight_needs(self._weights(), self.machine.lanes)

    def _weights(self) -> dict[str, tuple[Packed, int]]:
        """All weights by the names of their nodes, with the bytes of an output."""
        found = {}
        for node in self.network.own_nodes:
            if node.op == "linear":
                found[node.name] = self.places.weights[node.name], node.integer("out_bits") // 8
        for run in chain(*self.stacks):
            nodes, constants = run.blocks[0].nodes, run.constants
            found[nodes["qkv"].name] = constants.qkv[0][0], 1
            found[nodes["proj"].name] = constants.proj, 2
            found[nodes["fc1"].name] = constants.fc1, 1
            found[nodes["fc2"].name] = constants.fc2, 2
        return found

    def _fits(self, machine: Machine) -> bool:
        """Whether the plan that needs the least fits into the scratchpad of such a machine."""
        planner = Planner(machine, self._ends)
        return all(planner.fits(run) for run in chain(*self.stacks))

    def _check_dram(self) -> None:
        if self.layout.size > DRAM_BYTES:
            raise InputError(
                f"the network must need at most {DRAM_BYTES} bytes of DRAM, which addresses of 32 bits "
                f"reach, not {self.layout.size}: take a smaller network or picture"
            )

    def _arena(self, run: Run) -> Arena:
        machine, sharing = self.machine, self.plans[run.name].sharing
        return Arena(machine.banks, machine.bank_bytes, machine.name, sharing)

    def _keep(self, name: str, size: int) -> int:
        return self.layout.place(name, size, "activations")

    def _ends(self, context: Context, run: Run, x: Matrix) -> None:
        """What is before and behind a stack, with what comes from the stack before in DRAM; raises where it
        does not fit."""
        network, places = self.network, self.places
        stack = next(i for i, runs in enumerate(self.stacks) if run in runs)
        if stack == 0:
            network.embedding.emit(context, places, x)
        else:
            plan = self.plans.get(self.stacks[stack - 1][-1].name)
            normed = self._normed(stack - 1, plan.block_rows if plan else x.block_rows, False)
            network.between[stack - 1].emit_tokens(context, places, normed, x)
        if stack < len(network.between):
            normed = self._normed(stack, x.block_rows, False)
            network.between[stack].emit_norm(context, places, x, normed)
        else:
            self._tails(context, x)

    def _between(self, stack: int, x: Matrix, y: Matrix) -> Matrix:
        """The normalized output of a stack: on chip if it finds room there between the two residuals."""
        run, other, between = self.stacks[stack][-1], self.stacks[stack + 1][0], self.network.between[stack]
        plan = self.plans[run.name]
        if plan.a_resident:
            # In one piece: the next stack's rows begin in the middle of this one's blocks.
            normed = self._normed(stack, run.tokens, True)
            try:
                c = Context(self.machine, self._arena(other))
                c.create(y)
                addresses = y.addresses
                c = Context(self.machine, self._arena(run))
                c.create(x)
                c.create(normed, high=True)
                between.emit_norm(c, self.places, x, normed)
                c.destroy(x)
                c.arena.sharing = self.plans[other.name].sharing
                c.create(y)
                between.emit_tokens(c, self.places, normed, y)
            except InputError:
                return self._normed(stack, plan.block_rows, False)
            if y.addresses == addresses:  # as when the next stack was planned
                return normed
        return self._normed(stack, plan.block_rows, False)

    def _normed(self, stack: int, rows: int, resident: bool) -> Matrix:
        run = self.stacks[stack][-1]
        columns = self.network.columns(self.network.between[stack].normed.norm)
        name = f"{self._name(stack)} output"
        return Matrix(name, run.tokens, columns, "int8", rows, run.spill["a"], resident)

    def spills(self) -> dict[str, list[str]]:
        """Per run of blocks, what leaves the chip or is read more than once for lack of memory."""
        return {name: plan.spills for name, plan in self.plans.items()}

    def _add_runs(self, c: Context, runs: Sequence[Run], x: Matrix) -> None:
        for run in runs:
            self._add(c, run.name, run.block(c, self.plans[run.name], x).emit, run)

    def _add(self, c: Context, name: str, emit: Callable[[], None], run: Run | None = None) -> None:
        """Append a segment: the blocks of a run, or a part that occurs once."""

        def write(emitter: Emitter) -> None:
            c.emitter = emitter
            c.begin()
            emit()
            c.flush()

        # A name of the graph that looks like a label stands for itself.
        own = tuple((node.name, (node.name,)) for node in self.graph.nodes if "{i}" in node.name)
        repeat, base, step = (len(run.blocks), run.base, run.step) if run else (1, 0, 0)
        names = run.listed if run else own
        made = segment(self.machine, name, write, repeat=repeat, base=base, base_step=step, names=names)
        self._segments.append(made)


def compile_graph(graph: Graph, machine: Machine) -> Program:
    """The program that computes `graph` (real or an outline) on `machine`."""
    return Compiler(graph, machine).program()


def memory_image(graph: Graph, program: Program, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """DRAM before the program runs: constants and the picture uint8 [H, W, 3]."""
    memory = np.zeros(program.dram_bytes, np.uint8)
    compiler = Compiler(graph, program.machine)
    for address, content in compiler.layout.writers:
        piece = content()
        memory[address : address + piece.size] = piece
    pixels = compiler.network.embedding.pixels
    height, width, channels = graph.tensors[IMAGE].shape
    patch = pixels.integer("patch")
    below, right = -height % patch, -width % patch
    padded_image = np.empty((height + below, width + right, channels), np.uint8)
    if below or right:
        padded_image[:] = padding_bytes(graph, pixels)
    padded_image[:height, :width] = image
    region = next(region for region in program.regions if region.kind == "image")
    memory[region.address : region.address + padded_image.size] = padded_image.reshape(-1)
    return memory


def outputs_of(graph: Graph, program: Program, memory: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
    """What left the network, by the names of the graph's outputs, of DRAM after the program has run."""
    regions = {region.name: region for region in program.regions if region.kind in OUTPUT_KINDS}
    found = {}
    for output in graph.outputs:
        region, tensor = regions[output.tensor], graph.tensors[output.tensor]
        piece = memory[region.address : region.address + region.size]
        found[output.name] = piece.view(program.output_dtype(region)).reshape(tensor.shape)
    return found


def labels_of(graph: Graph, program: Program, memory: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
    """The labels [H, W] in DRAM after the program has run, of a network that makes some."""
    (output,) = graph.of_kind("labels")
    return outputs_of(graph, program, memory)[output.name]
