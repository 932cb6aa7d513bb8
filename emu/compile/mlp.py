"""Projection and MLP as instructions, by groups of row blocks that share one pass over the weights."""

from __future__ import annotations

from intarsia.arch.isa import Gelu, Lookup, Space
from intarsia.arch.machine import TABLE_BYTES
from intarsia.emu.compile.block import PARAMETERS, BlockPart
from intarsia.emu.compile.matrix import Matrix, groups
from intarsia.emu.compile.view import View


class Mlp(BlockPart):
    """The mixed values to the output of the block."""

    def project(self) -> None:
        """proj and the first residual."""
        self._scalars("residual1")
        for group in self.c.some(groups(len(self.x.blocks), self.plan.project_group)):
            self._added("proj", "residual1", self.constants.proj, self.mix, group)
            self.c.flush()
        self.c.destroy(self.mix)

    def mlp(self) -> None:
        """norm2, fc1, GELU or another function, fc2, the second residual, by groups of row blocks."""
        table = self.constants.table
        self._scalars("norm2", *(("gelu",) if table is None else ()), "residual2")
        if table is not None:
            self.c.load(Space.TABLE, 0, table, TABLE_BYTES, self.labels["gelu"], based=True)
        self._norm_constants("norm2")
        for group in self.c.some(groups(len(self.x.blocks), self.plan.mlp_group)):
            self._mlp(group)
            self.c.flush()

    def _mlp(self, group: range) -> None:
        c, plan, x = self.c, self.plan, self.x
        normed = Matrix("normalized", plan.tokens, self.embed, "int8", plan.block_rows)
        hidden = Matrix("hidden", plan.tokens, self.hidden, "int8", plan.block_rows)
        inputs = {i: c.arena.allocate(f"normalized[{i}]", x.blocks[i][1] * normed.stride) for i in group}
        for i in group:
            self._norm("norm2", i, inputs[i], normed.stride)
        outputs = {i: c.arena.allocate(f"hidden[{i}]", x.blocks[i][1] * hidden.stride) for i in group}
        by_row = self.nodes["gelu"].attributes.get("form") in ("shift", "lambda-shift")
        fc1, label = self.constants.fc1, self.labels["fc1"]
        chunks = c.chunks(fc1, 1)
        for first, tiles in c.some(chunks):
            y = c.weights(fc1, first, tiles, label, based=True)
            column, columns = c.columns(fc1, first, tiles)
            for i in group:
                start, whole = x.blocks[i][0], hidden.view(i, outputs[i])
                out = whole[:, column : column + columns]
                done = c.linear(label, normed.view(i, inputs[i]), out, fc1, y)
                c.probe(label, done, out, start, column)
                if not by_row:
                    self._gelu(out, start, column)
                elif (first, tiles) == chunks[-1]:
                    self._gelu(whole, start, 0)
        for i in group:
            c.arena.free(f"normalized[{i}]")
        self._added("fc2", "residual2", self.constants.fc2, hidden, group, outputs)
        for i in group:
            c.arena.free(f"hidden[{i}]")

    def _gelu(self, x: View, start: int, column: int) -> None:
        place, size = (x.address, x.address), (x.rows, x.columns)
        strides = x.stride, x.stride
        instruction: Gelu | Lookup = Lookup(*place, *size, *strides)
        if self.constants.table is None:
            instruction = Gelu(*place, *size, *strides, PARAMETERS.index("gelu"))
        done = self.c.add(instruction, self.labels["gelu"])
        self.c.probe(self.labels["gelu"], done, x, start, column)
