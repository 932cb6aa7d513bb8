"""A ViT in the form of a network here computes what it computed before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from intarsia.model.checkpoints.encoder import encoder_state, folded
from intarsia.model.checkpoints.facts import facts_of
from intarsia.model.checkpoints.positions import grid_of
from intarsia.model.errors import InputError
from tests.model.checkpoints import vits

SOURCE = Path("a.pth")
GRID = (3, 3)
PICTURE = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))


def adapted(state, grid=GRID, notes=None, **kinds):
    """`state` as a network of `kinds`, by default the plain one of its tokens, has it."""
    facts = facts_of(state, grid, SOURCE)
    plain = {"registers": facts.registers, "distilled": facts.distilled, "head": False}
    wanted = vits.shapes(**{**plain, "patches": grid[0] * grid[1], **kinds})
    return encoder_state(state, facts, wanted, grid, SOURCE, [] if notes is None else notes)


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {"scale": True},
        {"bias": False},
        {"position": False},
        {"position": False, "scale": True, "bias": False},
        {"distilled": True, "scale": True},
        {"registers": 4},
        {"registers": 4, "scale": True, "position": False},
    ],
)
def test_the_same_function(kinds):
    state = vits.vit(head=False, **kinds)
    found = adapted(state)
    assert not any("gamma" in name for name in found)
    assert all(f"blocks.{i}.attn.qkv.bias" in found for i in range(vits.LAYERS))
    want = vits.forward(state, PICTURE)
    torch.testing.assert_close(vits.forward(found, PICTURE), want, rtol=1e-4, atol=1e-5)


def test_registers_with_positions_are_the_same_function():
    state = vits.vit(head=False, registers=4)
    generator = torch.Generator().manual_seed(2)
    state["pos_embed"] = torch.randn(1, 1 + 4 + 9, vits.D, generator=generator)
    found = adapted(state)
    assert found["pos_embed"].shape == (1, 10, vits.D)
    want = vits.forward(state, PICTURE)
    torch.testing.assert_close(vits.forward(found, PICTURE), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_layer_scale_multiplies_rows_of_the_layer_before_it(dtype):
    state = vits.vit(scale=True, dtype=dtype)
    found = folded(state, SOURCE)
    for layer, scale in (("attn.proj", "ls1"), ("mlp.fc2", "ls2")):
        gamma = state[f"blocks.1.{scale}.gamma"].float()
        weight, bias = (state[f"blocks.1.{layer}.{part}"].float() for part in ("weight", "bias"))
        assert torch.equal(found[f"blocks.1.{layer}.weight"], torch.diag(gamma) @ weight)
        assert torch.equal(found[f"blocks.1.{layer}.bias"], gamma * bias)
    with pytest.raises(InputError, match=r"^a.pth: blocks\.0\.ls1\.gamma must have one number per row of "):
        folded({**state, "blocks.0.ls1.gamma": torch.ones(3)}, SOURCE)


def test_a_network_with_layer_scale_keeps_it():
    state = vits.vit(head=False, scale=True)
    found = adapted(state, scale=True)
    assert all(torch.equal(found[name], value) for name, value in state.items())


def test_a_norm_after_the_pooling_takes_the_place_of_the_last_one():
    state = vits.vit(head=False)
    given = {
        name.replace("norm.", "fc_norm.") if name.startswith("norm.") else name: v
        for name, v in state.items()
    }
    notes: list[str] = []
    found = adapted(given, notes=notes)
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert notes == [
        "fc_norm, trained on the mean of the patches, was taken as the last norm of all tokens"
    ]


def test_one_lost_bias_is_missing_and_no_zeros():
    state = vits.vit(head=False)
    del state["blocks.1.attn.qkv.bias"]
    with pytest.raises(
        InputError, match=r"^a.pth does not fit the model; missing: blocks\.1\.attn\.qkv\.bias$"
    ):
        adapted(state)


@pytest.mark.parametrize(
    ("rows", "tokens", "registers", "want"),
    [
        (197, 1, 0, ((14, 14), 1)),
        (196, 1, 0, ((14, 14), 0)),
        (198, 2, 0, ((14, 14), 2)),
        (201, 1, 4, ((14, 14), 5)),
        (196, 1, 4, ((14, 14), 0)),
        (196, 0, 0, ((14, 14), 0)),
        (7, 1, 0, ((2, 3), 1)),
        (6, 1, 0, ((2, 3), 0)),
        (2, 1, 0, ((1, 1), 1)),
    ],
)
def test_the_grid_of_a_position_embedding(rows, tokens, registers, want):
    assert grid_of(rows, tokens, registers, (2, 3), SOURCE) == want


@pytest.mark.parametrize(
    ("rows", "tokens", "held"),
    [
        (8, 1, "a class token and "),
        (1, 1, "a class token and "),
        (9 + 4, 2, "2 class tokens and "),
        (0, 0, ""),
    ],
)
def test_positions_without_a_grid_are_refused(rows, tokens, held):
    message = f"^a.pth: pos_embed must hold {held}a square of patches or 2 x 3 of them, not {rows} tokens$"
    with pytest.raises(InputError, match=message):
        grid_of(rows, tokens, 0, (2, 3), SOURCE)
