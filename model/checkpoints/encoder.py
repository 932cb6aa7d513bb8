"""The tensors of a ViT in the form that a network here has; what they compute stays the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from intarsia.model.checkpoints.facts import POSITION, Facts
from intarsia.model.checkpoints.positions import Grid, resize_position
from intarsia.model.checkpoints.tensors import State, checked, fitting, shape_of
from intarsia.model.errors import InputError

_GAIN = re.compile(r"(blocks\.\d+\.)ls([12])\.gamma")
_SCALED = {"1": "attn.proj", "2": "mlp.fc2"}
"""The layer before each LayerScale of a block."""

_ZEROS = re.compile(r"blocks\.\d+\.attn\.qkv\.bias|patch_embed\.proj\.bias")
"""Biases that a layout may lack, which is the same as zeros."""


def encoder_state(
    state: Mapping[str, object],
    facts: Facts,
    wanted: Mapping[str, Sequence[int]],
    grid: Grid,
    source: Path,
    notes: list[str],
) -> dict[str, torch.Tensor]:
    """The parameters `wanted` (names to shapes) of a ViT with `grid` patches, in FP32.

    Where the network has no LayerScale it is folded into the layer before it; where it has a bias that the
    file lacks the bias is zeros; positions of registers are added to them; the position embedding gets rows
    of zeros for class tokens without a position, and is resized to `grid`; a norm after the pooling takes
    the place of the last one where the network has no other, which `notes` then say. Raises InputError for
    all tensors that do not fit.
    """
    found = dict(state)
    if not any(_GAIN.fullmatch(name) for name in wanted):
        found = folded(found, source)
    for name, shape in wanted.items():
        if name not in found and _ZEROS.fullmatch(name) and _may_lack(name, state):
            found[name] = torch.zeros(tuple(shape))
    if "norm.weight" not in found and "fc_norm.weight" in found and "fc_norm.weight" not in wanted:
        for part in ("weight", "bias"):
            if f"fc_norm.{part}" in found:
                found[f"norm.{part}"] = found.pop(f"fc_norm.{part}")
        notes.append(
            "fc_norm, trained on the mean of the patches, was taken as the last norm of all tokens"
        )
    tokens = facts.class_token + facts.distilled
    shapes = dict(wanted)
    if len(shape_of(found.get(POSITION))) == 3 and POSITION in wanted:
        embed = wanted[POSITION][2]
        found, before = _without_registers(found, facts, tokens, source)
        shapes[POSITION] = (1, before + facts.grid[0] * facts.grid[1], embed)
    fitted = fitting(found, shapes, source)
    if POSITION in fitted:
        rows = wanted[POSITION][1] - grid[0] * grid[1]
        position = fitted[POSITION]
        lacking = rows - (position.shape[1] - facts.grid[0] * facts.grid[1])
        if lacking > 0:
            position = torch.cat([torch.zeros(1, lacking, position.shape[2]), position], dim=1)
        fitted[POSITION] = resize_position(position, facts.grid, grid)
    return fitted


def folded(state: Mapping[str, object], source: Path) -> State:
    """The same network without LayerScale: (x W^T + b) g = x (g W)^T + g b, row by row of W.

    A state without it is returned as it is. Raises InputError for a gain that its layer does not have.
    """
    found = dict(state)
    for name in state:
        gain = _GAIN.fullmatch(name)
        if gain is None:
            continue
        gamma = checked(name, found.pop(name), source)
        for part in ("weight", "bias"):
            layer = f"{gain[1]}{_SCALED[gain[2]]}.{part}"
            if layer not in found:
                continue  # it is named as missing later
            value = checked(layer, found[layer], source)
            if gamma.ndim != 1 or value.ndim == 0 or value.shape[0] != gamma.shape[0]:
                raise InputError(
                    f"{source}: {name} must have one number per row of {layer} {list(value.shape)}, "
                    f"not {list(gamma.shape)}"
                )
            found[layer] = value * (gamma[:, None] if value.ndim == 2 else gamma)
    return found


def _may_lack(name: str, state: Mapping[str, object]) -> bool:
    """Whether it is the network that has no such bias, and not a file that lost one of several."""
    if name.startswith("patch_embed."):
        return "norm_pre.weight" in state
    return not any(key.endswith(".attn.qkv.bias") for key in state)


def _without_registers(state: State, facts: Facts, tokens: int, source: Path) -> tuple[State, int]:
    """A state whose registers have no rows in the position embedding, and the rows before the patches'."""
    rows = shape_of(state[POSITION])[1]
    before = rows - facts.grid[0] * facts.grid[1]
    if not facts.registers or before != tokens + facts.registers:
        return state, before
    position = checked(POSITION, state[POSITION], source)
    registers = checked("reg_token", state["reg_token"], source)
    if position.shape[2] != registers.shape[2]:
        return state, before
    kept = torch.cat([position[:, :tokens], position[:, before:]], dim=1)
    return {**state, POSITION: kept, "reg_token": registers + position[:, tokens:before]}, tokens
