"""Whether a graph is one that the operators can run: names, types, shapes, ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError
from model.integer.constants import MAX_BIAS, MAX_I0, MAX_SHIFT
from model.integer.graph import IMAGE, LABELS, Graph, Node, Tensor
from model.integer.operators import label_dtype

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]


@dataclass(frozen=True)
class _Rule:
    """What a node of one kind has: input types, constants with types, attributes, its output."""

    inputs: tuple[str, ...]
    constants: Mapping[str, str]
    attributes: tuple[str, ...]
    output: str
    shape: Callable[[Node, list[Shape], Shapes], Shape]
    optional: tuple[str, ...] = ()


def _pixels(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    (height, width, _), patch = inputs[0], node.integer("patch")
    return -(-height // patch) * -(-width // patch), patch * patch * 3


def _linear(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    n, k = constants["weight"]
    wanted = {"bias": (n,), "b": (n,), "c": (n,)}
    _same(node, inputs[0][1:], (k,))
    for role, shape in wanted.items():
        if role in constants:
            _same(node, constants[role], shape)
    return inputs[0][0], n


def _matmul(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    (n, depth), (k, other) = inputs
    _same(node, (other,), (depth,))
    return n, k


def _scores(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    tokens, width = inputs[0]
    _same(node, (width % (3 * node.integer("heads")),), (0,))
    return node.integer("heads"), tokens, tokens


def _mix(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    (heads, tokens, _), (others, width) = inputs
    _same(node, (node.integer("heads"), tokens), (heads, others))
    return tokens, width // 3


def _layernorm(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    for role in ("b", "B"):
        _same(node, constants[role], inputs[0][1:])
    return inputs[0]


def _residual(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    _same(node, inputs[1] if len(inputs) == 2 else constants.get("identity", ()), inputs[0])
    return inputs[0]


def _join(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    _same(node, constants["rows"][1:], inputs[0][1:])
    return inputs[0][0] + constants["rows"][0], *inputs[0][1:]


def _rows(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    start, stop = node.integer("start"), node.integer("stop")
    if not 0 <= start < stop <= inputs[0][0]:
        raise InputError(f"{node.name}: rows {start}..{stop} must lie within 0..{inputs[0][0]}")
    return stop - start, *inputs[0][1:]


def _argmax(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    grid = node.integer("height"), node.integer("width")
    _same(node, (grid[0] * grid[1],), inputs[0][:1])
    return grid


def _nearest(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    size = node.integer("height"), node.integer("width")
    patch = node.integer("patch")
    _same(node, tuple(-(-s // patch) for s in size), inputs[0])
    return size


def _unchanged(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    return inputs[0]


_PER_CHANNEL = {"weight": "int8", "bias": "int32", "b": "int32", "c": "int8"}
_RULES = {
    "pixels": _Rule(("uint8",), {"table": "int8"}, ("patch",), "int8", _pixels),
    "linear": _Rule(("int8",), _PER_CHANNEL, ("out_bits",), "", _linear, ("bias",)),
    "matmul": _Rule(("int8", "int8"), {}, ("b", "c", "out_bits"), "", _matmul),
    "scores": _Rule(("int8",), {}, ("heads", "b", "c", "out_bits"), "", _scores),
    "shiftmax": _Rule(("int8",), {}, ("i0", "n", "reciprocal_bits", "out_bits"), "", _unchanged),
    "mix": _Rule(("", "int8"), {}, ("heads", "b", "c", "out_bits"), "", _mix),
    "layernorm": _Rule(("int16",), {"b": "int32", "B": "int64"}, ("c", "out_bits"), "", _layernorm),
    "gelu": _Rule(("int8",), {}, ("form", "i0", "b", "c", "out_bits"), "", _unchanged),
    "residual": _Rule(
        ("int16", "int16"),
        {"identity": "int16"},
        ("b1", "c1", "b2", "c2"),
        "int16",
        _residual,
        ("identity",),
    ),
    "prepend": _Rule(("int16",), {"rows": "int16"}, (), "int16", _join),
    "append": _Rule(("int16",), {"rows": "int16"}, (), "int16", _join),
    "rows": _Rule(("",), {}, ("start", "stop"), "", _rows),
    "argmax": _Rule(("int16",), {}, ("height", "width"), "", _argmax),
    "nearest": _Rule(("",), {}, ("patch", "height", "width"), "", _nearest),
}
"""Per operator. An empty type: that of the first input or of `out_bits`; other roles are refused."""

_SHIFT, _MULTIPLIER = (0, MAX_SHIFT), (1 - 2**31, 2**31 - 1)
_RANGES = {
    **dict.fromkeys(("c", "c1", "c2"), _SHIFT),
    **dict.fromkeys(("b", "b1", "b2"), _MULTIPLIER),
    "B": (-MAX_BIAS, MAX_BIAS),
    "i0": (1, MAX_I0),
}
"""Of attributes and of the values of constants, by role."""

_BITS = {"out_bits": (8, 16), "reciprocal_bits": tuple(range(15, 47)), "n": tuple(range(1, 32))}


def check_graph(graph: Graph) -> Graph:
    """`graph` itself; InputError names the first node that the operators could not run."""
    made = {IMAGE: Tensor(IMAGE, (*graph.config.image, 3), "uint8")}
    for node in graph.nodes:
        if node.op not in _RULES:
            raise InputError(f"{node.name}: operator {node.op!r} is unknown; known: {', '.join(_RULES)}")
        _check_parts(graph, node, _RULES[node.op])
        missing = [name for name in node.inputs if name not in made]
        if missing or node.name in made:
            raise InputError(f"{node.name}: must come after its inputs, and once; missing: {missing}")
        made[node.name] = _check_output(graph, node, _RULES[node.op], made)
    if LABELS not in made:
        raise InputError(f"the graph must make the tensor {LABELS}")
    dtype = label_dtype(graph.config.classes)
    if made[LABELS].shape != graph.config.image or made[LABELS].dtype != dtype:
        raise InputError(f"{LABELS} must be {dtype} {graph.config.image}, not {made[LABELS]}")
    return graph


def _check_parts(graph: Graph, node: Node, rule: _Rule) -> None:
    roles = set(node.constants)
    needed = {role for role in rule.constants if role not in rule.optional}
    if not needed <= roles <= set(rule.constants):
        raise InputError(f"{node.name}: constants must be {sorted(needed)}, not {sorted(roles)}")
    if set(node.attributes) != set(rule.attributes):
        wanted, found = sorted(rule.attributes), sorted(node.attributes)
        raise InputError(f"{node.name}: attributes must be {wanted}, not {found}")
    for role, key in node.constants.items():
        if key not in graph.constants:
            raise InputError(f"{node.name}: the array {key} is missing")
        if graph.constants[key].dtype != rule.constants[role]:
            raise InputError(f"{key} must be {rule.constants[role]}, not {graph.constants[key].dtype}")
        if role in _RANGES:
            _check_range(key, graph.constants[key], *_RANGES[role])
    for key, value in node.attributes.items():
        if key == "form":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{node.name}: {key} must be an integer, not {value!r}")
        low, high = _RANGES.get(key, (-(2**31), 2**31))
        if not low <= value <= high or value not in _BITS.get(key, (value,)):
            raise InputError(f"{node.name}: {key} must be in the range of the contract, not {value}")


def _check_range(name: str, values: NDArray[np.signedinteger], low: int, high: int) -> None:
    if values.size and (values.min() < low or values.max() > high):
        wrong = values[(values < low) | (values > high)].flat[0]
        raise InputError(f"{name} must hold integers in {low}..{high}, not {wrong}")


def _check_output(graph: Graph, node: Node, rule: _Rule, made: Mapping[str, Tensor]) -> Tensor:
    inputs = [made[name] for name in node.inputs]
    wanted = rule.inputs if "identity" not in node.constants else rule.inputs[:1]
    if len(inputs) != len(wanted):
        raise InputError(f"{node.name}: must have {len(wanted)} inputs, not {len(inputs)}")
    for tensor, dtype in zip(inputs, wanted, strict=True):
        if dtype and tensor.dtype != dtype:
            raise InputError(f"{node.name}: input {tensor.name} must be {dtype}, not {tensor.dtype}")
    constants = {role: graph.constants[key].shape for role, key in node.constants.items()}
    try:
        shape = rule.shape(node, [t.shape for t in inputs], constants)
    except InputError:
        raise
    except (ValueError, ZeroDivisionError):
        shapes = [t.shape for t in inputs]
        raise InputError(f"{node.name}: shapes {shapes} do not fit {node.op}") from None
    dtype = rule.output
    if not dtype:
        dtype = f"int{node.attributes['out_bits']}" if "out_bits" in node.attributes else inputs[0].dtype
    if node.op == "argmax":
        dtype = label_dtype(graph.config.classes)
    made_here = graph.tensors.get(node.name)
    if made_here is None or (made_here.shape, made_here.dtype) != (shape, dtype):
        raise InputError(f"{node.name}: its tensor must be {dtype} {list(shape)}, not {made_here}")
    return made_here


def _same(node: Node, found: Shape, wanted: Shape) -> None:
    if tuple(found) != tuple(wanted):
        raise InputError(f"{node.name}: shape must be {list(wanted)}, not {list(found)}")
