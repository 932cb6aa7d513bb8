"""The integer graph as one ONNX model of integer operators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from onnx import ModelProto, ValueInfoProto, checker, helper

from intarsia.model.errors import InputError
from intarsia.model.export.writer import Writer
from intarsia.model.files import replacing
from intarsia.model.integer.graph import IMAGE, Graph, Node, Tensor
from intarsia.model.networks import find
from intarsia.model.ops import operator_of

OPSET = 18
"""The first with the bitwise operators; nothing newer is used."""

IR_VERSION = 8
FORMAT_VERSION = 1
"""Of the names and metadata below: a reader that knows 1 finds everything where it was."""

_MAX_BYTES = 2**31 - 2**20  # protobuf's limit, with room for the nodes


def export_onnx(graph: Graph, path: Path, outputs: Sequence[str] | None = None) -> None:
    """Write `graph` as ONNX (opset 18): `image` uint8 [H, W, 3] to the graph's outputs.

    Every tensor of the graph keeps its name and has, bit for bit, the values that
    `model.integer.executor.Executor` computes. All are integers, also those between (single bits
    are booleans on the way), and the file holds all weights.

    Parameters
    ----------
    outputs : tensors of the graph that become the model's outputs, default: those of the graph's own
        outputs; what they do not depend on is left out

    The metadata of the model: `intarsia.format` (FORMAT_VERSION), `intarsia.network` (its name),
    `intarsia.outputs`, `intarsia.config` and `intarsia.options` (JSON), `intarsia.scales` (JSON: what 1
    stands for, per tensor).

    A name that no node of the graph makes, an unknown operator or weights beyond the 2 GB of one file
    are refused with InputError.
    """
    model = build(graph, outputs)
    checker.check_model(model, full_check=True)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString(deterministic=True))


def build(graph: Graph, outputs: Sequence[str] | None = None) -> ModelProto:
    """The model that `export_onnx` writes."""
    if outputs is None:
        outputs = [output.tensor for output in graph.outputs]
    nodes = _needed(graph, outputs)
    writer = Writer([IMAGE, *(node.name for node in graph.nodes)])
    for node in nodes:
        inputs = [graph.tensors[name] for name in node.inputs]
        constants = {role: graph.constants[name] for role, name in node.constants.items()}
        writer.begin(node.name)
        writer.end(operator_of(node).onnx(writer, node, inputs, constants))
    size = sum(len(tensor.raw_data) for tensor in writer.initializers)
    if size > _MAX_BYTES:
        raise InputError(f"ONNX files hold less than 2 GB, but the constants need {size} bytes")
    made = [graph.output(node) for node in nodes]
    onnx_graph = helper.make_graph(
        writer.nodes,
        graph.network,
        [_value_info(graph.tensors[IMAGE])],
        [_value_info(graph.tensors[name]) for name in outputs],
        writer.initializers,
        doc_string=f"Integer-only {find(graph.network).title}: an RGB picture to its outputs.",
        value_info=[_value_info(tensor) for tensor in made if tensor.name not in outputs],
    )
    model = helper.make_model(
        onnx_graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="intarsia",
    )
    scales = {tensor.name: tensor.scale for tensor in made if tensor.scale is not None}
    helper.set_model_props(
        model,
        {
            "intarsia.format": str(FORMAT_VERSION),
            "intarsia.network": graph.network,
            "intarsia.outputs": json.dumps([asdict(output) for output in graph.outputs]),
            "intarsia.config": json.dumps(graph.config.to_dict()),
            "intarsia.options": json.dumps(asdict(graph.options)),
            "intarsia.scales": json.dumps(scales),
        },
    )
    return model


def _needed(graph: Graph, outputs: Sequence[str]) -> list[Node]:
    """The nodes that `outputs` depend on, in execution order."""
    made = {node.name for node in graph.nodes}
    for name in outputs:
        if name not in made:
            raise InputError(f"the graph has no node that makes tensor {name}")
    wanted, nodes = set(outputs), []
    for node in reversed(graph.nodes):
        if node.name in wanted:
            wanted.update(node.inputs)
            nodes.append(node)
    return nodes[::-1]


def _value_info(tensor: Tensor) -> ValueInfoProto:
    """Name, type and shape; for people, the scale."""
    return helper.make_tensor_value_info(
        tensor.name,
        helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype)),
        tensor.shape,
        doc_string="" if tensor.scale is None else f"1 stands for {tensor.scale:.6g}",
    )
