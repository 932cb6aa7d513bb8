"""Checkpoints of the published Segmenter, written here key by key as its training writes them."""

import re

import pytest
import torch
import torch.nn.functional as F
import yaml
from safetensors.torch import save_file

from intarsia.model.checkpoints.positions import resize_position
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import (
    SegmenterConfig,
    load_checkpoint,
    load_encoder,
    save_checkpoint,
)
from tests.model.networks.segmenter.layouts import block, linear, norm, refused, vit_shapes

NET = {
    "backbone": "vit_tiny_patch16_384",
    "d_model": 128,
    "decoder": {
        "drop_path_rate": 0.0,
        "dropout": 0.1,
        "n_cls": 5,
        "n_layers": 2,
        "name": "mask_transformer",
    },
    "distilled": False,
    "drop_path_rate": 0.1,
    "dropout": 0.0,
    "image_size": (32, 48),
    "n_cls": 5,
    "n_heads": 2,
    "n_layers": 3,
    "normalization": "deit",
    "patch_size": 16,
}


def published_shapes(net):
    """Keys and shapes of create_segmenter(net_kwargs).state_dict()."""
    rows, columns = (side // net["patch_size"] for side in net["image_size"])
    width, classes = net["d_model"], net["n_cls"]
    encoder = vit_shapes(width, net["n_layers"], net["patch_size"], rows * columns)
    decoder = {
        "cls_emb": (1, classes, width),
        "proj_patch": (width, width),
        "proj_classes": (width, width),
    }
    for i in range(net["decoder"]["n_layers"]):
        decoder.update(block(f"blocks.{i}", width))
    decoder.update(linear("proj_dec", width, width))
    decoder.update(norm("decoder_norm", width))
    decoder.update(norm("mask_norm", classes))
    return {
        **{f"encoder.{key}": shape for key, shape in encoder.items()},
        **{f"decoder.{key}": shape for key, shape in decoder.items()},
    }


def fill(shapes, scale=0.2):
    generator = torch.Generator().manual_seed(4)
    return {key: torch.randn(shape, generator=generator) * scale for key, shape in shapes.items()}


def write(folder, net=NET, change=None, **extra):
    """A run of the published training: checkpoint.pth and variant.yml; returns the state."""
    folder.mkdir(exist_ok=True)
    state = {**fill(published_shapes({**NET, "image_size": net["image_size"]})), **(change or {})}
    snapshot = {
        "model": state,
        "optimizer": {"state": {0: {"momentum_buffer": torch.ones(2)}}, "param_groups": [{"lr": 0.1}]},
        "n_cls": 5,
        "lr_scheduler": {"base_lrs": [0.001], "last_epoch": 7, "_step_count": 8},
        "epoch": 63,
        **extra,
    }
    torch.save(snapshot, folder / "checkpoint.pth")
    variant = {"version": "normal", "dataset_kwargs": {"dataset": "x"}, "net_kwargs": net, "amp": False}
    (folder / "variant.yml").write_text(yaml.dump(variant))
    return state


def published_forward(state, picture, image_size, patch=16, heads=2, layers=3, decoder_heads=2):
    """Scores as the published network computes them, from its formulas and its state."""

    def project(x, name):
        return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])

    def normalise(x, name):
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]

    def run(x, name, heads):
        q, k, v = project(normalise(x, f"{name}.norm1"), f"{name}.attn.qkv").chunk(3, dim=-1)
        mixed = [
            ((a @ b.transpose(1, 2)) * a.shape[-1] ** -0.5).softmax(-1) @ c
            for a, b, c in zip(*(t.chunk(heads, dim=-1) for t in (q, k, v)), strict=True)
        ]
        x = x + project(torch.cat(mixed, dim=-1), f"{name}.attn.proj")
        hidden = F.gelu(project(normalise(x, f"{name}.norm2"), f"{name}.mlp.fc1"))
        return x + project(hidden, f"{name}.mlp.fc2")

    height, width = picture.shape[2:]
    picture = F.pad(picture, (0, -width % patch, 0, -height % patch))
    rows, columns = (side // patch for side in picture.shape[2:])
    kernel = state["encoder.patch_embed.proj.weight"].flatten(1)
    patches = F.unfold(picture, patch, stride=patch).transpose(1, 2) @ kernel.T
    patches = patches + state["encoder.patch_embed.proj.bias"]
    position = state["encoder.pos_embed"]
    if rows * columns + 1 != position.shape[1]:
        old = [side // patch for side in image_size]
        grid = position[0, 1:].reshape(1, *old, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(rows, columns), mode="bilinear")
        grid = grid.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)
        position = torch.cat([position[:, :1], grid], dim=1)
    x = torch.cat([state["encoder.cls_token"].expand(len(patches), -1, -1), patches], dim=1) + position
    for i in range(layers):
        x = run(x, f"encoder.blocks.{i}", heads)
    x = project(normalise(x, "encoder.norm")[:, 1:], "decoder.proj_dec")
    classes = state["decoder.cls_emb"]
    x = torch.cat([x, classes.expand(len(x), -1, -1)], dim=1)
    for i in range(2):
        x = run(x, f"decoder.blocks.{i}", decoder_heads)
    x = normalise(x, "decoder.decoder_norm")
    count = classes.shape[1]
    a = x[:, :-count] @ state["decoder.proj_patch"]
    b = x[:, -count:] @ state["decoder.proj_classes"]
    a, b = (t / t.square().sum(-1, keepdim=True).sqrt() for t in (a, b))
    masks = normalise(a @ b.transpose(1, 2), "decoder.mask_norm")
    masks = masks.reshape(len(x), rows, columns, count).permute(0, 3, 1, 2)
    scores = F.interpolate(masks, size=picture.shape[2:], mode="bilinear")
    return scores[:, :, :height, :width]


@pytest.mark.parametrize("image", [None, (48, 80), (50, 33), (16, 16)])
def test_published_scores(tmp_path, image):
    state = write(tmp_path / "seg")
    model = load_checkpoint(tmp_path / "seg", image=image)
    picture = torch.randn(2, 3, *(image or (32, 48)))
    with torch.no_grad():
        got = model(picture)
    torch.testing.assert_close(got, published_forward(state, picture, (32, 48)), rtol=1e-3, atol=1e-4)


def test_the_decoder_has_heads_of_64_channels_whatever_the_encoder_has(tmp_path):
    state = write(tmp_path / "seg", {**NET, "n_heads": 4})
    model = load_checkpoint(tmp_path / "seg")
    assert (model.config.heads, model.config.decoder_head_count) == (4, 2)
    picture = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        got = model(picture)
    want = published_forward(state, picture, (32, 48), heads=4)
    torch.testing.assert_close(got, want, rtol=1e-3, atol=1e-4)
    save_checkpoint(model, tmp_path / "own.safetensors")
    assert load_checkpoint(tmp_path / "own.safetensors").config == model.config


def test_published_numbers(tmp_path):
    state = write(tmp_path / "seg")
    model = load_checkpoint(tmp_path / "seg" / "checkpoint.pth")
    assert model.config == SegmenterConfig(
        embed=128, heads=2, layers=3, image=(32, 48), classes=5, normalization="deit"
    )
    assert set(state) - set(model.state_dict()) == {"encoder.head.weight", "encoder.head.bias"}
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_image_size_is_dumped_as_a_python_tuple(tmp_path):
    write(tmp_path / "seg")
    path = tmp_path / "seg" / "variant.yml"
    assert "!!python/tuple" in path.read_text()
    path.write_text(yaml.dump({"net_kwargs": {**NET, "image_size": [32, 48]}}))
    assert load_checkpoint(tmp_path / "seg").config.image == (32, 48)


def test_distilled_may_be_absent(tmp_path):
    write(tmp_path / "seg", {key: value for key, value in NET.items() if key != "distilled"})
    assert load_checkpoint(tmp_path / "seg").config.layers == 3


def test_published_state_as_safetensors(tmp_path):
    state = write(tmp_path / "seg")
    save_file(state, tmp_path / "seg" / "model.safetensors")
    model = load_checkpoint(tmp_path / "seg" / "model.safetensors")
    assert torch.equal(model.decoder.cls_emb, state["decoder.cls_emb"])


def test_published_goes_through_our_file(tmp_path):
    write(tmp_path / "seg")
    model = load_checkpoint(tmp_path / "seg")
    save_checkpoint(model, tmp_path / "own.safetensors")
    again = load_checkpoint(tmp_path / "own.safetensors")
    assert again.config == model.config
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"decoder": {"name": "upernet", "n_cls": 5}},
            "the decoder must be mask_transformer or linear, not 'upernet'",
        ),
        ({"decoder": None}, "net_kwargs must hold a decoder with a name, not None"),
        ({"decoder": {"name": "mask_transformer"}}, "net_kwargs lacks decoder n_layers"),
        (
            {"d_model": 200, "n_heads": 4},
            "net_kwargs describes no Segmenter: embed must be a multiple of decoder_heads (3), not 200",
        ),
        (
            {"patch_size": 0},
            "net_kwargs describes no Segmenter: patch must be an integer in 1..1024, not 0",
        ),
        (
            {"image_size": 512},
            "image_size must be two positive integers (height, width), not 512",
        ),
        (
            {"image_size": [32, True]},
            "image_size must be two positive integers (height, width), not [32, True]",
        ),
        (
            {"normalization": ["vit"]},
            "net_kwargs describes no Segmenter: unhashable type: 'list'",
        ),
        (
            {"d_model": "128"},
            "net_kwargs describes no Segmenter: embed must be a positive integer, not '128'",
        ),
    ],
)
def test_variants_that_are_refused(tmp_path, changes, message):
    write(tmp_path)
    path = tmp_path / "variant.yml"
    path.write_text(yaml.dump({"net_kwargs": {**NET, **changes}}))
    with refused(f"{path}: {message}"):
        load_checkpoint(tmp_path)


