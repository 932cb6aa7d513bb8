"""Numbers of a vision transformer: tokens, positions, and every refusal by its sentence."""

from __future__ import annotations

import json

import pytest

from intarsia.model.errors import InputError
from intarsia.model.networks.dinov2.config import Dinov2Config
from intarsia.model.networks.vit.config import ViTConfig

SMALL = {
    "embed": 24, "heads": 2, "layers": 1, "image": (30, 44), "patch": 14, "classes": 3,
    "normalization": "vit",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "prefix", "positions"),
    [
        ({}, 1, 1 + 12),
        ({"distilled": True}, 2, 2 + 12),
        ({"registers": 4}, 5, 1 + 12),
        ({"class_position": False}, 1, 12),
        ({"class_token": False, "pool": "mean"}, 0, 12),
    ],
)
def test_tokens_and_positions(changes, prefix, positions):
    config = ViTConfig(**{**SMALL, **changes})
    assert (config.grid, config.prefix, config.positions) == ((3, 4), prefix, positions)


def test_a_description_goes_through_json():
    for config in (
        ViTConfig(**SMALL, pool="mean", pool_norm=True, dataset="imagenet"),
        Dinov2Config(embed=24, heads=2, layers=1, image=(30, 44), registers=4),
    ):
        assert type(config).from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_integers_have_no_layer_scale():
    assert Dinov2Config(embed=24, heads=2, layers=1, image=(30, 44)).layer_scale
    assert not Dinov2Config(embed=24, heads=2, layers=1, image=(30, 44)).integer().layer_scale


def test_normalization_of_a_vit_is_never_assumed():
    with pytest.raises(TypeError, match="normalization"):
        ViTConfig(**{key: value for key, value in SMALL.items() if key != "normalization"})


@pytest.mark.parametrize("classes", [1, 65536])
def test_the_least_and_the_most_classes(classes):
    assert ViTConfig(**{**SMALL, "classes": classes}).classes == classes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": 65537}, "classes must be at most 65536, not 65537"),
        ({"classes": 0}, "classes must be a positive integer, not 0"),
        ({"pool": "max"}, "pool must be token or mean, not 'max'"),
        ({"class_token": False}, "class_token must be true where pool is token, not False"),
        ({"distilled": True, "pool": "mean"}, "pool of a distilled ViT must be token, not mean"),
        (
            {"distilled": True, "class_token": False, "pool": "mean"},
            "class_token must be true where distilled is, not False",
        ),
        ({"qkv_bias": 1}, "qkv_bias must be true or false, not 1"),
        ({"registers": -1}, "registers must be an integer of at least 0, not -1"),
        ({"patch": 1025}, "patch must be an integer in 1..1024, not 1025"),
        ({"normalization": "none"}, "normalization must be one of ('vit', 'deit'), not 'none'"),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError) as error:
        ViTConfig(**{**SMALL, **changes})
    assert str(error.value) == message
