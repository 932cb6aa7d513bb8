"""Keys and shapes of other people's checkpoints, and how a refusal is expected."""

import re

import pytest

from intarsia.model.errors import InputError


def refused(message):
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


def linear(name, inputs, outputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def block(name, width):
    return {
        **norm(f"{name}.norm1", width),
        **norm(f"{name}.norm2", width),
        **linear(f"{name}.attn.qkv", width, 3 * width),
        **linear(f"{name}.attn.proj", width, width),
        **linear(f"{name}.mlp.fc1", width, 4 * width),
        **linear(f"{name}.mlp.fc2", 4 * width, width),
    }


def vit_shapes(width, layers, patch, patches, head=1000):
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + patches, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for i in range(layers):
        shapes.update(block(f"blocks.{i}", width))
    return {**shapes, **norm("norm", width), **linear("head", width, head)}
