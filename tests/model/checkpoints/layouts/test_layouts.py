"""Every layout is recognized, by one file alone, and translated to timm's names bit for bit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from intarsia.model.checkpoints.layouts import layouts, recognized
from intarsia.model.errors import InputError
from tests.model.checkpoints import vits

SOURCE = Path("a.pth")

FULL = {"registers": 4, "scale": True}
DISTILLED = {"distilled": True}

CASES = {
    "timm": ("timm's ViT", {}, lambda s: s),
    "timm-scale": ("timm's ViT", FULL, lambda s: s),
    "timm-distilled": ("timm's ViT", DISTILLED, lambda s: s),
    "torchvision": ("torchvision's ViT", {}, vits.as_torchvision),
    "torchvision-old": (
        "torchvision's ViT",
        {},
        lambda s: {
            name.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
            for name, value in vits.as_torchvision(s).items()
        },
    ),
    "vit": ("Hugging Face's ViT", {}, vits.as_huggingface),
    "vit-5": ("Hugging Face's ViT", {}, lambda s: vits.as_huggingface(s, version=5)),
    "vit-no-bias": ("Hugging Face's ViT", {"bias": False}, vits.as_huggingface),
    "vit-bare": ("Hugging Face's ViT", {"head": False}, lambda s: vits.as_huggingface(s, "")),
    "vit-5-bare": ("Hugging Face's ViT", {"head": False}, lambda s: vits.as_huggingface(s, "", 5)),
    "deit": ("Hugging Face's ViT", DISTILLED, lambda s: vits.as_huggingface(s, "deit")),
    "dinov2-hub": ("Hugging Face's ViT", {"scale": True}, lambda s: vits.as_huggingface(s, "dinov2")),
    "dinov2-hub-registers": (
        "Hugging Face's ViT",
        FULL,
        lambda s: vits.as_huggingface(s, "dinov2_with_registers", 5),
    ),
    "dinov2": ("DINOv2", {**FULL, "head": False}, vits.as_dinov2),
    "dinov2-chunks": ("DINOv2", {"scale": True}, lambda s: vits.as_dinov2(s, chunks=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_translated_bit_for_bit(case):
    name, kinds, rename = CASES[case]
    want = vits.vit(**kinds)
    given = rename(want)
    layout = recognized(given)
    assert layout is not None and layout.name == name
    assert [known.name for known in layouts() if known.recognizes(given)] == [name]
    found, _ = layout.translate(given, SOURCE)
    assert set(found) == set(want)
    assert all(torch.equal(found[key], value) for key, value in want.items())


def test_a_layout_is_a_file_of_the_folder():
    folder = Path(__file__).parents[4] / "model/checkpoints/layouts"
    files = [path for path in folder.glob("*.py") if re.search(r"^LAYOUT\b", path.read_text(), re.M)]
    assert len(files) == len(layouts()) == len({layout.name for layout in layouts()})


@pytest.mark.parametrize(
    ("version", "extra", "notes"),
    [
        (4, {"vit.pooler.dense.weight": torch.ones(2, 2)}, ["not used: pooler"]),
        (5, {"vit.embeddings.mask_token": torch.ones(1, 1, 8)}, ["not used: mask_token"]),
        (4, {"decoder.decoder_embed.weight": torch.ones(2, 8)}, ["not used: decoder"]),
    ],
)
def test_what_takes_no_part_is_dropped_and_said(version, extra, notes):
    want = vits.vit()
    given = vits.as_huggingface(want, version=version) | extra
    layout = recognized(given)
    assert layout is not None
    found, said = layout.translate(given, SOURCE)
    assert set(found) == set(want)
    assert said == notes


def test_the_decoder_of_a_masked_autoencoder():
    decoder = {
        "mask_token": (1, 1, 4),
        "decoder_pos_embed": (1, 10, 4),
        "decoder_blocks.0.norm1.bias": (4,),
    }
    given = vits.vit(head=False) | vits.filled(decoder | vits.linear("decoder_embed", 8, 4))
    layout = recognized(given)
    assert layout is not None
    assert layout.pixels(given) == ("deit", "MAE")
    found, said = layout.translate(given, SOURCE)
    assert set(found) == set(vits.vit(head=False))
    assert said == ["not used: decoder_blocks, decoder_embed, decoder_pos_embed, mask_token"]


@pytest.mark.parametrize(
    ("rename", "name"),
    [
        (vits.as_huggingface, "vit.encoder.layer.1.attention.attention.key.weight"),
        (vits.as_huggingface, "vit.encoder.layer.0.attention.attention.query.weight"),
    ],
)
def test_a_lost_part_of_q_k_v_is_refused(rename, name):
    given = rename(vits.vit())
    del given[name]
    layout = recognized(given)
    assert layout is not None
    with pytest.raises(
        InputError, match=r"^a.pth: blocks\.\d\.attn must have q, k and v of one shape, not "
    ):
        layout.translate(given, SOURCE)


def test_a_bias_that_one_of_q_k_v_lacks_is_zeros():
    given = vits.as_huggingface(vits.vit())
    del given["vit.encoder.layer.0.attention.attention.key.bias"]
    layout = recognized(given)
    assert layout is not None
    found, _ = layout.translate(given, SOURCE)
    want = vits.vit()["blocks.0.attn.qkv.bias"].clone()
    want[8:16] = 0
    assert torch.equal(found["blocks.0.attn.qkv.bias"], want)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["conv1.weight", "layer1.0.conv1.weight", "fc.bias"],
        ["encoder.conv1.weight", "decoder.blocks.0.conv1.0.weight", "segmentation_head.0.bias"],
        [
            "encoder.patch_embed1.proj.weight",
            "encoder.block1.0.norm1.weight",
            "decoder.linear_c4.proj.weight",
        ],
        ["patch_embed.proj.weight", "layers.0.blocks.0.norm1.weight", "layers.0.downsample.norm.bias"],
        [
            "embeddings.patch_embeddings.projection.weight",
            "encoder.layers.0.blocks.0.layernorm_before.weight",
        ],
        ["backbone.layers.0.ln1.weight", "decode_head.conv_seg.weight", "decode_head.up_convs.0.0.weight"],
        [
            "vision_model.embeddings.class_embedding",
            "vision_model.encoder.layers.0.self_attn.q_proj.weight",
        ],
        ["blocks.0.0.conv_dw.weight", "conv_stem.weight", "classifier.weight"],
        ["encoder.layers.0.self_attn.in_proj_weight", "decoder.layers.0.norm1.weight"],
    ],
)
def test_other_networks_are_foreign(names):
    assert recognized(names) is None


@pytest.mark.parametrize("name", ["blocks.0.mlp.w12.weight", "blocks.3.3.mlp.w3.bias"])
def test_swiglu_is_refused_by_name(name):
    given = {**vits.as_dinov2(vits.vit(**FULL)), name: torch.ones(1)}
    layout = recognized(given)
    assert layout is not None
    with pytest.raises(
        InputError, match=f"^a.pth holds an MLP that is SwiGLU, which is not run: {re.escape(name)}$"
    ):
        layout.translate(given, SOURCE)


def test_two_names_that_become_one_are_refused():
    given = vits.as_huggingface(vits.vit(), version=5)
    given["vit.encoder.layer.0.layernorm_before.bias"] = torch.ones(8)
    layout = recognized(given)
    assert layout is not None
    with pytest.raises(InputError, match=r"^a.pth holds blocks\.0\.norm1\.bias twice"):
        layout.translate(given, SOURCE)
