"""What the tensors of a ViT prove of it, read off the names and shapes of timm."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.model.checkpoints.positions import Grid, grid_of
from intarsia.model.checkpoints.tensors import shape_of
from intarsia.model.errors import InputError
from intarsia.model.networks.config import MAX_PATCH

_BLOCK = re.compile(r"blocks\.(\d{1,9})\.")

KERNEL, POSITION = "patch_embed.proj.weight", "pos_embed"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Numbers of a ViT that its state dict proves; `grid` too where the patches are a square.

    embed: channels D; layers: blocks; patch: side in pixels; mlp_ratio: channels of the MLP / D, None where
    that is no integer; classes: rows of the classifier, None without one;
    class_token, distilled: whether there is one, and DeiT's second one; registers: how many;
    class_position: whether the class tokens have rows in the position embedding;
    qkv_bias, layer_scale, pre_norm, pool_norm: as timm's qkv_bias, init_values, pre_norm, fc_norm.
    """

    embed: int
    layers: int
    patch: int
    grid: Grid
    mlp_ratio: int | None
    classes: int | None
    class_token: bool
    distilled: bool
    registers: int
    class_position: bool
    qkv_bias: bool
    layer_scale: bool
    pre_norm: bool
    pool_norm: bool

    @property
    def encoder(self) -> dict[str, Any]:
        """Those of its tokens, norms and biases, by the names of `EncoderConfig`."""
        return {
            "class_token": self.class_token,
            "distilled": self.distilled,
            "registers": self.registers,
            "class_position": self.class_position or not self.class_token,
            "pre_norm": self.pre_norm,
            "qkv_bias": self.qkv_bias,
        }

    @property
    def image(self) -> tuple[int, int]:
        """(height, width) in pixels that the position embedding is for."""
        return self.grid[0] * self.patch, self.grid[1] * self.patch


def facts_of(state: Mapping[str, object], wanted: Grid, source: Path) -> Facts:
    """What a state dict of timm's names proves; `wanted` is the grid of patches that are no square.

    Raises InputError for a patch embedding that is no kernel of square patches, and for a position
    embedding that has no grid.
    """
    shapes = {key: shape_of(value) for key, value in state.items()}
    patch = patch_of(state, source)
    tokens = ("cls_token" in state) + ("dist_token" in state)
    registers = shapes.get("reg_token", [0])
    count = registers[1] if len(registers) == 3 else 0
    embed = shapes[KERNEL][0]
    position = shapes.get(POSITION, [])
    grid, before = wanted, tokens
    if len(position) == 3:
        grid, before = grid_of(position[1], tokens, count, wanted, source)
    hidden = shapes.get("blocks.0.mlp.fc1.weight", [0])[0]
    head = shapes.get("head.weight", [])
    return Facts(
        embed=embed,
        layers=layers_of(state),
        patch=patch,
        grid=grid,
        mlp_ratio=hidden // embed if embed and hidden and hidden % embed == 0 else None,
        classes=head[0] if len(head) == 2 else None,
        class_token="cls_token" in state,
        distilled="dist_token" in state,
        registers=count,
        class_position=bool(before),
        qkv_bias="blocks.0.attn.qkv.bias" in state,
        layer_scale="blocks.0.ls1.gamma" in state,
        pre_norm="norm_pre.weight" in state,
        pool_norm="fc_norm.weight" in state,
    )


def layers_of(state: Mapping[str, object], prefix: str = "") -> int:
    """Blocks of a state dict: one more than the largest number of `PREFIXblocks.N.`."""
    names = (key[len(prefix) :] for key in state if key.startswith(prefix))
    return max((int(found[1]) + 1 for name in names if (found := _BLOCK.match(name))), default=0)


def patch_of(state: Mapping[str, object], source: Path) -> int:
    """Patch size of a ViT, from its patch embedding's kernel [embed, 3, patch, patch]."""
    kernel = shape_of(state.get(KERNEL))
    if len(kernel) != 4:
        raise InputError(f"{source}: {KERNEL} must be a tensor [embed, 3, patch, patch]")
    height, width = kernel[2:]
    if height != width or not 1 <= height <= MAX_PATCH:
        raise InputError(
            f"{source}: patches must be square with a side in 1..{MAX_PATCH}, not {height} x {width}"
        )
    return height
