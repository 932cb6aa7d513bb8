"""Artifacts with random edits: each is refused, or reference, kernels and emulator agree about it."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, memory_image, outputs_of
from intarsia.emu.execute import execute
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer import artifact
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import IMAGE, Graph, Node, QuantizeOptions, Tensor
from intarsia.model.networks import find
from intarsia.model.ops import OPERATORS
from intarsia.model.quantize.ptq import quantize
from tools.fuzzing.edits import VALUES, double_a_key, dumps, edit_bytes, edit_json

Arrays = dict[str, NDArray[Any]]
Header = dict[str, Any]

SEGMENTER = {"decoder_layers": 1, "l2norm": False}
NETWORKS: tuple[tuple[str, dict[str, Any], dict[str, Any]], ...] = (
    ("segmenter", {**SEGMENTER, "embed": 8, "heads": 2, "layers": 2, "classes": 3}, {}),
    (
        "segmenter",
        {
            **SEGMENTER,
            "embed": 12,
            "heads": 3,
            "layers": 1,
            "classes": 5,
            "image": (20, 16),
            "decoder_heads": 2,
        },
        {"gelu": "shift", "softmax_bits": 8, "reciprocal_bits": 46},
    ),
    (
        "segmenter",
        {**SEGMENTER, "embed": 6, "heads": 1, "layers": 2, "classes": 2},
        {"gelu": "lambda-shift", "multiplier_bits": 32},
    ),
    (
        "vit",
        {"embed": 8, "heads": 2, "layers": 1, "classes": 5, "pool": "mean", "normalization": "vit"},
        {},
    ),
    (
        "vit",
        {"embed": 6, "heads": 1, "layers": 1, "classes": 2, "distilled": True, "normalization": "vit"},
        {},
    ),
    ("dinov2", {"embed": 8, "heads": 2, "layers": 1, "registers": 2}, {}),
)
"""Small networks of which all differ: what is edited, and the emulator's time, are small too."""


def networks() -> list[Graph]:
    """Quantized networks with random weights, every time the same."""
    graphs = []
    for seed, (name, changes, options) in enumerate(NETWORKS):
        network = find(name)
        config = network.config(**{"image": (16, 16), "patch": 8, "mlp_ratio": 2, **changes})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = network.make(config).eval()
        graphs.append(quantize(model, [generate(seed, config.image).image], QuantizeOptions(**options)))
    return graphs


def edited(graph: Graph, rng: random.Random) -> tuple[str, Arrays, str]:
    """JSON header and arrays of the graph after random edits, checksum right again, and what was done."""
    header: Header = json.loads(json.dumps({"version": artifact.VERSION, "graph": graph.to_dict()}))
    arrays = {name: array.copy() for name, array in graph.constants.items()}
    done = []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kind = rng.random()
        if kind < 0.4:
            done.append(edit_json(header, rng))
        elif kind < 0.75:
            done.append(_edit_nodes(header["graph"], rng) if isinstance(header.get("graph"), dict) else "")
        else:
            done.append(_edit_arrays(arrays, rng))
    if rng.random() < 0.6:
        _list_tensors(header, arrays)
    text = dumps(header)
    if rng.random() < 0.02:
        text = double_a_key(text, rng)
    return _signed(text, arrays), arrays, "; ".join(done)


def write(path: Path, graph: Graph, rng: random.Random) -> str:
    """An artifact with random edits, sometimes of its bytes; what was done."""
    text, arrays, done = edited(graph, rng)
    save_file(arrays, path, metadata={"intarsia": text})
    if rng.random() < 0.1:
        path.write_bytes(edit_bytes(path.read_bytes(), rng))
        done += "; bytes"
    return done


class Judge:
    """What becomes of an artifact: refused, or run by everything that can run it."""

    def __init__(self) -> None:
        self.machine = Machine.load("edge")

    def __call__(self, path: Path) -> str:
        graph = load_artifact(path)
        picture = generate(5, graph.config.image).image
        wanted = dict(Executor(graph, "reference").tensors(picture))
        _equal("kernels, tensor by tensor", wanted, dict(Executor(graph).tensors(picture)))
        tensors = {output.name: output.tensor for output in graph.outputs}
        found = Executor(graph).outputs(picture)
        _equal("kernels", wanted, {tensors[name]: array for name, array in found.items()})
        try:
            program = compile_graph(graph, self.machine)
        except InputError as error:
            return f"accepted; not compiled: {error}"
        memory = execute(program, memory_image(graph, program, picture))
        found = outputs_of(graph, program, memory)
        _equal("emulator", wanted, {tensors[name]: array for name, array in found.items()})
        return "accepted"


