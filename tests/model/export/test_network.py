"""Whole graphs in ONNX Runtime: every tensor equals the executor's."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, shape_inference
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.export import export_onnx, network
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Node, QuantizeOptions
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.quantize.ptq import quantize
from intarsia.sim.random_graph import random_graph, random_image, renamed, reordered, rewired

INTEGERS = {
    TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16,
    TensorProto.INT32, TensorProto.UINT32, TensorProto.INT64, TensorProto.UINT64,
    TensorProto.BOOL,
}  # fmt: skip


class GatherElements(OpRun):
    """In place of onnx's, which NumPy 2 limits to 64 elements."""

    def _run(self, data, indices, axis=0):
        positive = np.where(indices < 0, indices + data.shape[axis], indices)
        return (np.take_along_axis(data, positive, axis),)


def small(classes=10, embed=64, options=None):
    """A graph of random weights whose patch does not divide the image, and its picture."""
    torch.manual_seed(11)
    config = SegmenterConfig(
        embed=embed, heads=2, layers=2, image=(60, 80), classes=classes, patch=8
    ).integer()
    image = generate(3, config.image).image
    return quantize(Segmenter(config), [image], options), image


@pytest.fixture(scope="module")
def case():
    return small()


def assert_equal(graph, infer, images, path):
    """Every tensor of every image; returns how many numbers were compared."""
    names = [node.name for node in graph.nodes]
    export_onnx(graph, path, names)
    model, count = onnx.load(path), 0
    for image in images:
        out = infer(model, {"image": image})
        for name, wanted in Executor(graph).tensors(image):
            if name != "image":
                assert out[name].dtype == wanted.dtype, name
                np.testing.assert_array_equal(out[name], wanted, err_msg=name)
                count += wanted.size
    return count


def test_names_of_the_graph_are_free(infer, tmp_path, case):
    """A node may be called as what another one consists of, or as its constants."""
    graph, image = case
    names = {
        "encoder.tokens": "pixels/1.Add",
        "encoder.embedding": "int64:0",
        "pixels": "encoder.patch_embed.bias",
    }
    nodes = [
        replace(n, name=names.get(n.name, n.name), inputs=tuple(names.get(i, i) for i in n.inputs))
        for n in graph.nodes
    ]
    tensors = {names.get(k, k): replace(t, name=names.get(k, k)) for k, t in graph.tensors.items()}
    changed = replace(graph, nodes=tuple(nodes), tensors=tensors)
    assert_equal(changed, infer, [image], tmp_path / "model.onnx")


@pytest.mark.parametrize("seed", range(12))
def test_graphs_that_are_wired_otherwise(infer, tmp_path, seed):
    rng = np.random.default_rng(seed)
    graph = renamed(reordered(rewired(random_graph(rng), rng), rng), rng)
    assert_equal(graph, infer, [random_image(graph, rng)], tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("gelu", "softmax_bits", "multiplier_bits", "reciprocal_bits"),
    [
        ("lambda-shift-elem", 16, 16, 31),
        ("lambda-shift-elem", 8, 32, 46),
        ("lambda-shift", 16, 32, 31),
        ("shift", 16, 16, 46),
        ("shift", 8, 8, 20),
    ],
)
def test_every_tensor_equals_the_executors(
    infer, tmp_path, gelu, softmax_bits, multiplier_bits, reciprocal_bits
):
    options = QuantizeOptions(gelu, softmax_bits, multiplier_bits, reciprocal_bits)
    graph, image = small(options=options)
    # Noise is far from the calibrated ranges: much of it saturates.
    noise = np.random.default_rng(5).integers(0, 256, image.shape).astype(np.uint8)
    black, white = np.zeros_like(image), np.full_like(image, 255)
    images = [image, noise, black, white]
    sizes = [t.size for t in graph.tensors.values() if t.name != "image"]
    assert assert_equal(graph, infer, images, tmp_path / "m.onnx") == len(images) * sum(sizes)


def test_more_classes_than_a_byte_holds(infer, tmp_path):
    graph, image = small(classes=300, embed=32)
    assert graph.tensors["labels"].dtype == "uint16"
    assert_equal(graph, infer, [image], tmp_path / "m.onnx")


