"""A whole network as segments: the runs of blocks, and what is before, between and after the stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Region, Segment
from intarsia.emu.compile.advice import Need, largest, refusal
from intarsia.emu.compile.arena import Arena
from intarsia.emu.compile.context import Context, Matrix
from intarsia.emu.compile.embedding import Embedding
from intarsia.emu.compile.emitter import Emitter, segment
from intarsia.emu.compile.global_part import Addresses, own_parameters
from intarsia.emu.compile.head import Head
from intarsia.emu.compile.layout import Layout, Packed
from intarsia.emu.compile.limits import check_limits, padding_bytes, row_needs, weight_needs
from intarsia.emu.compile.pattern import find_network
from intarsia.emu.compile.plan import Plan
from intarsia.emu.compile.run import Planner, Run, place_runs
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, LABELS, Graph

DRAM_BYTES = 1 << 32


class Compiler:
    """Compiles one graph for one machine. Constants have their places in DRAM from the start.

    Raises InputError, with the name of the node, for a graph that is no Segmenter (`find_network`) or
    that the machine has no room for.
    """

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph, self.machine = graph, machine
        self.network = find_network(graph)
        check_limits(graph, self.network)
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
        """The program; InputError names what does not fit into the machine, and what to set."""
        self._choose_plans()
        self._check_dram()
        self._segments = []
        c = Context(self.machine, self._arena(self.encoder[0]))
        embedding = Embedding(c, self.network, self.addresses)
        head = Head(c, self.network, self.addresses)
        x, y = (side[0].residual(self.plans[side[0].name]) for side in (self.encoder, self.decoder))
        normed = self._between(x, y)
        c.create(x)
        self._add(c, "embedding", lambda: embedding.embed(x))
        self._add_runs(c, self.encoder, x)
        c.create(normed, high=True)
        self._add(c, "encoder norm", lambda: embedding.encoder_norm(x, normed))
        c.destroy(x)
        c.arena.sharing = self.plans[self.decoder[0].name].sharing
        c.create(y)
        self._add(c, "decoder tokens", lambda: embedding.decoder_tokens(normed, y))
        c.destroy(normed)
        self._add_runs(c, self.decoder, y)
        self._add(c, "head", lambda: head.head(y, self._keep))
        self._check_dram()
        return Program(
            machine=self.machine,
            segments=tuple(self._segments),
            regions=tuple(self.layout.regions),
            dram_bytes=self.layout.size,
            label_dtype=self.graph.tensors[LABELS].dtype,
        )

    def _choose_plans(self) -> None:
        self._check_dram()
        needs = list(largest(self._needs(), self.machine))
        problem = ""
        if not needs:
            planner = Planner(self.machine, self._ends)
            try:
                for side in (self.encoder, self.decoder):
                    for run, plan in zip(side, planner.plans(side), strict=True):
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
        network, at = self.network, self.addresses
        found = {
            network.patch_embed.name: (at.patch_embed, 2),
            network.proj_dec.name: (at.proj_dec, 2),
            network.vectors.linear.name: (at.proj_patch, 1),
            network.kernels.linear.name: (at.proj_classes, 1),
        }
        for run in (*self.encoder, *self.decoder):
            nodes, constants = run.blocks[0].nodes, run.constants
            found[nodes["qkv"].name] = constants.qkv[0][0], 1
            found[nodes["proj"].name] = constants.proj, 2
            found[nodes["fc1"].name] = constants.fc1, 1
            found[nodes["fc2"].name] = constants.fc2, 2
        return found

    def _fits(self, machine: Machine) -> bool:
        """Whether the plan that needs the least fits into the scratchpad of such a machine."""
        planner = Planner(machine, self._ends)
        return all(planner.fits(run) for run in (*self.encoder, *self.decoder))

    def _check_dram(self) -> None:
        if self.layout.size > DRAM_BYTES:
            raise InputError(
                f"the network needs {self.layout.size} bytes of DRAM, of which addresses of 32 bits reach "
                f"{DRAM_BYTES}: a smaller network or picture is wanted"
            )

    def _arena(self, run: Run) -> Arena:
        machine, sharing = self.machine, self.plans[run.name].sharing
        return Arena(machine.banks, machine.bank_bytes, machine.name, sharing)

    def _keep(self, name: str, size: int) -> int:
        return self.layout.place(name, size, "activations")

    def _ends(self, context: Context, run: Run, x: Matrix) -> None:
        """What is before and behind a stack, with the encoder's output in DRAM; raises where it does not
        fit."""
        embedding = Embedding(context, self.network, self.addresses)
        if run in self.encoder:
            embedding.embed(x)
            embedding.encoder_norm(x, self._normed(x.block_rows, False))
            return
        plan = self.plans.get(self.encoder[-1].name)
        embedding.decoder_tokens(self._normed(plan.block_rows if plan else x.block_rows, False), x)
        Head(context, self.network, self.addresses).head(x)

    def _between(self, x: Matrix, y: Matrix) -> Matrix:
        """The encoder's output: on chip if it finds room there between the two residuals."""
        run, other = self.encoder[-1], self.decoder[0]
        plan = self.plans[run.name]
        if plan.a_resident:
            # In one piece: the decoder's rows begin in the middle of the encoder's blocks.
            normed = self._normed(run.tokens, True)
            try:
                c = Context(self.machine, self._arena(other))
                c.create(y)
                addresses = y.addresses
                c = Context(self.machine, self._arena(run))
                embedding = Embedding(c, self.network, self.addresses)
                c.create(x)
                c.create(normed, high=True)
                embedding.encoder_norm(x, normed)
                c.destroy(x)
                c.arena.sharing = self.plans[other.name].sharing
                c.create(y)
                embedding.decoder_tokens(normed, y)
            except InputError:
                return self._normed(plan.block_rows, False)
            if y.addresses == addresses:  # as when the decoder was planned
                return normed
        return self._normed(plan.block_rows, False)

    def _normed(self, rows: int, resident: bool) -> Matrix:
        run, columns = self.encoder[-1], self.network.columns(self.network.encoder_norm)
        return Matrix("encoder output", run.tokens, columns, "int8", rows, run.spill["a"], resident)

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
