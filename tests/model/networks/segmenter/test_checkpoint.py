"""Our own checkpoint file, and what is refused in files of every kind."""

import collections
import fractions
import json
import os
import re

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from intarsia.model.checkpoints.layouts import layouts
from intarsia.model.checkpoints.positions import resize_position
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import (
    Segmenter,
    SegmenterConfig,
    load_checkpoint,
    load_encoder,
    save_checkpoint,
)

FOREIGN = (
    "holds a foreign network: its names must be those of "
    f"{', '.join(layout.name for layout in layouts())}, not "
)

CONFIG = SegmenterConfig(embed=64, heads=1, layers=2, image=(32, 48), classes=10, l2norm=False)


@pytest.fixture
def model():
    torch.manual_seed(1)
    return Segmenter(CONFIG)


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "small.safetensors"
    save_checkpoint(model, path, notes={"steps": 3})
    return path


def refused(message):
    return pytest.raises(InputError, match=f"^{re.escape(message)}$")


def rewrite(path, model, change=None, metadata=None):
    """The model's file again with some tensors replaced (None: left out)."""
    tensors = {**model.state_dict(), **(change or {})}
    about = {"intarsia": json.dumps({"segmenter": CONFIG.to_dict()})}
    save_file(
        {key: value.clone() for key, value in tensors.items() if value is not None},
        path,
        metadata=about if metadata is None else metadata,
    )


def test_a_saved_model_comes_back(model, saved):
    loaded = load_checkpoint(saved)
    assert loaded.config == CONFIG
    want = model.state_dict()
    got = loaded.state_dict()
    assert list(got) == list(want)
    assert all(torch.equal(value, want[key]) for key, value in got.items())
    picture = torch.randn(1, 3, 32, 48)
    assert torch.equal(loaded(picture), model(picture))
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_file_format(saved, model):
    with safe_open(saved, framework="pt") as file:
        assert set(file.keys()) == set(model.state_dict())
        about = json.loads(file.metadata()["intarsia"])
    assert about == {"segmenter": CONFIG.to_dict(), "notes": {"steps": 3}}


def test_saving_again_gives_the_same_bytes(saved, tmp_path):
    again = tmp_path / "again.safetensors"
    save_checkpoint(load_checkpoint(saved), again, notes={"steps": 3})
    assert again.read_bytes() == saved.read_bytes()


def test_a_file_is_known_by_its_content(saved, model):
    other = saved.rename(saved.with_name("weights.bin"))
    assert torch.equal(load_checkpoint(str(other)).decoder.cls_emb, model.decoder.cls_emb)


def test_loading_leaves_the_random_state_alone(saved):
    torch.manual_seed(9)
    want = torch.rand(1)
    torch.manual_seed(9)
    load_checkpoint(saved)
    assert torch.equal(torch.rand(1), want)


def test_another_window(saved, model):
    loaded = load_checkpoint(saved, image=(64, 40))
    assert (loaded.config.image, loaded.config.grid) == ((64, 40), (4, 3))
    want = resize_position(model.encoder.pos_embed, (2, 3), (4, 3))
    assert torch.equal(loaded.encoder.pos_embed, want)
    assert torch.equal(loaded.encoder.cls_token, model.encoder.cls_token)
    assert loaded(torch.randn(1, 3, 64, 40)).shape == (1, 10, 64, 40)
    message = "image must be two positive integers (height, width), not (0, 40)"
    with refused(message):
        load_checkpoint(saved, image=(0, 40))


def test_another_size_dataset_or_normalization_is_refused(saved):
    with refused(f"normalization must be vit for {saved}, not deit"):
        load_checkpoint(saved, normalization="deit")
    with refused(
        f"{saved} must have embed 192, heads 3, layers 12 to be of size tiny, "
        "not embed 64, heads 1, layers 2"
    ):
        load_checkpoint(saved, size="tiny")
    with refused(f"{saved} must have 19 classes to be of dataset cityscapes, not 10"):
        load_checkpoint(saved, dataset="cityscapes")
    same = load_checkpoint(saved, dataset="scenes").config
    assert (same.dataset, same.image) == ("scenes", (32, 48))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(saved, model, dtype):
    rewrite(saved, model, {key: value.to(dtype) for key, value in model.state_dict().items()})
    loaded = load_checkpoint(saved)
    for key, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value.to(dtype).float())


def test_tensors_are_listed_by_name(saved, model):
    change = {
        "encoder.norm.weight": None,
        "encoder.norm.bias": None,
        "decoder.extra": torch.ones(1),
        "decoder.mask_norm.weight": torch.ones(11),
    }
    rewrite(saved, model, change)
    with refused(
        f"{saved} does not fit the model; unknown: decoder.extra; "
        "missing: encoder.norm.weight, encoder.norm.bias; "
        "misshapen: decoder.mask_norm.weight [11] instead of [10]"
    ):
        load_checkpoint(saved)


