"""A whole network as segments: the runs of blocks, and what is before, between and after the stacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from emu.compile.arena import Arena
from emu.compile.context import Context, Matrix
from emu.compile.embedding import Embedding
from emu.compile.emitter import Emitter, segment
from emu.compile.global_part import Addresses, own_parameters
from emu.compile.head import Head
from emu.compile.layout import Layout
from emu.compile.limits import check_limits, padding_bytes
from emu.compile.pattern import find_network
from emu.compile.plan import Plan
from emu.compile.run import Planner, Run, place_runs
from emu.machine import Machine
from emu.program import Program, Region, Segment
from model.integer.graph import IMAGE, LABELS, Graph


class Compiler:
    """Compiles one graph for one machine. Constants have their places in DRAM from the start.

    Raises InputError, with the name of the node, for a graph that is no Segmenter (`find_network`) or
    that the machine has no room for.
    """

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph, self.machine = graph, machine
        self.network = find_network(graph)
        check_limits(graph, self.network, machine)
        self.layout = Layout(graph, machine)
        self.addresses = self._place()
        network = self.network
        self.encoder = place_runs(self.layout, "encoder", network.rows(network.embedding), network.encoder)
        self.decoder = place_runs(
            self.layout, "decoder", network.rows(network.decoder_tokens), network.decoder
        )
        self.plans: dict[str, Plan] = {}
        self._segments: list[Segment] = []

    def program(self) -> Program:
        """The program; InputError names what does not fit into the machine."""
        planner = Planner(self.machine)
        runs = (*self.encoder, *self.decoder)
        plans = (*planner.plans(self.encoder), *planner.plans(self.decoder))
        self.plans = {run.name: plan for run, plan in zip(runs, plans, strict=True)}
        self._segments = []
        c = Context(self.machine, Arena(self.machine.banks, self.machine.bank_bytes, self.machine.name))
        embedding = Embedding(c, self.network, self.addresses)
        head = Head(c, self.network, self.addresses)
        x, y = (side[0].residual(self.plans[side[0].name]) for side in (self.encoder, self.decoder))
        normed = self._normed()
        c.create(x)
        self._add(c, "embedding", lambda: embedding.embed(x))
        self._add_runs(c, self.encoder, x)
        c.create(normed, high=True)
        self._add(c, "encoder norm", lambda: embedding.encoder_norm(x, normed))
        c.destroy(x)
        c.create(y)
        self._add(c, "decoder tokens", lambda: embedding.decoder_tokens(normed, y))
        c.destroy(normed)
        self._add_runs(c, self.decoder, y)
        self._add(c, "head", lambda: head.head(y))
        return Program(
            machine=self.machine,
            segments=tuple(self._segments),
            regions=tuple(self.layout.regions),
            dram_bytes=self.layout.size,
            label_dtype=self.graph.tensors[LABELS].dtype,
        )

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

    def _normed(self) -> Matrix:
        """The encoder's output: on chip in one piece, as the decoder's rows begin inside its blocks."""
        run = self.encoder[-1]
        plan = self.plans[run.name]
        rows = run.tokens if plan.a_resident else plan.block_rows
        columns = self.network.columns(self.network.encoder_norm)
        return Matrix("encoder output", run.tokens, columns, "int8", rows, run.spill["a"], plan.a_resident)

    def _place(self) -> Addresses:
        layout, network, tensors = self.layout, self.network, self.graph.tensors
        return Addresses(
            image=layout.image(network.pixels.integer("patch")),
            table=layout.array(network.pixels.constants["table"]),
            cls_token=layout.array(network.tokens.constants["rows"]),
            position=layout.array(network.embedding.constants["identity"]),
            class_embedding=layout.array(network.decoder_tokens.constants["rows"]),
            parameters=layout.parameters("parameters", own_parameters(network)),
            encoder_norm=layout.layernorm(network.encoder_norm),
            decoder_norm=layout.layernorm(network.decoder_norm),
            mask_norm=layout.layernorm(network.mask_norm),
            patch_embed=layout.packed(network.patch_embed),
            proj_dec=layout.packed(network.proj_dec),
            proj_patch=layout.packed(network.vectors.linear),
            proj_classes=layout.packed(network.kernels.linear),
            labels=layout.place(LABELS, tensors[LABELS].size * tensors[LABELS].bits // 8, "labels"),
        )


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
    pixels = compiler.network.pixels
    height, width, channels = graph.tensors[IMAGE].shape
    patch = pixels.integer("patch")
    below, right = -height % patch, -width % patch
    padded_image = np.empty((height + below, width + right, channels), np.uint8)
    if below or right:
        padded_image[:] = padding_bytes(graph, pixels)
    padded_image[:height, :width] = image
    region = _region(program, "image")
    memory[region.address : region.address + padded_image.size] = padded_image.reshape(-1)
    return memory


def labels_of(graph: Graph, program: Program, memory: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
    """The labels [H, W] in DRAM after the program has run."""
    region = _region(program, "labels")
    piece = memory[region.address : region.address + region.size]
    return piece.view(program.label_dtype).reshape(graph.tensors[LABELS].shape)


def _region(program: Program, kind: str) -> Region:
    return next(region for region in program.regions if region.kind == kind)