def test_onnx_itself_computes_the_same(case):
    """The reference of the format, so that nothing rests on the ways of one runtime."""
    graph, image = case
    names = [node.name for node in graph.nodes]
    evaluator = ReferenceEvaluator(network.build(graph, names), new_ops=[GatherElements])
    wanted = dict(Executor(graph).tensors(image))
    for name, out in zip(names, evaluator.run(None, {"image": image}), strict=True):
        assert out.dtype == wanted[name].dtype, name
        np.testing.assert_array_equal(out, wanted[name], err_msg=name)


def test_the_papers_smallest_network_in_its_own_size(infer, tmp_path):
    config = SegmenterConfig.named("tiny").integer()
    torch.manual_seed(12)
    image = generate(4, config.image).image
    graph = quantize(Segmenter(config), [image])
    assert assert_equal(graph, infer, [image], tmp_path / "tiny.onnx") > 10**8


def test_labels_alone_are_the_default(case, infer, tmp_path):
    graph, image = case
    export_onnx(graph, tmp_path / "new" / "m.onnx")
    model = onnx.load(tmp_path / "new" / "m.onnx")
    out = infer(model, {"image": image})
    assert list(out) == ["labels"]
    np.testing.assert_array_equal(out["labels"], Executor(graph).run(image))


def test_what_outputs_do_not_need_is_left_out(case):
    graph, _ = case
    model = network.build(graph, ["pixels", "encoder.patch_embed"])
    assert [output.name for output in model.graph.output] == ["pixels", "encoder.patch_embed"]
    assert {name.split("/")[0] for node in model.graph.node for name in node.output} == {
        "pixels",
        "encoder.patch_embed",
    }


def test_nothing_is_a_float(case):
    graph, _ = case
    model = shape_inference.infer_shapes(network.build(graph), strict_mode=True)
    tensors = [*model.graph.input, *model.graph.value_info, *model.graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in tensors}
    types |= {constant.name: constant.data_type for constant in model.graph.initializer}
    used = {name for node in model.graph.node for name in (*node.input, *node.output)}
    assert used <= types.keys()
    assert set(types.values()) <= INTEGERS
    for node in model.graph.node:
        for attribute in node.attribute:
            assert attribute.type in (onnx.AttributeProto.INT, onnx.AttributeProto.INTS) or (
                attribute.name == "direction"
            )


def test_no_minimum_is_taken_of_int64(case):
    """ONNX Runtime on x86 is wrong there: see model.export.arithmetic."""
    graph, _ = case
    model = shape_inference.infer_shapes(network.build(graph), strict_mode=True)
    values = [*model.graph.value_info, *model.graph.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    for node in model.graph.node:
        if node.op_type in ("Min", "Max", "Clip", "Sign"):
            assert types[node.output[0]] == TensorProto.UINT64, node.name


def test_the_file_says_what_it_is(case, tmp_path):
    graph, _ = case
    path = tmp_path / "m.onnx"
    export_onnx(graph, path)
    model = onnx.load(path)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert words["intarsia.format"] == "1"
    assert json.loads(words["intarsia.config"]) == graph.config.to_dict()
    assert QuantizeOptions(**json.loads(words["intarsia.options"])) == graph.options
    scales = json.loads(words["intarsia.scales"])
    assert scales == {t.name: t.scale for t in graph.tensors.values() if t.scale is not None}
    shapes = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.value_info, *model.graph.output)
    }
    assert shapes == {t.name: list(t.shape) for t in graph.tensors.values()}


def test_equal_graphs_make_equal_files(case, tmp_path):
    graph, _ = case
    for name in ("a.onnx", "b.onnx"):
        export_onnx(graph, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_refusals_name_the_cause_and_write_nothing(case, tmp_path, monkeypatch):
    graph, _ = case
    path = tmp_path / "m.onnx"
    with pytest.raises(InputError, match="^the graph has no node that makes tensor nothing$"):
        export_onnx(graph, path, ["labels", "nothing"])
    foreign = Node("labels", "dream", ("grid",), {}, {})
    changed = replace(graph, nodes=(*graph.nodes[:-1], foreign))
    with pytest.raises(InputError, match="^labels: operator 'dream' is unknown; known: append, "):
        export_onnx(changed, path)
    monkeypatch.setattr(network, "_MAX_BYTES", 1000)
    with pytest.raises(
        InputError, match=r"^ONNX files hold less than 2 GB, but the constants need \d+ bytes$"
    ):
        export_onnx(graph, path)
    assert list(tmp_path.iterdir()) == []