def test_variants_that_are_no_variants(tmp_path):
    write(tmp_path)
    path = tmp_path / "variant.yml"
    path.write_text(yaml.dump({"net_kwargs": {"decoder": NET["decoder"], "d_model": 1, "n_cls": 2}}))
    with refused(f"{path}: net_kwargs lacks image_size, patch_size, n_heads, n_layers, normalization"):
        load_checkpoint(tmp_path)
    for text in ("", "[1]", "net_kwargs: 3"):
        path.write_text(text)
        with refused(f"{path} must hold an entry net_kwargs with the network's numbers"):
            load_checkpoint(tmp_path)
    for text in ("a: [", "\0", "a: !!python/tuple {}", "d: 2001-99-99", "[" * 9999):
        path.write_text(text)
        with pytest.raises(InputError, match=f"^{re.escape(str(path))} is not plain YAML: "):
            load_checkpoint(tmp_path)
    path.unlink()
    with refused(
        f"{tmp_path / 'checkpoint.pth'} holds a published Segmenter, but {path} does not exist beside it"
    ):
        load_checkpoint(tmp_path)


def test_variants_never_run_code(tmp_path):
    write(tmp_path)
    path = tmp_path / "variant.yml"
    path.write_text(f"a: !!python/object/apply:os.mkdir ['{tmp_path / 'mark'}']")
    with pytest.raises(InputError, match=r"is not plain YAML: .*os\.mkdir"):
        load_checkpoint(tmp_path)
    assert not (tmp_path / "mark").exists()


