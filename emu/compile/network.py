"""A whole network as five segments: embedding, encoder blocks, into the decoder, decoder blocks, head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    """Encoder or decoder: its constants, plan and residual."""

    name: str
    repeat: int
    base: int
    step: int
    nodes: dict[str, Node]
    constants: Constants
    plan: Plan
    x: Matrix
    spill: dict[str, int]


class Compiler:
    """Compiles one graph for one machine."""

    def __init__(self, graph: Graph, machine: Machine) -> None:
        self.graph, self.machine, self.config = graph, machine, graph.config
        self.nodes = {node.name: node for node in graph.nodes}
        self.layout = Layout(graph, machine)
        self.arena = Arena(machine.banks, machine.bank_bytes, machine.name)
        self.context = Context(machine, self.arena)
        if max(self.config.embed, self.config.classes) > SLOT_CHANNELS:
            wide = max(self.config.embed, self.config.classes)
            raise InputError(
                f"LayerNorm rows of {wide} do not fit: the machine's constants hold {SLOT_CHANNELS}"
            )

    def program(self) -> Program:
        """The program; InputError names what does not fit into the machine."""
        addresses = self._place()
        tokens = self.config.patches
        encoder = self._side("encoder", self.config.layers, tokens + 1)
        decoder = self._side("decoder", self.config.decoder_layers, tokens + self.config.classes)
        c = self.context
        embedding = Embedding(c, self.config, addresses)
        head = Head(c, self.config, addresses)
        self.sides = (encoder, decoder)
        segments = []

        def add(name: str, emit: Callable[[], None], side: _Side | None = None) -> None:
            def run(emitter: Emitter) -> None:
                c.emitter = emitter
                c.begin()
                emit()
                c.flush()

            repeat, base, step = (side.repeat, side.base, side.step) if side else (1, 0, 0)
            segments.append(segment(self.machine, name, run, repeat=repeat, base=base, base_step=step))

        resident = encoder.plan.a_resident
        rows = tokens + 1 if resident else encoder.plan.block_rows
        normed = Matrix(
            "encoder output", tokens + 1, self.config.embed, "int8", rows, encoder.spill["a"], resident
        )
        c.create(encoder.x)
        add("embedding", lambda: embedding.embed(encoder.x))
        add("encoder", self._stack(encoder).emit, encoder)
        c.create(normed, high=True)
        add("encoder norm", lambda: embedding.encoder_norm(encoder.x, normed))
        c.destroy(encoder.x)
        c.create(decoder.x)
        add("decoder tokens", lambda: embedding.decoder_tokens(normed, decoder.x))
        c.destroy(normed)
        add("decoder", self._stack(decoder).emit, decoder)
        add("head", lambda: head.head(decoder.x))
        return Program(
            machine=self.machine,
            segments=tuple(segments),
            regions=tuple(self.layout.regions),
            dram_bytes=self.layout.size,
            label_dtype=self.graph.tensors[LABELS].dtype,
        )

    def spills(self) -> dict[str, list[str]]:
        """Per stack of the program, what leaves the chip or is read more than once for lack of memory."""
        return {side.name: side.plan.spills for side in self.sides}

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
        side = _Side(
            name,
            repeat,
            base,
            step,
            nodes,
            places[0][1],
            Plan(tokens, 1, 1),
            self._residual(name, tokens, None, spill),
            spill,
        )
        hidden = self.graph.tensors[f"{name}.blocks.0.fc1"].shape[1]
        wide = self.graph.options.softmax_bits == 16
        costs = Costs(config.embed, hidden, heads, wide, self.machine)
        plan = choose(tokens, self.machine, costs, lambda plan, phase: self._attempt(side, plan, phase))
        return _Side(
            name,
            repeat,
            base,
            step,
            nodes,
            places[0][1],
            plan,
            self._residual(name, tokens, plan, spill),
            spill,
        )

    def _residual(self, name: str, tokens: int, plan: Plan | None, spill: dict[str, int]) -> Matrix:
        rows, resident = (plan.block_rows, plan.x_resident) if plan else (tokens, True)
        return Matrix(f"{name} residual", tokens, self.config.embed, "int16", rows, spill["x"], resident)

    def _stack(self, side: _Side) -> Stack:
        name = f"{side.name}.blocks.{{i}}"
        return Stack(self.context, name, side.nodes, side.constants, side.plan, side.x, side.spill)

    def _attempt(self, side: _Side, plan: Plan, phase: str) -> None:
        """Raise InputError if a phase of a block does not fit with this plan; emits nothing."""
        arena = Arena(self.machine.banks, self.machine.bank_bytes, self.machine.name)
        context = Context(self.machine, arena)
        x = self._residual(side.name, plan.tokens, plan, side.spill)
        context.create(x)
        stack = Stack(context, side.name, side.nodes, side.constants, plan, x, side.spill)
        if phase == "attention":
            stack.attention(heads=1)
        else:
            if phase == "project":
                context.create(stack.mix, high=True)
            getattr(stack, phase)()


def compile_graph(graph: Graph, machine: Machine) -> Program:
    """The program that computes `graph` (real or an outline) on `machine`."""
    return Compiler(graph, machine).program()


def memory_image(graph: Graph, program: Program, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """DRAM before the program runs: constants and the picture uint8 [H, W, 3]."""
    compiler = Compiler(graph, program.machine)
    compiler.program()
    memory = np.zeros(program.dram_bytes, np.uint8)
    for address, content in compiler.layout.writers:
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
