"""A ViT's checkpoint in any layout becomes the classifier or the encoder that it was."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from intarsia.model.checkpoints.load import Checkpoint
from intarsia.model.errors import InputError
from intarsia.model.networks import find
from intarsia.model.networks.checkpoint import _heads, load_model
from tests.model.checkpoints import vits

HEADS = 2
PICTURE = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
ASKED = {"heads": HEADS, "normalization": "deit"}


def written(folder, state, config=None):
    path = folder / "model.safetensors"
    save_file({name: value.contiguous() for name, value in state.items()}, path, metadata={"format": "pt"})
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return path


def scores(state, picture=PICTURE):
    """Class scores as timm's forward_head computes them."""
    x = vits.forward(state, picture, HEADS)
    if "head_dist.weight" not in state:
        return x[:, 0] @ state["head.weight"].T + state["head.bias"]
    first, second = (
        x[:, i] @ state[f"{head}.weight"].T + state[f"{head}.bias"]
        for i, head in enumerate(("head", "head_dist"))
    )
    return (first + second) / 2


def close(found, want):
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kinds", "rename"),
    [
        ({}, lambda s: s),
        ({}, vits.as_torchvision),
        ({}, vits.as_huggingface),
        ({}, lambda s: vits.as_huggingface(s, version=5)),
        ({"bias": False}, vits.as_huggingface),
        ({"scale": True, "position": False}, lambda s: s),
        ({"registers": 4, "position": False}, lambda s: s),
        ({"distilled": True}, lambda s: s),
        ({"distilled": True}, lambda s: vits.as_huggingface(s, "deit")),
        ({"layers": 3, "patches": 6}, lambda s: s),
    ],
)
def test_a_classifier(tmp_path, kinds, rename):
    state = vits.vit(**kinds)
    image = (8, 12) if kinds.get("patches") == 6 else None  # 6 patches are no square
    path = written(tmp_path, rename(state))
    said: list[str] = []
    model = load_model(path, network="vit", image=image, **ASKED, say=said.append)
    config = model.config
    assert (config.embed, config.heads, config.classes) == (vits.D, HEADS, vits.CLASSES)
    assert config.layers == kinds.get("layers", vits.LAYERS)
    picture = PICTURE[:, :, : config.image[0]]
    with torch.no_grad():
        close(model(picture), scores(state, picture))


@pytest.mark.parametrize("registers", [0, 4])
@pytest.mark.parametrize(
    "rename",
    [
        lambda s: s,
        vits.as_dinov2,
        lambda s: vits.as_huggingface(s, "dinov2_with_registers" if "reg_token" in s else "dinov2"),
        lambda s: vits.as_huggingface(s, ""),
    ],
)
def test_features(tmp_path, registers, rename):
    state = vits.vit(registers=registers, scale=True)
    want = vits.forward(state, PICTURE, HEADS)
    model = load_model(written(tmp_path, rename(state)), network="dinov2", heads=HEADS)
    assert (model.config.normalization, model.config.registers) == ("deit", registers)
    with torch.no_grad():
        close(model(PICTURE), want)


def test_a_mean_of_the_patches_with_its_norm(tmp_path):
    state = vits.vit()
    given = {f"fc_{name}" if name.startswith("norm.") else name: value for name, value in state.items()}
    said: list[str] = []
    model = load_model(written(tmp_path, given), network="vit", **ASKED, say=said.append)
    assert (model.config.pool, model.config.pool_norm) == ("mean", True)
    assert "the classifier sees the mean of the patches" in said[0]
    plain = state | {"norm.weight": torch.ones(8), "norm.bias": torch.zeros(8)}
    blocks = load_model(written(tmp_path, plain), network="vit", **ASKED)
    with torch.no_grad():
        pooled = blocks.tokens(PICTURE)[:, 1:].mean(1)
        deviation = (pooled.var(-1, unbiased=False, keepdim=True) + 1e-6).sqrt()
        want = (pooled - pooled.mean(-1, keepdim=True)) / deviation * state["norm.weight"] + state[
            "norm.bias"
        ]
        close(model(PICTURE), want @ state["head.weight"].T + state["head.bias"])


def test_another_window(tmp_path):
    state = vits.vit(position=False)
    model = load_model(written(tmp_path, state), network="vit", image=(20, 9), **ASKED)
    assert (model.config.image, model.config.grid) == ((20, 9), (5, 3))
    assert model.pos_embed.shape == (1, 15, vits.D)


def test_a_folder_of_a_hub_tells_heads_and_normalization(tmp_path):
    config = {"model_type": "vit", "num_attention_heads": HEADS, "hidden_act": "gelu", "image_size": 12}
    written(tmp_path, vits.as_huggingface(vits.vit()), config)
    pixels = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(pixels))
    said: list[str] = []
    model = load_model(tmp_path, network="vit", say=said.append)
    assert (model.config.heads, model.config.normalization) == (HEADS, "vit")
    assert said == [f"{tmp_path / 'model.safetensors'}: normalization vit as preprocessor_config.json says"]
    with pytest.raises(InputError, match=r"^heads must be 2 for .*/model\.safetensors, not 4$"):
        load_model(tmp_path, network="vit", heads=4)