def test_published_keys_are_listed(tmp_path):
    write(tmp_path, change={"decoder.head.weight": torch.ones(5, 128), "decoder.scale": torch.ones(())})
    with refused(
        f"{tmp_path / 'checkpoint.pth'} does not fit the model; unknown: decoder.head.weight, decoder.scale"
    ):
        load_checkpoint(tmp_path)
    write(tmp_path, {**NET, "n_cls": 6, "n_layers": 4})
    with pytest.raises(InputError) as error:
        load_checkpoint(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'checkpoint.pth'} does not fit the model; "
        "missing: encoder.blocks.3.norm1.weight, encoder.blocks.3.norm1.bias, "
        "encoder.blocks.3.attn.qkv.weight, encoder.blocks.3.attn.qkv.bias, "
        "encoder.blocks.3.attn.proj.weight, encoder.blocks.3.attn.proj.bias, "
        "encoder.blocks.3.norm2.weight, encoder.blocks.3.norm2.bias, "
        "encoder.blocks.3.mlp.fc1.weight, encoder.blocks.3.mlp.fc1.bias, "
        "encoder.blocks.3.mlp.fc2.weight, encoder.blocks.3.mlp.fc2.bias; "
        "misshapen: decoder.cls_emb [1, 5, 128] instead of [1, 6, 128], "
        "decoder.mask_norm.weight [5] instead of [6], decoder.mask_norm.bias [5] instead of [6]"
    )


def test_a_second_token_must_be_described(tmp_path):
    write(tmp_path, change={"encoder.dist_token": torch.ones(1, 1, 128)})
    with refused(f"{tmp_path / 'checkpoint.pth'} does not fit the model; unknown: encoder.dist_token"):
        load_checkpoint(tmp_path)


