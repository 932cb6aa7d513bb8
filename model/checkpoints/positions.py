"""Position embeddings: which rows are the patches', and another grid."""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from intarsia.model.errors import InputError

Grid = tuple[int, int]


def grid_of(rows: int, tokens: int, registers: int, wanted: Grid, source: Path) -> tuple[Grid, int]:
    """Grid of the patches in a position embedding of `rows` rows, and how many rows stand before them.

    tokens, registers: that the network has before its patches. Rows stand before the patches' for all
    tokens, for none, or for tokens and registers. A state dict does not tell the grid: it is square as in
    all published ones; where no number of patches is a square it must be the `wanted` grid.
    """
    choices = (tokens, 0, tokens + registers)
    for before in choices:
        patches = rows - before
        side = isqrt(max(patches, 0))
        # A lone row can be a token's.
        if side * side == patches and patches > (0 if before == tokens else 1):
            return (side, side), before
    for before in choices:
        if rows - before == wanted[0] * wanted[1]:
            return wanted, before
    held = {0: "", 1: "a class token and "}.get(tokens, f"{tokens} class tokens and ")
    raise InputError(
        f"{source}: pos_embed must hold {held}a square of patches or "
        f"{wanted[0]} x {wanted[1]} of them, not {rows} tokens"
    )


def resize_position(position: Tensor, old: Grid, new: Grid) -> Tensor:
    """Position embedding [1, tokens + patches, embed] for another grid, as Segmenter publishes it.

    The rows before the patches' are kept; the others, `old` = (rows, columns) of them row by row, are
    resized bilinearly to `new`. The published code resizes only where the number of patches differs; here a
    grid of the same number and another shape is resized as well.
    """
    if old == new:
        return position
    before = position.shape[1] - old[0] * old[1]
    extra, patches = position[:, :before], position[:, before:]
    grid = patches.transpose(1, 2).reshape(1, -1, *old)
    grid = F.interpolate(grid, size=new, mode="bilinear", align_corners=False)
    return torch.cat([extra, grid.flatten(2).transpose(1, 2)], dim=1)
