"""Whatever a state dict is wrapped in, the same tensors come out; what is foreign is called so."""

from __future__ import annotations

import argparse
import datetime
import json
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from intarsia.model.checkpoints.load import open_checkpoint
from intarsia.model.errors import InputError
from tests.model.checkpoints import vits

LAYOUTS = {
    "timm": lambda s: s,
    "torchvision": vits.as_torchvision,
    "huggingface": vits.as_huggingface,
    "huggingface-5": lambda s: vits.as_huggingface(s, version=5),
    "dinov2": vits.as_dinov2,
}
NESTS = ("model", "state_dict", "state_dict_ema", "model_state_dict", "teacher", "weights", "my_net")
PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "encoder.", "net.", "teacher.", "my_vit.")
BESIDE = {
    "epoch": 3,
    "args": argparse.Namespace(lr=0.1, path=Path("/data")),
    "best": np.float64(0.45),
    "when": datetime.datetime(2024, 2, 29, 1, 2),
    "loss": torch.tensor(0.25),
    "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"lr": 0.1}]},
    "scheduler": OrderedDict(last_epoch=3),
}


def save(state, path, container):
    if container == "safetensors":
        save_file(
            {name: value.contiguous() for name, value in state.items()}, path, metadata={"format": "pt"}
        )
    elif container == "shards":
        names = list(state)
        parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
        for name, keys in parts.items():
            save_file({key: state[key].contiguous() for key in keys}, path.parent / name)
        places = {key: name for name, keys in parts.items() for key in keys}
        path = path.parent / "model.safetensors.index.json"
        path.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "zip")
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    layout=st.sampled_from(sorted(LAYOUTS)),
    nests=st.lists(st.sampled_from(NESTS), max_size=2),
    prefixes=st.lists(st.sampled_from(PREFIXES), max_size=3),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16, torch.float64]),
    container=st.sampled_from(["zip", "legacy", "safetensors", "shards"]),
    beside=st.sets(st.sampled_from(sorted(BESIDE))),
    parameters=st.booleans(),
)
def test_any_wrapping_gives_the_plain_tensors(
    tmp_path_factory, layout, nests, prefixes, dtype, container, beside, parameters
):
    want = vits.vit(dtype=dtype)
    state = {"".join(prefixes) + name: value for name, value in LAYOUTS[layout](want).items()}
    pickled = container in ("zip", "legacy")
    if parameters and pickled:
        state = OrderedDict((name, torch.nn.Parameter(value)) for name, value in state.items())
    data = state
    for nest in nests if pickled else ():
        data = {nest: data} | {name: BESIDE[name] for name in sorted(beside)}
    path = save(data, tmp_path_factory.mktemp("a") / "weights.pth", container)
    found = open_checkpoint(path)
    assert set(found.state) == set(want)
    for name, value in found.state.items():
        assert torch.equal(value.detach().float(), want[name].float()), name
    if pickled:
        taken = [note for note in found.notes if note.endswith(" was taken")]
        assert taken == ([f"{'.'.join(reversed(nests))} was taken"] if nests else [])


def test_networks_beside_their_training(tmp_path):
    want = vits.vit(head=False)
    path = tmp_path / "a.pth"
    cases = {
        "backbone.": {"head.mlp.0.weight": torch.ones(2, 8), "head.last_layer.weight_g": torch.ones(2, 1)},
        "module.base_encoder.": {
            "module.momentum_encoder.cls_token": torch.ones(1, 1, 8),
            "module.predictor.0.weight": torch.ones(8, 8),
        },
        "teacher.backbone.": {
            "student.backbone.cls_token": torch.ones(1, 1, 8),
            "teacher.dino_head.mlp.0.weight": torch.ones(8, 8),
        },
    }
    for prefix, others in cases.items():
        torch.save({prefix + name: value for name, value in want.items()} | others, path)
        found = open_checkpoint(path)
        assert set(found.state) == set(want)
        assert found.notes[0] == f"names are without {prefix}"
        assert found.notes[1].startswith("not used: ")


