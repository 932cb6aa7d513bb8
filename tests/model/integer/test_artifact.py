"""Artifacts: round trip, and every way a file can be wrong."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from intarsia.model.errors import InputError
from intarsia.model.integer import artifact
from intarsia.model.integer.artifact import load_artifact, save_artifact
from intarsia.model.integer.executor import Executor


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
    with pytest.raises(InputError, match=r"encoder\.norm\.b must hold integers \(.*\), not F32"):
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
        (
            node_change("decoder.masks", attributes={"b": 2**31}),
            r"decoder\.masks: b must be an integer in .*, not 2147483648",
        ),
        (node_change("encoder.norm", op="groupnorm"), r"encoder\.norm: operator 'groupnorm' is unknown"),
        (node_change("encoder.norm", inputs=["nothing"]), r"encoder\.norm: must come after its inputs"),
        (
            node_change("encoder.norm", attributes={"c": 64}),
            r"encoder\.norm: c must be an integer in 0\.\.63, not 64",
        ),
        (node_change("encoder.norm", attributes={"d": 1}), r"encoder\.norm: attributes must be"),
        (
            node_change("encoder.norm", constants={"b": "encoder.norm.c"}),
            r"every array must be one that a node uses, not 'encoder\.norm\.b'$",
        ),
        (node_change("encoder.norm", inputs=["pixels"]), r"input pixels must be int16, not int8"),
        (
            node_change("grid", attributes={"height": 9}),
            r"grid: decoder.mask_norm must have the shape \[90, K\], not \[80, 10\]",
        ),
        (
            node_change("encoder.patches", attributes={"stop": 10**6}),
            r"encoder\.patches: rows must be one or more within 0\.\.81, not 1\.\.1000000",
        ),
        (
            lambda header, arrays: (header["graph"].pop("nodes"), resign(header, arrays)),
            "graph lacks the entry 'nodes'",
        ),
    ],
)
def test_a_graph_that_cannot_run_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def whole_header(change):
    """`change` of the JSON text of the header; the checksum does not matter."""

    def rewritten(path):
        with safe_open(path, framework="numpy") as file:
            text = file.metadata()["intarsia"]
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        save_file(arrays, path, metadata={"intarsia": change(text)})

    return rewritten


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace('"version": 1', '"version": ' + "9" * 5000),
            "version must be a finite number of at most 19 digits, not a number of 5000",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": ' + "[" * 100_000),
            "its header must be nested at most 16 deep, not 100001",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": NaN'),
            "version must be a finite number of at most 19 digits, not NaN",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": 1e999'),
            "version must be a finite number of at most 19 digits, not 1e999",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": 1.0'),
            "version must be an integer, not 1.0",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": true'),
            "version must be an integer, not True",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": 1, "version": 1'),
            "its header must have the entry 'version' once in an object, not twice",
        ),
        (
            lambda text: text.replace('"version": 1', '"version": 1, "x": 1'),
            "header has the unknown entry 'x'",
        ),
        (lambda text: text[:-1], "its header is not JSON: Expecting"),
        (lambda text: "[1]", r"the header must be an object, not \[1\]"),
    ],
)
def test_a_header_that_is_no_header_is_refused(path, change, message):
    whole_header(change)(path)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def test_a_name_that_looks_like_a_place_is_only_a_name(path):
    whole_header(lambda text: text.replace('"version": 1', '"version": 1, "x` - at `$.graph[7].y`": 1'))(
        path
    )
    with pytest.raises(InputError, match="has the unknown entry"):
        load_artifact(path)


def test_headers_full_of_values_are_refused_in_time(path):
    values = "0," * 300_000 + "0"
    for text in (
        f"[{values}]",
        f'{{"version": 1, "graph": [{values}]}}',
        '{"a": 1' + ', "b": 1' * 90_000 + "}",
    ):
        whole_header(lambda _, text=text: text)(path)
        start = time.process_time()
        with pytest.raises(InputError):
            load_artifact(path)
        assert time.process_time() - start < 1


@pytest.mark.parametrize("last", ["scores", "shiftmax"])
def test_nodes_that_nobody_reads_are_legal(graph, picture, tmp_path, last):
    block = "encoder.blocks.0"
    extra, tensors = [], dict(graph.tensors)
    for op, source in (("scores", f"{block}.qkv"), ("shiftmax", "lone.scores")):
        extra.append(replace(graph.node(f"{block}.{op}"), name=f"lone.{op}", inputs=(source,)))
        tensors[f"lone.{op}"] = replace(graph.tensors[f"{block}.{op}"], name=f"lone.{op}")
        if op == last:
            break
    lone = replace(graph, nodes=(*graph.nodes, *extra), tensors=tensors)
    save_artifact(lone, tmp_path / "lone.intarsia")
    loaded = load_artifact(tmp_path / "lone.intarsia")
    wanted = Executor(graph).run(picture)
    for engine in ("fast", "reference"):
        np.testing.assert_array_equal(Executor(loaded, engine).run(picture), wanted)


def graph_change(change):
    def resigned(header, arrays):
        change(header["graph"], arrays)
        resign(header, arrays)

    return resigned


def node_entry(key, value):
    return graph_change(lambda graph, _: graph["nodes"][3].update({key: value}))


@pytest.mark.parametrize("value", [None, [], {}, 1, True, 0.5, "\x1b[31m", "\ud800", "x" * 300])
@pytest.mark.parametrize("key", ["name", "op", "inputs", "constants", "attributes"])
def test_an_entry_of_another_type_is_refused_by_its_place(path, key, value):
    rewrite(path, node_entry(key, value))
    wanted = rf"graph\.nodes\[3\]\.{key}"
    if type(value) is type([] if key == "inputs" else {}) and key not in ("name", "op"):
        wanted = (
            r"encoder\.embedding: (must have|attributes must be)|"
            r"every array must be one that a node uses, not 'encoder\.embedding"
        )
    with pytest.raises(InputError, match=wanted):
        load_artifact(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            node_change("pixels", attributes={"patch": -8}),
            r"pixels: patch must be an integer in 1\.\.1024, not -8",
        ),
        (
            node_change("pixels", attributes={"patch": 8.0}),
            r"attributes\.patch must be an integer or a text, not 8\.0",
        ),
        (
            node_change("pixels", attributes={"patch": "8"}),
            r"pixels: patch must be an integer in 1\.\.1024, not '8'",
        ),
        (
            node_change("pixels", attributes={"patch": True}),
            r"attributes\.patch must be an integer or a text, not True",
        ),
        (
            node_change("encoder.blocks.0.gelu", attributes={"form": "tanh"}),
            "form must be shift or lambda-shift or",
        ),
        (
            node_change("encoder.blocks.0.gelu", attributes={"out_bits": 16}),
            "gelu: out_bits must be 8, not 16",
        ),
        (
            node_change("encoder.blocks.0.scores", attributes={"heads": 0}),
            r"heads must be an integer in 1\.\.65535",
        ),
        (
            node_change("encoder.blocks.0.scores", attributes={"heads": 5}),
            r"blocks.0.qkv must have the shape \[81, 15\*D\], not \[81, 192\]",
        ),
        (
            node_change("encoder.blocks.0.mix", attributes={"out_bits": 16}),
            "mix: out_bits must be 8, not 16",
        ),
        (
            node_change("encoder.blocks.0.shiftmax", attributes={"n": 0}),
            r"n must be an integer in 1\.\.31, not 0",
        ),
    ],
)
def test_an_attribute_out_of_range_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def array_set(name, value):
    return graph_change(lambda _, arrays: arrays.update({name: value}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            array_set("pixels.table", np.zeros((2, 256), np.int8)),
            r"pixels: table must have the shape \[3, 256\], not \[2, 256\]",
        ),
        (
            array_set("pixels.table", np.zeros((3, 10), np.int8)),
            r"pixels: table must have the shape \[3, 256\], not \[3, 10\]",
        ),
        (array_set("pixels.table", np.zeros((0, 256), np.int8)), r"must have 2 axes, none of length 0"),
        (
            array_set("decoder.proj_dec.weight", np.zeros(64, np.int8)),
            r"weight must have 2 axes, .* not the shape \[64\]",
        ),
        (array_set("decoder.proj_dec.b", np.zeros((64, 1), np.int32)), r"proj_dec\.b must have one axis"),
        (
            array_set("more", np.zeros(50, np.int8)),
            r"every array must be one that a node uses, not 'more'$",
        ),
        (
            array_set("\x1b[31m", np.zeros(50, np.int8)),
            r"every array must be one that a node uses, not '\\x1b\[31m'$",
        ),
        (array_set("decoder.proj_dec.b", np.zeros(64, np.bool_)), r"must hold integers \(.*\), not BOOL"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def tensor_change(name, **changes):
    return graph_change(
        lambda graph, _: next(t for t in graph["tensors"] if t["name"] == name).update(changes)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            tensor_change("encoder.norm", scale=0),
            "the scale of encoder.norm must be a positive number, not 0",
        ),
        (
            tensor_change("encoder.norm", dtype="int16"),
            r"encoder\.norm: its tensor must be int8 .*, not int16",
        ),
        (
            tensor_change("image", shape=[60, 80, 4]),
            r"image must be uint8 \[60, 80, 3\], not uint8 \[60, 80, 4\]",
        ),
        (
            graph_change(lambda graph, _: graph["tensors"].append({**graph["tensors"][1], "name": "more"})),
            "every tensor must be one that a node makes, not more",
        ),
        (
            graph_change(lambda graph, _: graph["tensors"].append(graph["tensors"][1])),
            "the tensor pixels must be listed once, not twice",
        ),
    ],
)
def test_a_list_of_tensors_that_is_wrong_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def config_change(**changes):
    return graph_change(lambda graph, _: graph["config"].update(changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (config_change(layers=3), "config.layers must be 2, the number of mix nodes before append, not 3"),
        (
            config_change(decoder_layers=1),
            "config.decoder_layers must be 2, the number of mix nodes after append, not 1",
        ),
        (
            config_change(classes=11),
            r"config\.classes must be 10, the last axis of decoder\.mask_norm, not 11",
        ),
        (config_change(patch=16), "config.patch must be 8, the patch of pixels, not 16"),
        (config_change(heads=4), "config.heads must be 2, as in the mix nodes, not 4"),
        (config_change(decoder_heads=1), "config.decoder_heads must be 2, as in the mix nodes, not 1"),
        (config_change(embed=32), "config.embed must be 64, the channels of encoder.embedding, not 32"),
        (
            config_change(mlp_ratio=2),
            r"embed \* mlp_ratio of config must be 256, as in the gelu nodes, not 128",
        ),
        (config_change(image=[64, 80]), r"its tensor must|shape of|image must be"),
        (config_change(image=[10**9, 10**9]), r"its tensor must|shape of|image must be"),
        (
            config_change(upsampling="bilinear"),
            "the config.upsampling must be nearest, the upsampling of every integer network, not bilinear",
        ),
        (
            config_change(l2norm=True),
            "the config.l2norm must be False, the l2norm of every integer network, not True",
        ),
        (
            graph_change(lambda graph, _: graph["options"].update(gelu="shift")),
            "options.gelu must be [^ ]*, as in the gelu nodes, not shift",
        ),
        (
            graph_change(lambda graph, _: graph["options"].update(softmax_bits=8)),
            "options.softmax_bits must be 16, as in the shiftmax nodes, not 8",
        ),
    ],
)
def test_a_description_that_contradicts_the_nodes_is_refused(path, change, message):
    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)


def test_a_bias_at_the_very_limit_is_read(path):
    with safe_open(path, framework="numpy") as file:
        weight = file.get_tensor("decoder.proj_dec.weight").astype(np.int64)
    room = 2**31 - 1 - 128 * np.abs(weight).sum(axis=1)
    rewrite(path, array_set("decoder.proj_dec.bias", room.astype(np.int32)))
    load_artifact(path)
    room[7] += 1
    rewrite(path, array_set("decoder.proj_dec.bias", room.astype(np.int32)))
    with pytest.raises(InputError, match="proj_dec: the int32 accumulator could reach 2147483648"):
        load_artifact(path)


def test_types_that_numpy_lacks_are_refused(path):
    data = path.read_bytes()
    for old, new in ((b'"dtype":"I16"', b'"dtype":"F16"'), (b'"dtype":"I16"', b'"dtype":"BF16"')):
        path.write_bytes(_other_header(data, old, new))
        with pytest.raises(InputError, match=r"must hold integers \(.*\), not B?F16"):
            load_artifact(path)
    path.write_bytes(_other_header(data, b'"dtype":"I8"', b'"dtype":"F8_E4M3"'))
    with pytest.raises(InputError, match=r"must hold integers \(.*\), not F8_E4M3"):
        load_artifact(path)


def _other_header(data, old, new):
    length = int.from_bytes(data[:8], "little")
    header = data[8 : 8 + length].replace(old, new, 1)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**40, 2**31])
def test_a_header_longer_than_the_file_is_refused(path, length):
    path.write_bytes(length.to_bytes(8, "little") + path.read_bytes()[8:])
    with pytest.raises(InputError, match=f"its header must have {length} bytes, not the "):
        load_artifact(path)


def test_a_header_too_long_is_refused(path):
    length = 2**23
    path.write_bytes(length.to_bytes(8, "little") + b" " * length)
    with pytest.raises(InputError, match=f"must have at most 1048576 bytes, not {length}$"):
        load_artifact(path)


def test_arrays_that_lie_over_each_other_are_refused(path):
    data = path.read_bytes()
    start = data.index(b'"data_offsets":[') + len(b'"data_offsets":[')
    end = data.index(b"]", start)
    path.write_bytes(data[:start] + b"0,1".ljust(end - start) + data[end:])
    with pytest.raises(InputError, match=r"is truncated or not an \.intarsia file"):
        load_artifact(path)


def test_a_tensor_too_large_for_memory_is_refused(monkeypatch, path):
    monkeypatch.setattr("intarsia.model.integer.check.MAX_ELEMENTS", 10_000)
    with pytest.raises(
        InputError, match=r"must have at most 10000 elements, not \[60, 80, 3\], which are 14400"
    ):
        load_artifact(path)


def test_what_cannot_be_read_is_not_written(graph, tmp_path):
    broken = replace(graph, constants={**graph.constants, "more": np.zeros(3, np.int8)})
    with pytest.raises(InputError, match="every array must be one that a node uses, not 'more'"):
        save_artifact(broken, tmp_path / "model.intarsia")
    assert not list(tmp_path.iterdir())


def without_network(header, arrays):
    """As artifacts were before graphs had these entries."""
    del header["graph"]["network"], header["graph"]["outputs"]
    for key in ("decoder", "distilled", "registers", "layer_scale", "qkv_bias", "pre_norm", "class_token"):
        del header["graph"]["config"][key]
    resign(header, arrays)


def test_an_artifact_without_network_and_outputs_is_a_segmenters(graph, picture, path):
    rewrite(path, without_network)
    loaded = load_artifact(path)
    assert loaded.to_dict() == graph.to_dict()
    np.testing.assert_array_equal(Executor(loaded).run(picture), Executor(graph).run(picture))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"network": "resnet"}, "network must be one of segmenter, .*, not 'resnet'"),
        ({"network": 3}, r"graph\.network must be a text, not 3"),
        ({"network": "vit"}, "graph.config has the unknown entry"),
        ({"outputs": []}, "the graph must have outputs of different names"),
        (
            {"outputs": [{"name": "labels", "tensor": "grid"}]},
            r"graph\.outputs\[0\] lacks the entry 'kind'",
        ),
        (
            {"outputs": [{"name": "x", "tensor": "grid", "kind": "labels"}]},
            r"config.image must be \(8, 10\), the shape of labels, not \(60, 80\)",
        ),
    ],
)
def test_networks_and_outputs_that_are_refused(path, changes, message):
    def change(header, arrays):
        header["graph"].update(changes)
        resign(header, arrays)

    rewrite(path, change)
    with pytest.raises(InputError, match=message):
        load_artifact(path)
