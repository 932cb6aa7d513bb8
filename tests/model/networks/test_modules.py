"""The shared vision transformer: attention and block by their formulas, tokens, LayerScale."""

from __future__ import annotations

import pytest
import torch

from intarsia.model.networks.config import EncoderConfig
from intarsia.model.networks.modules import Attention, Block, Encoder, folded


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(3)


def sharpen(model):
    """Weights large enough that every part of the network shows in what it gives."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


@pytest.mark.parametrize("heads", [1, 2, 4])
def test_attention_is_softmax_of_scaled_products(heads):
    attention = Attention(64, heads)
    with torch.no_grad():
        attention.qkv.weight.mul_(8)
    x = torch.randn(2, 7, 64)
    width = 64 // heads
    qkv = x @ attention.qkv.weight.T + attention.qkv.bias
    mixed = torch.empty(2, 7, 64)
    for head in range(heads):
        # Rows of qkv: all of q, then k, then v, each head by head.
        q, k, v = (qkv[..., i * 64 + head * width :][..., :width] for i in range(3))
        weights = torch.softmax(q @ k.transpose(1, 2) * width**-0.5, dim=-1)
        mixed[..., head * width :][..., :width] = weights @ v
    want = mixed @ attention.proj.weight.T + attention.proj.bias
    torch.testing.assert_close(attention(x), want, rtol=1e-5, atol=1e-6)


def test_block_normalises_before_both_residual_branches():
    block = sharpen(Block(EncoderConfig(embed=64, heads=2, layers=1, image=(8, 8), normalization="vit"), 2))
    x = torch.randn(1, 3, 64)

    def norm(layer, x):
        centred = x - x.mean(-1, keepdim=True)
        return centred / (centred.square().mean(-1, keepdim=True) + 1e-6).sqrt() * layer.weight + layer.bias

    y = x + block.attn(norm(block.norm1, x))
    hidden = norm(block.norm2, y) @ block.mlp.fc1.weight.T + block.mlp.fc1.bias
    hidden = hidden * 0.5 * (1 + torch.erf(hidden / 2**0.5))
    want = y + hidden @ block.mlp.fc2.weight.T + block.mlp.fc2.bias
    torch.testing.assert_close(block(x), want, rtol=1e-4, atol=1e-4)


def config(**changes):
    shape = {"embed": 24, "heads": 2, "layers": 2, "image": (10, 13), "patch": 5, "normalization": "vit"}
    return EncoderConfig(**{**shape, **changes})


@torch.no_grad()
def test_layer_scale_is_folded_into_the_layer_before_it():
    model = sharpen(Encoder(config(layer_scale=True))).eval()
    kept = {key: value.clone() for key, value in model.state_dict().items()}
    plain = folded(model)
    image = torch.randn(2, 3, 10, 13)
    torch.testing.assert_close(plain(image), model(image), rtol=1e-4, atol=1e-4)
    assert not any("ls1" in key or "ls2" in key for key in plain.state_dict())
    assert (plain.config.layer_scale, model.config.layer_scale) == (False, True)
    assert all(torch.equal(value, kept[key]) for key, value in model.state_dict().items())
    assert folded(plain) is plain


@pytest.mark.parametrize(
    ("changes", "positioned"),
    [({}, 1), ({"distilled": True}, 2), ({"registers": 3}, 1), ({"class_position": False}, 0)],
    ids=str,
)
@torch.no_grad()
def test_tokens_stand_before_the_patches_with_their_positions(changes, positioned):
    model = sharpen(Encoder(config(**changes)))
    x = model.embedded(torch.zeros(1, 3, 10, 13))
    prefix, position = model.config.prefix, model.pos_embed[0]
    assert x.shape == (1, prefix + 6, 24)
    torch.testing.assert_close(x[0, prefix:], position[-6:] + model.patch_embed.proj.bias)
    names = [name for name in ("cls_token", "dist_token", "reg_token") if hasattr(model, name)]
    wanted = torch.cat([getattr(model, name)[0] for name in names])
    wanted[:positioned] += position[:positioned]
    torch.testing.assert_close(x[0, :prefix], wanted)


@torch.no_grad()
def test_an_encoder_without_tokens():
    model = Encoder(config(class_token=False))
    assert model(torch.zeros(1, 3, 10, 13)).shape == (1, 6, 24)


@torch.no_grad()
def test_pre_norm_stands_before_the_first_block():
    model = sharpen(Encoder(config(pre_norm=True, layers=1)))
    image = torch.randn(1, 3, 10, 13)
    want = model.blocks[0](model.norm_pre(model.embedded(image)))
    torch.testing.assert_close(model.tokens(image), want)
