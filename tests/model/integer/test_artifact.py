"""Artifacts: round trip, and every way a file can be wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from model.errors import InputError
from model.integer import artifact
from model.integer.artifact import load_artifact, save_artifact
from model.integer.executor import Executor


@pytest.fixture
def path(graph, tmp_path):
    save_artifact(graph, tmp_path / "model.intarsia")
    return tmp_path / "model.intarsia"


def rewrite(path, change):
    """Write the file again after `change(header, arrays)`, with the checksum as it was."""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["intarsia"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    change(header, arrays)
    save_file(arrays, path, metadata={"intarsia": json.dumps(header)})


def resign(header, arrays):
    header.pop("sha256")
    header["sha256"] = artifact._digest(header, arrays)


def test_round_trip(graph, picture, path):
    loaded = load_artifact(path)
    assert loaded.to_dict() == graph.to_dict()
    assert loaded.constants.keys() == graph.constants.keys()
    for name, array in graph.constants.items():
        assert loaded.constants[name].dtype == array.dtype
        np.testing.assert_array_equal(loaded.constants[name], array)
    np.testing.assert_array_equal(Executor(loaded).run(picture), Executor(graph).run(picture))


def test_the_file_holds_no_float(path):
    with safe_open(path, framework="numpy") as file:
        for name in file.keys():  # noqa: SIM118
            assert file.get_slice(name).get_dtype().startswith("I"), name


def test_the_same_graph_gives_the_same_bytes(graph, path, tmp_path):
    save_artifact(graph, tmp_path / "again.intarsia")
    assert (tmp_path / "again.intarsia").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("keep", [0, 5, 1000, -1])
def test_truncated(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="is truncated or not"):
        load_artifact(path)


def test_one_flipped_bit(path):
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="has been changed or damaged"):
        load_artifact(path)


def test_changed_header(path):
    rewrite(path, lambda header, _: header["graph"]["options"].update(gelu="shift"))
    with pytest.raises(InputError, match="has been changed or damaged"):
        load_artifact(path)


def test_another_version(path):
    rewrite(path, lambda header, _: header.update(version=7))
    with pytest.raises(InputError, match="version 7, this program reads version 1"):
        load_artifact(path)


def test_a_float_array(path):
    def change(header, arrays):
        arrays["encoder.norm.b"] = arrays["encoder.norm.b"].astype(np.float32)
        resign(header, arrays)

    rewrite(path, change)
    with pytest.raises(InputError, match=r"encoder\.norm\.b must hold integers, not float32"):
        load_artifact(path)


def test_other_files(tmp_path):
    plain = tmp_path / "plain.intarsia"
    save_file({"a": np.zeros(3, np.int8)}, plain)
    with pytest.raises(InputError, match="without the header"):
        load_artifact(plain)
    with pytest.raises(InputError, match="does not exist"):
        load_artifact(tmp_path / "none.intarsia")
    (tmp_path / "text.intarsia").write_text("hello")
    with pytest.raises(InputError, match="is truncated or not"):
        load_artifact(tmp_path / "text.intarsia")


def test_the_suffix_is_wanted(graph, tmp_path):
    with pytest.raises(InputError, match=r"must end in \.intarsia"):
        save_artifact(graph, tmp_path / "model.bin")
    assert not list(tmp_path.iterdir())


def node_change(name, **changes):
    def change(header, arrays):
        node = next(n for n in header["graph"]["nodes"] if n["name"] == name)
        for key, value in changes.items():
            if isinstance(value, dict):
                node[key].update(value)
            else:
                node[key] = value
        resign(header, arrays)

    return change


def array_change(name, value):
    def change(header, arrays):
        arrays[name] = arrays[name].copy()
        arrays[name].flat[1] = value
        resign(header, arrays)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            array_change("decoder.proj_dec.c", 64),
            r"decoder\.proj_dec\.c must hold integers in 0\.\.63, not 64",
        ),
        (array_change("decoder.proj_dec.c", -1), r"proj_dec\.c must hold integers in 0\.\.63, not -1"),
        (array_change("encoder.norm.b", -(2**31)), r"encoder\.norm\.b must hold .*, not -2147483648"),
        (array_change("encoder.norm.B", 2**62 + 1), r"encoder\.norm\.B must hold integers in"),
        (node_change("decoder.masks", attributes={"b": 2**31}), r"decoder\.masks: b must be in the range"),
        (node_change("encoder.norm", op="groupnorm"), r"encoder\.norm: operator 'groupnorm' is unknown"),
        (node_change("encoder.norm", inputs=["nothing"]), r"encoder\.norm: must come after its inputs"),
        (node_change("encoder.norm", attributes={"c": 64}), r"encoder\.norm: c must be in the range"),
        (node_change("encoder.norm", attributes={"d": 1}), r"encoder\.norm: attributes must be"),
        (node_change("encoder.norm", constants={"b": "none"}), r"encoder\.norm: the array none is missing"),
        (node_change("encoder.norm", inputs=["pixels"]), r"input pixels must be int16, not int8"),
        (node_change("grid", attributes={"height": 9}), r"grid: shape must be"),
        (
            node_change("encoder.patches", attributes={"stop": 10**6}),
            r"encoder\.patches: rows 1\.\.1000000",
        ),
        (lambda header, arrays: (header["graph"].pop("nodes"), resign(header, arrays)), "incomplete"),
    ],
)
def test_a_graph_that_cannot_run_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)