def test_a_network_beside_the_metrics_of_its_training(tmp_path):
    want = vits.vit(head=False)
    others = {
        "val_acc.correct": torch.ones(2),
        "criterion.weight": torch.ones(3),
        "head.bias": torch.ones(3),
    }
    state = {f"encoder.{name}": value for name, value in want.items()} | others
    torch.save(state | {"epoch": 3, "args": argparse.Namespace()}, tmp_path / "a.pth")
    found = open_checkpoint(tmp_path / "a.pth")
    assert set(found.state) == set(want)
    assert found.notes == [
        "not used: epoch, args",
        "names are without encoder.",
        "not used: criterion, head, val_acc",
    ]


def test_a_head_of_another_network_is_not_dropped(tmp_path):
    path = tmp_path / "a.pth"
    others = {"fpn.0.weight": torch.ones(2, 2), "head.weight": torch.ones(2, 2)}
    torch.save({f"backbone.{name}": value for name, value in vits.vit().items()} | others, path)
    with pytest.raises(InputError, match=r"a\.pth holds a foreign network: .*, not backbone\.cls_token, "):
        open_checkpoint(path)


def test_all_names_of_a_foreign_network_are_in_one_sentence(tmp_path):
    path = tmp_path / "unet.pth"
    names = [f"encoder.layer{i}.{j}.conv.weight" for i in range(4) for j in range(12)]
    torch.save({name: torch.ones(1) for name in [*names, "decoder.head.bias"]}, path)
    with pytest.raises(InputError) as error:
        open_checkpoint(path)
    listed = ", ".join(f"encoder.layer{i}.0..11.conv.weight" for i in range(4))
    assert str(error.value).endswith(f", not {listed}, decoder.head.bias")
    assert "variant" not in str(error.value)


@pytest.mark.parametrize(
    ("folder", "normalization", "heads"),
    [
        ({}, None, None),
        ({"config.json": {"model_type": "vit", "num_attention_heads": 2, "image_size": 12}}, None, 2),
        ({"preprocessor_config.json": {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}}, "vit", None),
        (
            {
                "config.json": {"num_attention_heads": 4, "hidden_act": "gelu"},
                "preprocessor_config.json": {
                    "image_mean": [0.485, 0.456, 0.406],
                    "image_std": [0.229, 0.224, 0.225],
                },
            },
            "deit",
            4,
        ),
        ({"config.json": {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}}, "vit", None),
    ],
)
def test_a_folder_of_a_hub(tmp_path, folder, normalization, heads):
    want = vits.vit()
    save(vits.as_huggingface(want), tmp_path / "model.safetensors", "safetensors")
    for name, values in folder.items():
        (tmp_path / name).write_text(json.dumps(values))
    found = open_checkpoint(tmp_path)
    assert all(torch.equal(value, want[name]) for name, value in found.state.items())
    assert (found.described.normalization, found.described.heads) == (normalization, heads)


def test_the_configuration_in_a_checkpoint_of_mmsegmentation_is_read(tmp_path):
    state = {
        "backbone.layers.0.ln1.weight": torch.ones(8),
        "decode_head.cls_emb": torch.ones(1, 3, 8),
    }
    text = "img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)"
    for key in ("config", "cfg"):
        torch.save({"meta": {key: text, "CLASSES": ["a"]}, "state_dict": state}, tmp_path / "a.pth")
        assert open_checkpoint(tmp_path / "a.pth").described.normalization == "deit"
    torch.save(
        {"meta": {"config": "mean=[1., 2., 3.], std=[4., 5., 6.]"}, "state_dict": state}, tmp_path / "a.pth"
    )
    with pytest.raises(InputError, match=re.escape("must be vit (mean (0.5, 0.5, 0.5)")):
        open_checkpoint(tmp_path / "a.pth")
