"""A ViT's checkpoint becomes the network that it holds, and computes what timm's formulas do."""

from __future__ import annotations

import json

import pytest
import torch

from intarsia.model.errors import InputError
from intarsia.model.networks.checkpoint import load_model
from intarsia.model.predict import DEFAULT_ARTIFACT, DEFAULT_CHECKPOINT
from tests.model.checkpoints import vits

LARGE = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
PICTURE = LARGE[..., :12, :12]
"""A grid of 3 x 3 patches, as the position embeddings have; LARGE is one of 4 x 4."""


def load(tmp_path, state, **options):
    torch.save(state, tmp_path / "vit.pth")
    if options.pop("two_heads", True):
        (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": 2}))
    return load_model(tmp_path / "vit.pth", **options).eval()


def head(state, x, name="head"):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {"scale": True},
        {"bias": False},
        {"registers": 4},
        {"registers": 4, "position": False, "patches": 16},
    ],
    ids=str,
)
@torch.no_grad()
def test_a_classifier_gives_timms_scores(tmp_path, kinds):
    state = vits.vit(**kinds)
    model = load(tmp_path, state)
    assert (model.config.network, model.config.classes, model.config.layer_scale) == ("vit", 3, False)
    picture = LARGE if "patches" in kinds else PICTURE
    wanted = head(state, vits.forward(state, picture)[:, 0])
    torch.testing.assert_close(model(picture), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_a_distilled_classifier_gives_the_mean_of_both_heads(tmp_path):
    state = vits.vit(distilled=True)
    model = load(tmp_path, state)
    assert (model.config.network, model.config.normalization) == ("deit", "deit")
    x = vits.forward(state, PICTURE)
    wanted = (head(state, x[:, 0]) + head(state, x[:, 1], "head_dist")) / 2
    torch.testing.assert_close(model(PICTURE), wanted, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_fc_norm_stands_after_the_mean_of_the_patches(tmp_path):
    state = vits.vit()
    for part in ("weight", "bias"):
        state[f"fc_norm.{part}"] = state.pop(f"norm.{part}")
    model = load(tmp_path, state)
    assert (model.config.pool, model.config.pool_norm) == ("mean", True)
    plain = {**state, "norm.weight": torch.ones(vits.D), "norm.bias": torch.zeros(vits.D)}
    tokens = model.tokens(PICTURE)
    torch.testing.assert_close(
        torch.nn.functional.layer_norm(tokens, (vits.D,), eps=1e-6), vits.forward(plain, PICTURE),
        rtol=1e-3, atol=1e-4,
    )  # fmt: skip
    pooled = tokens[:, 1:].mean(dim=1)
    variance = pooled.var(-1, correction=0, keepdim=True)
    pooled = (pooled - pooled.mean(-1, keepdim=True)) / (variance + 1e-6).sqrt()
    wanted = head(state, pooled * state["fc_norm.weight"] + state["fc_norm.bias"])
    torch.testing.assert_close(model(PICTURE), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("layout", [vits.as_torchvision, vits.as_huggingface], ids=lambda f: f.__name__)
@torch.no_grad()
def test_other_libraries_layouts_give_the_same(tmp_path, layout):
    state = vits.vit()
    model = load(tmp_path, layout(state))
    wanted = head(state, vits.forward(state, PICTURE)[:, 0])
    torch.testing.assert_close(model(PICTURE), wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("registers", [0, 4])
@torch.no_grad()
def test_dinov2_gives_its_features(tmp_path, registers):
    state = vits.vit(scale=True, head=False, registers=registers)
    model = load(tmp_path, vits.as_dinov2(state))
    assert (model.config.network, model.config.registers) == ("dinov2", registers)
    x = vits.forward(state, PICTURE)
    found = model.outputs(PICTURE)
    torch.testing.assert_close(found["class_token"], x[:, :1], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found["patches"], x[:, 1 + registers :], rtol=1e-4, atol=1e-4)


def test_the_position_embedding_follows_the_image(tmp_path):
    model = load(tmp_path, vits.vit(), image=(10, 21))
    assert (model.config.image, model.config.grid) == ((10, 21), (3, 6))
    assert model(torch.zeros(1, 3, 10, 21)).shape == (1, 3)


def test_what_is_taken_is_said(tmp_path):
    lines = []
    load(tmp_path, vits.vit(), two_heads=False, heads=2, say=lines.append)
    assert len(lines) == 1
    assert "normalization vit was supposed" in lines[0]
    lines.clear()
    load(tmp_path, vits.vit(), normalization="deit", say=lines.append)
    assert not any("normalization" in line for line in lines)


@pytest.mark.parametrize(
    ("kinds", "options", "message"),
    [
        (
            {"head": False},
            {},
            "holds a ViT encoder alone: size and dataset of a Segmenter, or",
        ),
        (
            {"head": False},
            {"network": "vit"},
            "vit must have a classifier head.weight [classes, embed]",
        ),
        ({}, {"network": "resnet"}, "network must be one of segmenter"),
        (
            {},
            {"size": "tiny"},
            "size tiny must have embed 192, heads 3, layers 12, not embed 8",
        ),
        ({}, {"dataset": "imagenet"}, "classes must be 1000 for dataset imagenet, not 3"),
        ({}, {"normalization": "none"}, "normalization must be one of vit, deit, not 'none'"),
    ],
)
def test_refusals(tmp_path, kinds, options, message):
    with pytest.raises(InputError) as error:
        load(tmp_path, vits.vit(**kinds), **options)
    assert message in str(error.value)


def test_a_segmenter_is_no_vit(tmp_path):
    with pytest.raises(InputError, match=r"^network must be segmenter for .*, not vit$"):
        load_model(DEFAULT_CHECKPOINT, network="vit")
    assert load_model(DEFAULT_CHECKPOINT).config.network == "segmenter"


def test_a_name_with_a_large_number_costs_nothing(tmp_path):
    state = vits.vit() | {"blocks.99999999.norm1.weight": torch.ones(vits.D)}
    with pytest.raises(InputError, match="describes 100000000 layers, but holds only"):
        load(tmp_path, state)


@pytest.mark.parametrize(
    ("network", "parameters"), [("segmenter", "cls_emb"), ("segmenter-linear", "head.weight")]
)
def test_a_vit_becomes_the_encoder_of_a_segmenter(tmp_path, network, parameters):
    state = vits.filled({**_widened(vits.shapes(layers=12, patches=16, distilled=True))})
    asked = {"network": network, "size": "tiny", "dataset": "scenes", "image": (9, 14)}
    model = load(tmp_path, state, two_heads=False, **asked)
    assert (model.config.network, model.config.distilled, model.config.prefix) == (network, True, 2)
    assert parameters in model.decoder.state_dict()
    assert model.masks(torch.zeros(1, 3, 9, 14)).shape == (1, 3 * 4, 10)
    assert torch.equal(model.encoder.dist_token, state["dist_token"])


def test_heads_beside_the_file_and_of_the_size_must_agree(tmp_path):
    state = vits.filled(_widened(vits.shapes(layers=12)))
    with pytest.raises(InputError, match=r"^heads of size tiny must be 2 as config.json says, not 3$"):
        load(tmp_path, state, size="tiny", dataset="scenes")


def _widened(shapes):
    """The same shapes with the channels of Tiny."""
    return {
        name: tuple(side * 24 if side % vits.D == 0 else side for side in shape)
        for name, shape in shapes.items()
    }


def test_an_artifact_is_no_checkpoint():
    with pytest.raises(
        InputError, match="scenes.intarsia must be a FP32 checkpoint, not an integer artifact$"
    ):
        load_model(DEFAULT_ARTIFACT, network="vit")


def test_a_classifier_that_takes_no_part_is_said(tmp_path):
    said = []
    load(tmp_path, vits.vit(), network="dinov2", say=said.append)
    assert "not used: head.weight, head.bias" in said[0]


def test_a_first_block_that_is_missing_is_named(tmp_path):
    state = {key: value for key, value in vits.vit().items() if not key.startswith("blocks.0.")}
    wanted = r"blocks.0.mlp.fc1.weight must have a multiple of embed \(8\) as its rows, not none$"
    with pytest.raises(InputError, match=wanted):
        load(tmp_path, state, network="vit")
