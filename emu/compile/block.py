"""What the parts of a transformer block share: constants, scalars, LayerNorm, the residual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from intarsia.emu.compile.blocks import Block
from intarsia.emu.compile.context import Context
from intarsia.emu.compile.layout import Layout, Packed, padded
from intarsia.emu.compile.matrix import Matrix
from intarsia.emu.compile.plan import Plan
from intarsia.emu.compile.view import View
from intarsia.model.integer.graph import Node

PARAMETERS = ("norm1", "scores", "shiftmax", "mix", "residual1", "norm2", "gelu", "residual2")
"""Parameter words of a block, in this order."""


@dataclass(frozen=True)
class Constants:
    """DRAM addresses of one block's constants, relative to the base register."""

    parameters: int
    norm1: int
    norm2: int
    qkv: tuple[tuple[Packed, Packed, Packed], ...]
    proj: Packed
    fc1: Packed
    fc2: Packed
    table: int | None
    """Of an MLP whose function is a table."""

    @classmethod
    def place(cls, layout: Layout, nodes: Mapping[str, Node], start: int) -> Constants:
        """Append a block's constants to the layout; `start` is the base of this block."""
        heads, inner = nodes["scores"].integer("heads"), layout.graph.output(nodes["mix"]).shape[1]
        width = inner // heads

        def moved(packed: Packed) -> Packed:
            return Packed(
                packed.address - start, packed.outputs, packed.inputs, packed.tile_bytes, packed.tiles
            )

        words = layout.parameters(nodes["norm1"].name + ".parameters", {k: nodes[k] for k in PARAMETERS})
        norm1, norm2 = (layout.layernorm(nodes[key]) for key in ("norm1", "norm2"))
        qkv = []
        for head in range(heads):
            parts = [part * inner + head * width for part in range(3)]
            q, k = (moved(layout.packed(nodes["qkv"], slice(p, p + width))) for p in parts[:2])
            # What pads the values of a head, and so what it mixes, is written too: proj reads it.
            v = moved(layout.packed(nodes["qkv"], slice(parts[2], parts[2] + width), pitch=16))
            qkv.append((q, k, v))
        proj = moved(layout.packed(nodes["proj"], spread=(heads, padded(width, 16))))
        fc1, fc2 = (moved(layout.packed(nodes[key])) for key in ("fc1", "fc2"))
        table = layout.byte_table(nodes["gelu"]) - start if nodes["gelu"].op == "table" else None
        return cls(words - start, norm1 - start, norm2 - start, tuple(qkv), proj, fc1, fc2, table)


class BlockPart:
    """One block of a run of alike ones. `labels` stand for its nodes, by part, in every iteration."""

    def __init__(
        self,
        context: Context,
        labels: Mapping[str, str],
        block: Block,
        constants: Constants,
        plan: Plan,
        x: Matrix,
        spill: Mapping[str, int],
    ) -> None:
        self.c, self.labels = context, labels
        self.nodes, self.swapped = block.nodes, block.swapped
        self.constants, self.plan, self.x, self.spill = constants, plan, x, spill
        self.heads = len(constants.qkv)
        self.embed = x.columns
        self.width = constants.qkv[0][0].outputs
        self.pitch = padded(self.width, 16)
        self.hidden = constants.fc1.outputs
        rows = plan.block_rows
        self.a = Matrix("normalized", plan.tokens, self.embed, "int8", rows, spill["a"], plan.a_resident)
        mixed = self.heads * self.pitch
        self.mix = Matrix("mixed", plan.tokens, mixed, "int8", rows, spill["mix"], plan.mix_resident)

    def _added(
        self,
        linear: str,
        residual: str,
        packed: Packed,
        source: Matrix,
        group: range,
        addresses: dict[int, int] | None = None,
    ) -> None:
        """A linear operator whose output is added to the residual, by chunks of columns."""
        c, x = self.c, self.x
        label = self.labels[linear]
        chunks = c.chunks(packed, 2)
        widest = max(c.columns(packed, *chunk)[1] for chunk in chunks)
        stride = padded(2 * widest, 16)
        most = max(x.blocks[i][1] for i in group)
        name = f"{linear} output"
        outs = [c.arena.allocate(f"{name}[{turn}]", most * stride, apart=x.name) for turn in range(2)]
        held = {i: c.open(x, i, load=True, apart=name) for i in group}
        turn = 0
        for first, tiles in c.some(chunks):
            y = c.weights(packed, first, tiles, label, based=True)
            column, columns = c.columns(packed, first, tiles)
            for i in group:
                start, rows = x.blocks[i]
                at = addresses[i] if addresses else c.open(source, i, load=True)
                out = View(outs[turn], stride, rows, columns, "int16")
                done = c.linear(label, source.view(i, at), out, packed, y)
                c.probe(label, done, out, start, column)
                if not addresses:
                    c.close(source, i, at, store=False)
                self._residual(
                    residual, out, x.view(i, held[i])[:, column : column + columns], start, column
                )
                turn ^= 1
        for turn in range(2):
            c.arena.free(f"{name}[{turn}]")
        for i in group:
            c.close(x, i, held[i], store=True)

    def _residual(self, key: str, branch: View, x: View, start: int, column: int) -> None:
        """Add a branch to the residual stream x; their multipliers go with the node's inputs."""
        first, second = (x, branch) if key in self.swapped else (branch, x)
        done = self.c.residual(self.labels[key], first, second, x, PARAMETERS.index(key))
        self.c.probe(self.labels[key], done, x, start, column)

    def _norm_constants(self, key: str) -> None:
        """LOAD b and B of a LayerNorm into its slot."""
        index = int(key == "norm2")
        address = self.constants.norm2 if index else self.constants.norm1
        self.c.row_constants(index, address, self.embed, self.labels[key], based=True)

    def _norm(self, key: str, index: int, target: int, stride: int) -> None:
        """LayerNorm of a row block of the residual."""
        c, x = self.c, self.x
        label, norm2 = self.labels[key], int(key == "norm2")
        source = c.open(x, index, load=True)
        out = View(target, stride, x.blocks[index][1], self.embed, "int8")
        done = c.norm(label, x.view(index, source), out, norm2, PARAMETERS.index(key))
        c.probe(label, done, out, x.blocks[index][0])
        c.close(x, index, source, store=False)

    def _scalars(self, *keys: str) -> None:
        for key in keys:
            index = PARAMETERS.index(key)
            self.c.parameter(index, self.constants.parameters, 0, self.labels[key], based=True)
