"""mmsegmentation's Segmenter: the published network under other names, two matrices transposed."""

from __future__ import annotations

import re

import pytest
import torch

from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig, load_checkpoint

CONFIG = SegmenterConfig(embed=64, heads=1, layers=2, decoder_layers=1, image=(32, 32), classes=5, patch=16)

BLOCK = {
    "norm1.": "ln1.", "norm2.": "ln2.",
    "attn.qkv.": "attn.attn.in_proj_", "attn.proj.": "attn.attn.out_proj.",
    "mlp.fc1.": "ffn.layers.0.0.", "mlp.fc2.": "ffn.layers.1.",
}  # fmt: skip
OTHERS = {
    "encoder.cls_token": "backbone.cls_token", "encoder.pos_embed": "backbone.pos_embed",
    "encoder.patch_embed.proj.": "backbone.patch_embed.projection.", "encoder.norm.": "backbone.ln1.",
    "decoder.proj_dec.": "decode_head.dec_proj.", "decoder.proj_patch": "decode_head.patch_proj.weight",
    "decoder.proj_classes": "decode_head.classes_proj.weight", "decoder.cls_emb": "decode_head.cls_emb",
    "decoder.decoder_norm.": "decode_head.decoder_norm.", "decoder.mask_norm.": "decode_head.mask_norm.",
}  # fmt: skip


def theirs(name):
    block = re.fullmatch(r"(encoder|decoder)\.blocks\.(\d+)\.(.+\.)(weight|bias)", name)
    if block:
        where = {"encoder": "backbone", "decoder": "decode_head"}[block[1]]
        return f"{where}.layers.{block[2]}.{BLOCK[block[3]]}{block[4]}"
    start = next(start for start in OTHERS if name.startswith(start))
    return OTHERS[start] + name[len(start) :]


def renamed(state):
    transposed = ("decoder.proj_patch", "decoder.proj_classes")
    return {theirs(name): value.T if name in transposed else value for name, value in state.items()}


@pytest.fixture
def model():
    torch.manual_seed(6)
    return Segmenter(CONFIG)


# Their base class makes conv_seg in every head, and it is saved though the mask transformer never runs it.
LEFT = {"decode_head.conv_seg.weight": torch.ones(5, 64, 1, 1), "decode_head.conv_seg.bias": torch.ones(5)}


@pytest.mark.parametrize("left", [{}, LEFT])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_same_network(tmp_path, model, left, prefix):
    path = tmp_path / "segmenter.pth"
    state = {prefix + name: value for name, value in (renamed(model.state_dict()) | left).items()}
    torch.save({"meta": {"CLASSES": ["a"], "epoch": 1}, "state_dict": state}, path)
    said: list[str] = []
    loaded = load_checkpoint(path, say=said.append)
    assert loaded.config == CONFIG
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())
    assert len(said) == 1
    assert "state_dict was taken" in said[0]
    assert "normalization vit as mmsegmentation's Segmenter has it" in said[0]
    assert "heads of 64 channels" in said[0]
    assert load_checkpoint(path, normalization="deit").config.normalization == "deit"


def test_one_linear_layer(tmp_path):
    torch.manual_seed(6)
    model = Segmenter(SegmenterConfig(**{**CONFIG.to_dict(), "decoder": "linear", "decoder_layers": 2}))
    state = model.state_dict()
    head = {
        f"decode_head.conv_seg.{part}": state.pop(f"decoder.head.{part}") for part in ("weight", "bias")
    }
    head["decode_head.conv_seg.weight"] = head["decode_head.conv_seg.weight"][:, :, None, None]
    torch.save({"state_dict": renamed(state) | head}, tmp_path / "a.pth")
    loaded = load_checkpoint(tmp_path / "a.pth")
    assert loaded.config == model.config
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in loaded.state_dict().items())


def test_what_lacks_or_is_more_is_named(tmp_path, model):
    state = renamed(model.state_dict())
    del state["decode_head.dec_proj.bias"]
    torch.save(state | {"decode_head.cls_emb2": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth holds a foreign network"):
        load_checkpoint(tmp_path / "a.pth")
    torch.save(state | {"backbone.extra": torch.ones(1)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match="unknown: backbone.extra; missing: decoder.proj_dec.bias$"):
        load_checkpoint(tmp_path / "a.pth")
