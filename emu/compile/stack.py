"""One transformer block as instructions; a stack of them is this segment, repeated."""

from __future__ import annotations

from intarsia.emu.compile.attention import Attention
from intarsia.emu.compile.mlp import Mlp


class Stack(Attention, Mlp):
    """Attention, projection and MLP."""

    def emit(self) -> None:
        """The whole block."""
        self.attention()
        self.project()
        self.mlp()