@pytest.mark.parametrize(
    ("network", "state", "said"),
    [
        (
            "vit",
            vits.vit(),
            "normalization vit was supposed, the file does not say it; deit must be asked for",
        ),
        ("deit", vits.vit(), "normalization deit as this network has it"),
        ("vit", vits.vit(distilled=True), "normalization deit as DeiT has it"),
        ("vit", vits.as_torchvision(vits.vit()), "normalization deit as torchvision's ViT has it"),
    ],
)
def test_a_normalization_is_never_taken_in_silence(tmp_path, network, state, said):
    lines: list[str] = []
    load_model(written(tmp_path, state), network=network, heads=HEADS, say=lines.append)
    assert [line.split(": ", 1)[1] for line in lines] == [said]


@pytest.mark.parametrize(
    ("state", "asked", "message"),
    [
        (
            vits.vit(),
            {"network": "vit", "heads": None},
            "heads must be given for 8 channels: the file does not say it",
        ),
        (
            vits.vit(head=False),
            {"network": "vit"},
            ": vit must have a classifier head.weight [classes, embed], not none",
        ),
        (
            vits.vit(),
            {"network": "vit", "size": "tiny"},
            ": size tiny must have embed 192, heads 3, layers 12, not embed 8, heads 2, layers 2",
        ),
        (
            vits.vit(),
            {"network": "vit", "dataset": "imagenet"},
            ": classes must be 1000 for dataset imagenet, not 3",
        ),
        (
            vits.vit(),
            {"network": "vit", "dataset": "ade20k"},
            "dataset must be one of imagenet, not 'ade20k'",
        ),
        (vits.vit(), {"network": "vit", "heads": 3}, ": embed must be a multiple of heads (3), not 8"),
        (vits.vit(), {"network": "cnn"}, "network must be one of "),
        (
            vits.vit() | {"pre_logits.fc.weight": torch.ones(8, 8)},
            {"network": "vit"},
            " does not fit the model; unknown: pre_logits.fc.weight",
        ),
        (
            vits.vit() | {"blocks.0.attn.q_norm.weight": torch.ones(8)},
            {"network": "dinov2"},
            " does not fit the model; unknown: blocks.0.attn.q_norm.weight",
        ),
        (
            vits.vit() | {"blocks.999999999.norm1.weight": torch.ones(8)},
            {"network": "vit"},
            " describes 1000000000 layers, but holds only 33 tensors",
        ),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, state, asked, message):
    path = written(tmp_path, state)
    with pytest.raises(InputError, match=re.escape(message)):
        load_model(path, **{**ASKED, **asked})


@pytest.mark.parametrize(
    ("embed", "options", "want"),
    [
        (768, {}, 12),
        (1280, {}, 16),  # ViT-H's are of 80 channels
        (192, {"size": "tiny"}, 3),
        (768, {"heads": 6}, 6),
        (8, {"heads": 4}, 4),
    ],
)
def test_heads_of_known_widths(embed, options, want):
    found = Checkpoint(Path("a.pth"), {})
    assert _heads(found, embed, find("vit"), options.get("size"), options.get("heads")) == want
    assert found.notes == []


def test_heads_of_other_widths_are_said_or_asked():
    found = Checkpoint(Path("a.pth"), {})
    assert _heads(found, 512, find("vit"), None, None) == 8
    assert found.notes == ["heads of 64 channels, as published ViTs have"]
    with pytest.raises(InputError, match="^heads must be given for 8 channels: the file does not say it$"):
        _heads(found, 8, find("vit"), None, None)


@pytest.mark.parametrize(("pool", "want"), [("avg", "mean"), ("token", "token")])
def test_timms_pooling_is_read(tmp_path, pool, want):
    path = written(tmp_path, vits.vit(), {"global_pool": pool})
    assert load_model(path, network="vit", **ASKED).config.pool == want


def test_timms_pooling_stands_above_the_norm_behind_it(tmp_path):
    state = vits.vit()
    for part in ("weight", "bias"):
        state[f"fc_norm.{part}"] = state.pop(f"norm.{part}")
    path = written(tmp_path, state, {"global_pool": "token"})
    config = load_model(path, network="vit", **ASKED).config
    assert (config.pool, config.pool_norm) == ("token", True)


def test_other_poolings_of_timm_are_refused(tmp_path):
    path = written(tmp_path, vits.vit(), {"global_pool": "max"})
    with pytest.raises(InputError, match=r": global_pool must be token or avg, not 'max'$"):
        load_model(path, network="vit", **ASKED)
