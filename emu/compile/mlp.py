"""Projection and MLP as instructions, by groups of row blocks that share one pass over the weights."""

from __future__ import annotations

from intarsia.arch.isa import Gelu, Unit
from intarsia.emu.compile.block import PARAMETERS, BlockPart
from intarsia.emu.compile.context import Matrix, groups
from intarsia.emu.compile.emitter import block


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
        """norm2, fc1, GELU, fc2, the second residual, by groups of row blocks."""
        self._scalars("norm2", "gelu", "residual2")
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
        by_row = self.nodes["gelu"].attributes["form"] != "lambda-shift-elem"
        fc1, label = self.constants.fc1, self.labels["fc1"]
        chunks = c.chunks(fc1, 1)
        for first, tiles in c.some(chunks):
            y = c.weights(fc1, first, tiles, label, based=True)
            for i in group:
                start, rows = x.blocks[i]
                column, columns = c.columns(fc1, first, tiles)
                out = outputs[i] + column
                done = c.linear(
                    label,
                    inputs[i],
                    normed.stride,
                    out,
                    hidden.stride,
                    rows,
                    fc1,
                    y,
                    first,
                    tiles,
                    out16=False,
                )
                c.probe(label, Unit.ARRAY, done, out, hidden.stride, rows, columns, "int8", start, column)
                if not by_row:
                    self._gelu(out, hidden.stride, start, rows, column, columns)
                elif (first, tiles) == chunks[-1]:
                    self._gelu(outputs[i], hidden.stride, start, rows, 0, self.hidden)
        for i in group:
            c.arena.free(f"normalized[{i}]")
        self._added("fc2", "residual2", self.constants.fc2, hidden, group, outputs)
        for i in group:
            c.arena.free(f"hidden[{i}]")

    def _gelu(self, address: int, stride: int, start: int, rows: int, column: int, columns: int) -> None:
        label = self.labels["gelu"]
        where = block(address, stride, rows, columns)
        instruction = Gelu(address, address, rows, columns, stride, stride, PARAMETERS.index("gelu"))
        done = self.c.add(Unit.GELU, instruction, label, (where, self._word("gelu")), (where,))
        self.c.probe(label, Unit.GELU, done, address, stride, rows, columns, "int8", start, column)
