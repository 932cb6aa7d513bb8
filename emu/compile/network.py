"""A whole network as six segments: the two stacks of blocks, and what is before, between and after them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from emu.compile.arena import Arena
from emu.compile.block import Constants
from emu.compile.context import Context, Matrix
from emu.compile.embedding import Embedding
from emu.compile.emitter import Emitter, segment
from emu.compile.global_part import GLOBALS, Addresses
from emu.compile.head import Head
from emu.compile.layout import Layout, padded
from emu.compile.plan import Costs, Plan, choose
from emu.compile.stack import Stack
from emu.machine import SLOT_CHANNELS, Machine
from emu.program import Program
from model.errors import InputError
from model.integer.graph import IMAGE, LABELS, Graph, Node

BLOCK_NODES = (
    "norm1",
    "qkv",
    "scores",
    "shiftmax",
    "mix",
    "proj",
    "residual1",
    "norm2",
    "fc1",
    "gelu",
    "fc2",
    "residual2",
)


@dataclass(frozen=True)
class _Side:
    """Encoder or decoder: its tokens, and where its constants and its spilled tensors lie in DRAM."""

    name: str
    tokens: int
    repeat: int
    base: int
    step: int
    nodes: dict[str, Node]
    constants: Constants
    spill: dict[str, int]

    def residual(self, plan: Plan) -> Matrix:
        """The residual stream with this plan."""
        embed = self.constants.proj.outputs
        name = f"{self.name} residual"
        return Matrix(name, self.tokens, embed, "int16", plan.block_rows, self.spill["x"], plan.x_resident)

    def stack(self, context: Context, plan: Plan, x: Matrix) -> Stack:
        """What emits one of its blocks."""
        name = f"{self.name}.blocks.{{i}}"
        return Stack(context, name, self.nodes, self.constants, plan, x, self.spill)


class Compiler:
    """Compiles one graph for one machine. Constants have their places in DRAM from the start."""

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph, self.machine, self.config = graph, machine, graph.config
        self.nodes = {node.name: node for node in graph.nodes}
        self.layout = Layout(graph, machine)
        if max(self.config.embed, self.config.classes) > SLOT_CHANNELS:
            wide = max(self.config.embed, self.config.classes)
            raise InputError(
                f"LayerNorm rows of {wide} do not fit: the machine's constants hold {SLOT_CHANNELS}"
            )
        longest = max(
            self.config.patches + max(1, self.config.classes), self.config.embed * self.config.mlp_ratio
        )
        if longest > machine.row_length:
            raise InputError(
                f"rows of {longest} do not fit: units.row_length (Shiftmax, GELU) is {machine.row_length}"
            )
        self.addresses = self._place()
        patches = self.config.patches
        self.encoder = self._side("encoder", self.config.layers, patches + 1)
        self.decoder = self._side("decoder", self.config.decoder_layers, patches + self.config.classes)
        self.plans: dict[str, Plan] = {}

    def program(self) -> Program:
        """The program; InputError names what does not fit into the machine."""
        encoder, decoder = self.encoder, self.decoder
        self.plans = {side.name: self._plan(side) for side in (encoder, decoder)}
        plan = self.plans["encoder"]
        c = Context(self.machine, self._arena())
        embedding = Embedding(c, self.config, self.addresses)
        head = Head(c, self.config, self.addresses)
        x, y = (side.residual(self.plans[side.name]) for side in (encoder, decoder))
        segments = []

        def add(name: str, emit: Callable[[], None], side: _Side | None = None) -> None:
            def run(emitter: Emitter) -> None:
                c.emitter = emitter
                c.begin()
                emit()
                c.flush()

            repeat, base, step = (side.repeat, side.base, side.step) if side else (1, 0, 0)
            segments.append(segment(self.machine, name, run, repeat=repeat, base=base, base_step=step))

        # On chip in one piece: the decoder's rows begin in the middle of the encoder's blocks.
        rows = encoder.tokens if plan.a_resident else plan.block_rows
        normed = Matrix(
            "encoder output",
            encoder.tokens,
            self.config.embed,
            "int8",
            rows,
            encoder.spill["a"],
            plan.a_resident,
        )
        c.create(x)
        add("embedding", lambda: embedding.embed(x))
        add("encoder", encoder.stack(c, plan, x).emit, encoder)
        c.create(normed, high=True)
        add("encoder norm", lambda: embedding.encoder_norm(x, normed))
        c.destroy(x)
        c.create(y)
        add("decoder tokens", lambda: embedding.decoder_tokens(normed, y))
        c.destroy(normed)
        add("decoder", decoder.stack(c, self.plans["decoder"], y).emit, decoder)
        add("head", lambda: head.head(y))
        return Program(
            machine=self.machine,
            segments=tuple(segments),
            regions=tuple(self.layout.regions),
            dram_bytes=self.layout.size,
            label_dtype=self.graph.tensors[LABELS].dtype,
        )

    def spills(self) -> dict[str, list[str]]:
        """Per stack of the program, what leaves the chip or is read more than once for lack of memory."""
        return {name: plan.spills for name, plan in self.plans.items()}

    def _place(self) -> Addresses:
        layout, nodes = self.layout, self.nodes
        height, width = self.config.image
        item = np.dtype(self.graph.tensors[LABELS].dtype).itemsize
        return Addresses(
            image=layout.image(self.config.patch),
            table=layout.array("pixels.table"),
            cls_token=layout.array("encoder.tokens.rows"),
            position=layout.array("encoder.embedding.identity"),
            class_embedding=layout.array("decoder.tokens.rows"),
            parameters=layout.parameters("parameters", {name: nodes[name] for name in GLOBALS}),
            encoder_norm=layout.layernorm(nodes["encoder.norm"]),
            decoder_norm=layout.layernorm(nodes["decoder.norm"]),
            mask_norm=layout.layernorm(nodes["decoder.mask_norm"]),
            patch_embed=layout.packed(nodes["encoder.patch_embed"]),
            proj_dec=layout.packed(nodes["decoder.proj_dec"]),
            proj_patch=layout.packed(nodes["decoder.proj_patch"]),
            proj_classes=layout.packed(nodes["decoder.proj_classes"]),
            labels=layout.place(LABELS, height * width * item, "labels"),
        )

    def _side(self, name: str, repeat: int, tokens: int) -> _Side:
        layout, config = self.layout, self.config
        places: list[tuple[int, Constants]] = []
        for i in range(repeat):
            nodes = {key: self.nodes[f"{name}.blocks.{i}.{key}"] for key in BLOCK_NODES}
            start = layout.size
            places.append((start, Constants.place(layout, nodes, start)))
        base = places[0][0]
        step = places[1][0] - base if repeat > 1 else 0
        assert all(start == base + i * step and c == places[0][1] for i, (start, c) in enumerate(places))
        heads = self.nodes[f"{name}.blocks.0.scores"].integer("heads")
        mixed = heads * padded(config.embed // heads, 16)
        spill = {
            "x": layout.place(f"{name} residual", tokens * padded(2 * config.embed, 16), "activations"),
            "a": layout.place(f"{name} normalized", tokens * padded(config.embed, 16), "activations"),
            "mix": layout.place(f"{name} mixed", tokens * mixed, "activations"),
        }
        nodes = {key: self.nodes[f"{name}.blocks.0.{key}"] for key in BLOCK_NODES}
        return _Side(name, tokens, repeat, base, step, nodes, places[0][1], spill)

    def _arena(self) -> Arena:
        return Arena(self.machine.banks, self.machine.bank_bytes, self.machine.name)

    def _plan(self, side: _Side) -> Plan:
        costs = Costs(
            self.config.embed,
            side.constants.fc1.outputs,
            side.nodes["scores"].integer("heads"),
            self.graph.options.softmax_bits == 16,
            self.machine,
        )
        attempt = partial(self._attempt, side)
        return choose(side.tokens, self.machine, costs, attempt)

    def _attempt(self, side: _Side, plan: Plan, phase: str) -> None:
        """Raise InputError if a phase of a block does not fit with this plan; emits nothing."""
        context = Context(self.machine, self._arena())
        x = side.residual(plan)
        context.create(x)
        stack = side.stack(context, plan, x)
        if phase == "attention":
            stack.attention(heads=1)
        elif phase == "project":
            context.create(stack.mix, high=True)
            stack.project()
        else:
            stack.mlp()


def compile_graph(graph: Graph, machine: Machine) -> Program:
    """The program that computes `graph` (real or an outline) on `machine`."""
    return Compiler(graph, machine).program()


def memory_image(graph: Graph, program: Program, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """DRAM before the program runs: constants and the picture uint8 [H, W, 3]."""
    memory = np.zeros(program.dram_bytes, np.uint8)
    for address, content in Compiler(graph, program.machine).layout.writers:
        piece = content()
        memory[address : address + piece.size] = piece
    config = graph.config
    height, width = config.image
    rows, columns = (g * config.patch for g in config.grid)
    padded_image = np.empty((rows, columns, 3), np.uint8)
    # Where the patch does not divide the picture, bytes that the table maps to 0.
    table = graph.constants["pixels.table"]
    padded_image[:] = [int(np.flatnonzero(table[channel] == 0)[0]) for channel in range(3)]
    padded_image[:height, :width] = image
    region = next(r for r in program.regions if r.name == IMAGE)
    memory[region.address : region.address + padded_image.size] = padded_image.reshape(-1)
    return memory


def labels_of(graph: Graph, program: Program, memory: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
    """The labels [H, W] in DRAM after the program has run."""
    region = next(r for r in program.regions if r.name == LABELS)
    piece = memory[region.address : region.address + region.size]
    return piece.view(program.label_dtype).reshape(graph.config.image)
