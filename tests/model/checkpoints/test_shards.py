"""An index and its shards: all tensors, and only files beside it."""

from __future__ import annotations

import json
import re

import pytest
import torch
from safetensors.torch import save_file

from intarsia.model.checkpoints.shards import read_shards
from intarsia.model.errors import InputError

PARTS = {"a-1.safetensors": {"x": torch.ones(2)}, "a-2.bin": {"y": torch.zeros(3), "z": torch.ones(1)}}


@pytest.fixture
def index(tmp_path):
    save_file(PARTS["a-1.safetensors"], tmp_path / "a-1.safetensors")
    torch.save(PARTS["a-2.bin"], tmp_path / "a-2.bin")
    path = tmp_path / "a.index.json"
    write(path, {key: name for name, part in PARTS.items() for key in part})
    return path


def write(path, places):
    path.write_text(json.dumps({"metadata": {}, "weight_map": places}))


def test_all_tensors_of_all_shards(index):
    state, size = read_shards(index)
    want = PARTS["a-1.safetensors"] | PARTS["a-2.bin"]
    assert set(state) == set(want)
    assert all(torch.equal(state[key], value) for key, value in want.items())
    assert size == sum((index.parent / name).stat().st_size for name in PARTS)


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({"x": "../secret.bin"}, "a.index.json: a shard must be a file beside it, not '../secret.bin'"),
        ({"x": "/etc/passwd"}, "a.index.json: a shard must be a file beside it, not '/etc/passwd'"),
        ({"x": ""}, "a.index.json: a shard must be a file beside it, not ''"),
        ({"x": 3}, "a.index.json: a shard must be a file beside it, not 3"),
        ({"x": "a-3.bin"}, "a-3.bin does not exist"),
        ({"x": "a-2.bin"}, "a-2.bin lacks tensors that a.index.json places there: x"),
        (
            {f"k{i}": f"{i}.bin" for i in range(1025)},
            "a.index.json must name at most 1024 shards, not 1025",
        ),
        ({}, "a.index.json must hold weight_map, names of tensors to files, not {}"),
        ([1], "a.index.json must hold weight_map, names of tensors to files, not [1]"),
    ],
)
def test_wrong_indices_are_refused(index, places, message):
    write(index, places)
    with pytest.raises(InputError, match=f"^{re.escape(str(index.parent))}/{re.escape(message)}$"):
        read_shards(index)


@pytest.mark.parametrize("text", ["", "{", "[" * 10**5, "3", '"x"'])
def test_what_is_no_json_object_is_refused(index, text):
    index.write_text(text)
    with pytest.raises(InputError, match=r"a\.index\.json must (be JSON|hold a JSON object), not "):
        read_shards(index)
