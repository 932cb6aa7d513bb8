"""Encoders from timm ViT state dicts, written here key by key as timm writes them."""

import pytest
import torch
from safetensors.torch import save_file

from intarsia.model.checkpoints.positions import resize_position
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import (
    SIZES,
    Segmenter,
    SegmenterConfig,
    load_checkpoint,
    load_encoder,
)
from tests.model.networks.segmenter.layouts import refused, vit_shapes


def fill(shapes):
    generator = torch.Generator().manual_seed(4)
    return {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}


def small(image=(32, 48), patch=16):
    torch.manual_seed(2)
    return Segmenter(SegmenterConfig(embed=64, heads=1, layers=2, image=image, classes=5, patch=patch))


@pytest.mark.parametrize("nest", [None, "model", "state_dict"])
@pytest.mark.parametrize("patch", [8, 16, 32])
def test_vit_fills_the_encoder(tmp_path, nest, patch):
    state = {**fill(vit_shapes(64, 2, patch, 9)), "pre_logits.fc.weight": torch.ones(64, 64)}
    path = tmp_path / "vit.bin"
    torch.save({nest: state, "epoch": 3} if nest else state, path)
    model, fresh = small((2 * patch, 3 * patch), patch), small((2 * patch, 3 * patch), patch)
    load_encoder(model, path)
    got = model.encoder.state_dict()
    assert set(state) - set(got) == {"head.weight", "head.bias", "pre_logits.fc.weight"}
    want = resize_position(state["pos_embed"], (3, 3), (2, 3))
    assert torch.equal(got.pop("pos_embed"), want)
    assert all(torch.equal(value, state[key]) for key, value in got.items())
    decoders = (m.decoder.parameters() for m in (model, fresh))
    assert all(torch.equal(a, b) for a, b in zip(*decoders, strict=True))


def test_vit_without_a_head(tmp_path):
    state = fill(vit_shapes(64, 2, 16, 6))
    del state["head.weight"], state["head.bias"]
    save_file(state, tmp_path / "vit.safetensors", metadata={"format": "pt"})
    model = small()
    load_encoder(model, tmp_path / "vit.safetensors")
    assert torch.equal(model.encoder.pos_embed, state["pos_embed"])  # 6 is no square: 2 x 3


@pytest.mark.parametrize("image", [None, (64, 32)])
def test_vit_becomes_a_segmenter(tmp_path, monkeypatch, image):
    monkeypatch.setitem(SIZES, "tiny", {"embed": 64, "heads": 1, "layers": 2})
    state = fill(vit_shapes(64, 2, 32, 49))
    path = tmp_path / "vit.pth"
    torch.save(state, path)
    with refused(f"{path} holds a ViT encoder alone: size and dataset must be given too"):
        load_checkpoint(path, size="tiny")
    before = torch.random.get_rng_state()
    model, again = (load_checkpoint(path, size="tiny", dataset="scenes", image=image) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), before)
    want = SegmenterConfig.named("tiny", "scenes", patch=32, image=image or (192, 256))
    assert model.config == want
    assert torch.equal(model.encoder.pos_embed, resize_position(state["pos_embed"], (7, 7), want.grid))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_vit_of_another_size_lists_its_tensors(tmp_path):
    path = tmp_path / "vit.pth"
    torch.save(fill(vit_shapes(32, 1, 16, 4)), path)
    with pytest.raises(InputError) as error:
        load_encoder(small(), path)
    assert str(error.value).startswith(
        f"{path} does not fit the model; missing: blocks.1.norm1.weight, blocks.1.norm1.bias, "
    )
    assert "fc2.bias; misshapen: cls_token [1, 1, 32] instead of [1, 1, 64], " in str(error.value)
    assert "pos_embed [1, 5, 32] instead of [1, 5, 64], " in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"dist_token": torch.ones(1, 1, 64), "pos_embed": torch.ones(1, 6, 64)},
            " does not fit the model; unknown: dist_token",
        ),
        (
            {"pos_embed": torch.ones(1, 8, 64)},
            ": pos_embed must hold a class token and a square of patches or 2 x 3 of them, not 8 tokens",
        ),
        (
            {"pos_embed": torch.ones(1, 1, 64)},
            ": pos_embed must hold a class token and a square of patches or 2 x 3 of them, not 1 tokens",
        ),
        (
            {"pos_embed": torch.ones(7, 64)},
            " does not fit the model; misshapen: pos_embed [7, 64] instead of [1, 7, 64]",
        ),
        (
            {"fc_norm.weight": torch.ones(64), "blocks.0.ls1.gamma": torch.ones(64)},
            " does not fit the model; unknown: fc_norm.weight",
        ),
        ({"norm.bias": torch.full((64,), float("nan"))}, ": norm.bias holds NaN or infinity"),
    ],
)
def test_vits_that_are_refused(tmp_path, change, message):
    path = tmp_path / "vit.pth"
    torch.save({**fill(vit_shapes(64, 2, 16, 4)), **change}, path)
    model = small()
    with refused(f"{path}{message}"):
        load_encoder(model, path)
    fresh = small().parameters()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), fresh, strict=True))


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        (torch.ones(1, 3, 1025, 1025), "patches must be square with a side in 1..1024, not 1025 x 1025"),
        (torch.ones(192, 3, 8, 16), "patches must be square with a side in 1..1024, not 8 x 16"),
        (torch.ones(192, 768), "patch_embed.proj.weight must be a tensor [embed, 3, patch, patch]"),
    ],
)
def test_vit_patches_that_are_refused(tmp_path, kernel, message):
    path = tmp_path / "vit.pth"
    torch.save({"cls_token": torch.ones(1, 1, 192), "patch_embed.proj.weight": kernel}, path)
    with refused(f"{path}: {message}"):
        load_checkpoint(path, size="tiny", dataset="scenes")