def test_a_distilled_encoder_has_two_tokens_before_its_patches(tmp_path):
    position = torch.randn(1, 2 + 6, 128)
    change = {"encoder.dist_token": torch.randn(1, 1, 128), "encoder.pos_embed": position}
    state = write(tmp_path, {**NET, "distilled": True}, change)
    model = load_checkpoint(tmp_path)
    assert (model.config.distilled, model.config.prefix) == (True, 2)
    # The same network with both tokens as constants: a class token that is the sum, the other one alike.
    with torch.no_grad():
        x = model.encoder.embedded(torch.zeros(1, 3, 32, 48))
    torch.testing.assert_close(x[:, 0], state["encoder.cls_token"][:, 0] + position[:, 0])
    torch.testing.assert_close(x[:, 1], state["encoder.dist_token"][:, 0] + position[:, 1])
    assert model.masks(torch.zeros(1, 3, 32, 48)).shape == (1, 6, 5)


def test_a_linear_decoder(tmp_path):
    write(tmp_path, {**NET, "decoder": {"name": "linear", "n_cls": 5}})
    path = tmp_path / "checkpoint.pth"
    snapshot = torch.load(path, weights_only=True)
    state = {key: value for key, value in snapshot["model"].items() if key.startswith("encoder.")}
    state |= {"decoder.head.weight": torch.randn(5, 128), "decoder.head.bias": torch.randn(5)}
    torch.save({**snapshot, "model": state}, path)
    model = load_checkpoint(tmp_path)
    assert model.config.network == "segmenter-linear"
    with torch.no_grad():
        tokens = model.encoder(torch.ones(1, 3, 32, 48))[:, 1:]
        wanted = tokens @ state["decoder.head.weight"].T + state["decoder.head.bias"]
        torch.testing.assert_close(model.masks(torch.ones(1, 3, 32, 48)), wanted)


def test_published_values_are_checked(tmp_path):
    bias = torch.zeros(128)
    path = tmp_path / "checkpoint.pth"
    for value, message in {
        bias.log(): "encoder.norm.bias holds NaN or infinity",
        bias.to_sparse(): "encoder.norm.bias must be a dense floating-point tensor, "
        "not torch.float32 (torch.sparse_coo, cpu)",
        bias.to("meta"): "encoder.norm.bias must be a dense floating-point tensor, "
        "not torch.float32 (torch.strided, meta)",
    }.items():
        write(tmp_path, change={"encoder.norm.bias": value})
        with refused(f"{path}: {message}"):
            load_checkpoint(tmp_path)
    write(tmp_path, change={"encoder.norm.bias": [0.0] * 128})
    with refused(f"{path}: encoder.norm.bias must be a tensor, not a list"):
        load_checkpoint(tmp_path)


def test_an_encoder_is_not_taken_from_a_whole_segmenter(tmp_path):
    write(tmp_path)
    model = load_checkpoint(tmp_path)
    save_checkpoint(model, tmp_path / "own.safetensors")
    for path in (tmp_path / "own.safetensors", tmp_path / "checkpoint.pth"):
        with refused(f"{path} must hold an encoder alone, not a whole Segmenter"):
            load_encoder(model, path)


def test_resized_positions():
    position = torch.zeros(1, 7, 2)
    position[0, 0] = 9  # the class token
    position[0, 1:, 0] = torch.tensor([0.0, 1, 2, 0, 1, 2])  # its column
    position[0, 1:, 1] = torch.tensor([0.0, 0, 0, 1, 1, 1])  # its row
    assert resize_position(position, (2, 3), (2, 3)) is position
    got = resize_position(position, (2, 3), (4, 6))
    assert got.shape == (1, 25, 2)
    assert got[0, 0].tolist() == [9, 9]
    columns = torch.tensor([0, 0.25, 0.75, 1.25, 1.75, 2])
    rows = torch.tensor([0, 0.25, 0.75, 1])
    torch.testing.assert_close(got[0, 1:, 0].reshape(4, 6), columns.expand(4, 6))
    torch.testing.assert_close(got[0, 1:, 1].reshape(4, 6), rows[:, None].expand(4, 6))
    turned = resize_position(position, (2, 3), (3, 2))  # as many patches, another shape
    assert turned[0, 1:, 1].reshape(3, 2).tolist() == [[0, 0], [0.5, 0.5], [1, 1]]