def test_long_lists_are_cut(saved, model):
    rewrite(saved, model, {f"extra.{i:02}": torch.ones(1) for i in range(40)})
    names = ", ".join(f"extra.{i:02}" for i in range(32))
    with refused(f"{saved} does not fit the model; unknown: {names} and 8 more"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_values_must_be_finite(saved, model, value):
    bias = torch.zeros(64)
    bias[7] = value
    rewrite(saved, model, {"decoder.proj_dec.bias": bias})
    with refused(f"{saved}: decoder.proj_dec.bias holds NaN or infinity"):
        load_checkpoint(saved)


def test_values_must_fit_float32(saved, model):
    rewrite(saved, model, {"encoder.norm.bias": torch.full((64,), 1e39, dtype=torch.float64)})
    with refused(f"{saved}: encoder.norm.bias holds NaN or infinity"):
        load_checkpoint(saved)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool, torch.complex64])
def test_integers_are_refused(saved, model, dtype):
    rewrite(saved, model, {"encoder.norm.bias": torch.zeros(64, dtype=dtype)})
    with refused(
        f"{saved}: encoder.norm.bias must be a dense floating-point tensor, "
        f"not {dtype} (torch.strided, cpu)"
    ):
        load_checkpoint(saved)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({**CONFIG.to_dict(), "depth": 3}, "unknown keys in the model description: depth"),
        ({**CONFIG.to_dict(), "patch": 0}, "patch must be an integer in 1..1024, not 0"),
        ({**CONFIG.to_dict(), "image": 5}, "incomplete model description: 'int' object is not iterable"),
        ({}, "incomplete model description: 'image'"),
    ],
)
def test_descriptions_are_checked(saved, model, description, message):
    rewrite(saved, model, metadata={"intarsia": json.dumps({"segmenter": description})})
    with refused(f"{saved}: {message}"):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"segmenter": 3}', '{"notes": {}}', "[" * 9999])
def test_wrong_metadata_is_refused(saved, model, text):
    rewrite(saved, model, metadata={"intarsia": text})
    with refused(f"{saved}: its metadata intarsia must be JSON with an entry segmenter, not {text[:60]!r}"):
        load_checkpoint(saved)


def test_descriptions_of_giants_are_refused_at_once(saved, model):
    for key, message in {"layers": "describes 1000000000 \\+ 2 layers, but", "embed": "too large"}.items():
        description = {**CONFIG.to_dict(), key: 10**9 if key == "layers" else 2**61}
        rewrite(saved, model, metadata={"intarsia": json.dumps({"segmenter": description})})
        with pytest.raises(InputError, match=message):
            load_checkpoint(saved)


@pytest.mark.parametrize("length", [0, 5, 9, 300, -1])
def test_files_cut_short_are_refused(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(InputError, match=f"^{re.escape(str(saved))} is not a whole safetensors file: "):
        load_checkpoint(saved)


def test_pickles_cut_short_are_refused(tmp_path, model):
    path = tmp_path / "vit.pth"
    for legacy in (False, True):
        torch.save(model.encoder.state_dict(), path, _use_new_zipfile_serialization=not legacy)
        whole = path.read_bytes()
        for length in (0, 1, 30, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:length])
            with pytest.raises(InputError, match=f"^{re.escape(str(path))} "):
                load_checkpoint(path, size="tiny", dataset="scenes")


def test_missing_files_are_refused(tmp_path):
    with refused(f"{tmp_path / 'a.pth'} does not exist"):
        load_checkpoint(tmp_path / "a.pth")
    with refused(f"{tmp_path / 'checkpoint.pth'} does not exist"):
        load_checkpoint(tmp_path)


class Call:
    """Runs a command when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("legacy", [False, True])
def test_pickled_code_never_runs(tmp_path, model, legacy):
    path, mark = tmp_path / "vit.pth", tmp_path / "mark"
    state = {**model.encoder.state_dict(), "extra": Call(mark)}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)
    for load in (load_checkpoint, lambda path: load_encoder(model, path)):
        with refused(
            f"{path} holds a Python object (posix.mkdir) beside tensors and plain values; "
            "such are never loaded: save the state dict alone"
        ):
            load(path)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (collections.deque([1]), "collections.deque"),
        (fractions.Fraction(1, 2), "fractions.Fraction"),
        (torch.nn.ReLU(), "torch.nn.modules.activation.ReLU"),
    ],
)
def test_foreign_objects_are_named(tmp_path, model, value, name):
    path = tmp_path / "checkpoint.pth"
    torch.save({"model": model.state_dict(), "args": value}, path)
    with refused(
        f"{path} holds a Python object ({name}) beside tensors and plain values; "
        "such are never loaded: save the state dict alone"
    ):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("value", "name"), [([1], "list"), (torch.ones(2), "Tensor"), ({1: torch.ones(1)}, "dict")]
)
def test_other_contents_are_refused(tmp_path, value, name):
    path = tmp_path / "a.pth"
    torch.save(value, path)
    with refused(f"{path} must hold a state dict (names to tensors), not a {name}"):
        load_checkpoint(path)


def test_other_networks_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    torch.save({"conv1.weight": torch.ones(1), "fc.bias": torch.ones(1)}, path)
    with refused(f"{path} {FOREIGN}conv1.weight, fc.bias"):
        load_checkpoint(path)
    save_file({}, path)
    with refused(f"{path} {FOREIGN}none"):
        load_checkpoint(path)
