"""Numbers of a Segmenter: the paper's sizes, the grid, and every refusal by its sentence."""

import json
import re

import pytest

from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter.config import DATASETS, SIZES, SegmenterConfig

SMALL = {"embed": 64, "heads": 1, "layers": 2, "image": (32, 48), "classes": 5}


@pytest.mark.parametrize(
    ("size", "embed", "heads", "layers"),
    [("tiny", 192, 3, 12), ("small", 384, 6, 12), ("base", 768, 12, 12), ("large", 1024, 16, 24)],
)
def test_named_sizes(size, embed, heads, layers):
    config = SegmenterConfig.named(size, "cityscapes")
    assert (config.embed, config.heads, config.layers) == (embed, heads, layers)
    assert (config.image, config.classes, config.patch) == ((768, 768), 19, 16)
    assert (config.decoder_layers, config.mlp_ratio, config.head_dim) == (2, 4, 64)
    assert (config.l2norm, config.upsampling, config.normalization) == (True, "bilinear", "vit")


def test_named_takes_ade20k_and_changes():
    assert SegmenterConfig.named("tiny").classes == 150
    config = SegmenterConfig.named("tiny", "scenes", patch=8, image=(64, 64))
    assert (config.patch, config.image, config.classes, config.patches) == (8, (64, 64), 10, 64)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dataset", DATASETS)
def test_description_goes_through_json(size, dataset):
    config = SegmenterConfig.named(size, dataset).integer()
    assert SegmenterConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("image", "patch", "grid"),
    [((32, 48), 8, (4, 6)), ((32, 48), 16, (2, 3)), ((32, 48), 32, (1, 2)), ((33, 1), 16, (3, 1))],
)
def test_grid_counts_padded_patches(image, patch, grid):
    config = SegmenterConfig(**{**SMALL, "image": image, "patch": patch})
    assert config.grid == grid
    assert config.patches == grid[0] * grid[1]


def test_paper_drops_two_steps_and_nothing_else():
    config = SegmenterConfig(**SMALL)
    paper = config.integer()
    assert (paper.l2norm, paper.upsampling) == (False, "nearest")
    changed = {k for k, v in paper.to_dict().items() if config.to_dict()[k] != v}
    assert changed == {"l2norm", "upsampling"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embed": 0}, "embed must be a positive integer, not 0"),
        ({"layers": 2.0}, "layers must be a positive integer, not 2.0"),
        ({"classes": "5"}, "classes must be a positive integer, not '5'"),
        ({"heads": 3}, "embed must be a multiple of heads (3), not 64"),
        ({"decoder_heads": 3}, "embed must be a multiple of decoder_heads (3), not 64"),
        ({"decoder_heads": 0}, "decoder_heads must be a positive integer, not 0"),
        ({"patch": 1025}, "patch must be an integer in 1..1024, not 1025"),
        (
            {"image": (32,)},
            "image must be two positive integers (height, width), not (32,)",
        ),
        (
            {"image": (32, 0)},
            "image must be two positive integers (height, width), not (32, 0)",
        ),
        ({"upsampling": "cubic"}, "upsampling must be bilinear or nearest, not 'cubic'"),
        (
            {"normalization": "clip"},
            "normalization must be one of ('vit', 'deit'), not 'clip'",
        ),
    ],
)
def test_refusals(changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        SegmenterConfig(**{**SMALL, **changes})


def test_unknown_names_are_refused():
    message = "size must be one of mini, tiny, small, base, large, not 'huge'"
    with pytest.raises(InputError, match=f"^{message}$"):
        SegmenterConfig.named("huge")
    message = "dataset must be one of ade20k, cityscapes, scenes, not 'coco'"
    with pytest.raises(InputError, match=f"^{message}$"):
        SegmenterConfig.named("tiny", "coco")


def test_descriptions_with_other_keys_are_refused():
    whole = SegmenterConfig(**SMALL).to_dict()
    with pytest.raises(InputError, match=r"^unknown keys in the model description: depth, width$"):
        SegmenterConfig.from_dict({**whole, "width": 1, "depth": 1})
    with pytest.raises(InputError, match=r"^incomplete model description: 'image'$"):
        SegmenterConfig.from_dict({k: v for k, v in whole.items() if k != "image"})
    with pytest.raises(InputError, match=r"^incomplete model description: .*'embed'"):
        SegmenterConfig.from_dict({k: v for k, v in whole.items() if k != "embed"})


def test_the_decoder_has_the_encoders_heads_unless_said_otherwise():
    config = SegmenterConfig(**SMALL)
    assert config.decoder_head_count == 1
    assert SegmenterConfig(**SMALL, decoder_heads=1) == config
    other = SegmenterConfig(**SMALL, decoder_heads=4)
    assert other.decoder_head_count == 4
    assert SegmenterConfig.from_dict(json.loads(json.dumps(other.to_dict()))) == other