def _equal(who: str, wanted: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> None:
    for name, array in found.items():
        if array.dtype != wanted[name].dtype or not np.array_equal(array, wanted[name]):
            wrong = int((array != wanted[name]).sum()) if array.shape == wanted[name].shape else array.size
            raise AssertionError(f"unequal results: {who}, {name}: {wrong} of {array.size} elements differ")


def _signed(text: str, arrays: Arrays) -> str:
    """The header with the checksum that a reader computes, where it can read the header at all."""
    try:
        header = json.loads(text)
        header["sha256"] = artifact._digest(header, arrays)
        return json.dumps(header)
    except (ValueError, RecursionError, TypeError):
        end = text.rstrip().removesuffix("}")
        return f'{end}, "sha256": "0"}}'


def _edit_nodes(graph: dict[str, Any], rng: random.Random) -> str:
    """An edit that only a graph has: an edge, an order, an attribute."""
    try:
        nodes = graph["nodes"]
        node = rng.choice(nodes)
        kind = rng.choice(
            ("edge", "edge", "order", "attribute", "attribute", "attribute", "role", "inputs", "rename")
        )
        if kind == "edge":
            like = [n["name"] for n in nodes if n["op"] == rng.choice(nodes)["op"]] or [IMAGE]
            node["inputs"][rng.randrange(len(node["inputs"]))] = rng.choice(like)
        elif kind == "order":
            i, j = rng.randrange(len(nodes)), rng.randrange(len(nodes))
            nodes.insert(j, nodes.pop(i))
        elif kind == "attribute":
            node = rng.choice([n for n in nodes if n["attributes"]])
            key = rng.choice(list(node["attributes"]))
            allowed = OPERATORS[node["op"]].attributes[key]
            ends = (allowed[0], allowed[-1], allowed[len(allowed) // 2])
            node["attributes"][key] = rng.choice(
                (rng.choice(allowed), rng.choice(ends), rng.choice(VALUES))
            )
        elif kind == "role":
            other = rng.choice([n for n in nodes if n["op"] == node["op"]])
            node["constants"], other["constants"] = other["constants"], node["constants"]
        elif kind == "inputs":
            node["inputs"].reverse()
        else:
            text = json.dumps(graph).replace(f'"{node["name"]}"', '"renamed"')
            graph.update(json.loads(text))
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        return f"nothing ({error!r})"  # an edit before made it something else
    return f"{kind} of {node['name']}"


def _edit_arrays(arrays: Arrays, rng: random.Random) -> str:
    name = rng.choice(list(arrays))
    array = arrays[name]
    kind = rng.choice(("extreme", "element", "fill", "noise", "dtype", "shape", "empty", "unused", "lost"))
    if array.dtype.kind not in "iu":
        return "nothing"  # an edit before made it another type
    low, high = (int(getattr(np.iinfo(array.dtype), end)) for end in ("min", "max"))
    ends = (low, low + 1, high, high // 2, -(2**62) if array.itemsize == 8 else low, 0, 1, -1)
    if kind == "extreme":
        array.flat[:: rng.choice((1, 2, 3))] = rng.choice(ends)
    elif kind == "element" and array.size:
        array.flat[rng.randrange(array.size)] = rng.choice(ends)
    elif kind == "fill":
        array[...] = rng.choice(ends)
    elif kind == "noise":
        noise = np.random.default_rng(rng.randrange(2**32))
        array[...] = noise.integers(low, high, array.shape, dtype=array.dtype, endpoint=True)
    elif kind == "dtype":
        types = ("int8", "uint8", "int16", "int32", "int64", "uint64", "float32", "float16", "bool")
        arrays[name] = array.astype(rng.choice(types))
    elif kind == "shape":
        shapes = (
            array[None],
            array.reshape(-1),
            array[..., None],
            array[:1],
            array.T,
            np.resize(array, (2, 3)),
        )
        arrays[name] = np.ascontiguousarray(rng.choice(shapes))
    elif kind == "empty":
        arrays[name] = array[:0]
    elif kind == "unused":
        arrays[rng.choice(("more", "\x1b[2J", "x" * 300))] = np.zeros(3, np.int8)
    else:
        del arrays[name]
    return f"{kind} {name}"


def _list_tensors(header: Header, arrays: Arrays) -> None:
    """The shapes and types that the edited nodes make, so that an edit is refused for itself alone."""
    try:
        graph = header["graph"]
        listed = {tensor["name"]: tensor for tensor in graph["tensors"]}
        for values in graph["nodes"]:
            node = Node(**values)
            inputs = [
                Tensor(name, tuple(listed[name]["shape"]), listed[name]["dtype"]) for name in node.inputs
            ]
            shapes = {role: arrays[key].shape for role, key in node.constants.items()}
            made = OPERATORS[node.op].made(node, inputs, shapes)
            if made.size < 10**7:
                listed[node.name] |= {"shape": list(made.shape), "dtype": made.dtype}
    except Exception:  # whatever an edit has left there
        return
