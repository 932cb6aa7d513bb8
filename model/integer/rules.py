"""What each operator takes, one table: inputs, constants and attributes with their ranges, its output.

docs/artifact.md says the same to people. `model.integer.check` holds a graph against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from intarsia.model.errors import InputError
from intarsia.model.integer.constants import GELU_FORMS, MAX_BIAS, MAX_I0, MAX_SHIFT
from intarsia.model.integer.graph import Node
from intarsia.model.integer.operators import label_dtype

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]
MAX_SIDE = 65535
"""Pixels of a picture, down and across."""

Allowed = range | tuple[int | str, ...]
"""Values of an attribute or of the elements of a constant: a range of integers, or some values."""


@dataclass(frozen=True)
class Input:
    """A tensor that a node reads: the integer types that it may have, and its number of axes."""

    dtypes: tuple[str, ...]
    rank: int


@dataclass(frozen=True)
class Constant:
    """An array of a node: its type, its number of axes, the range of its elements."""

    dtype: str
    rank: int
    values: range | None = None
    optional: bool = False


@dataclass(frozen=True)
class Rule:
    """What a node of one kind has.

    shape: of its output, from the node, the shapes of its inputs and of its constants; raises
    InputError where they do not fit together.
    output: integer type of its output; empty: `out_bits`, otherwise the type of the first input.
    """

    inputs: tuple[Input, ...]
    shape: Callable[[Node, list[Shape], Shapes], Shape]
    output: str = ""
    constants: Mapping[str, Constant] = field(default_factory=dict)
    attributes: Mapping[str, Allowed] = field(default_factory=dict)


def allows(allowed: Allowed, value: object) -> bool:
    """Whether `value` is among the allowed ones; a bool or a whole float is no integer."""
    # A range looks through all its integers for a text.
    return type(value) in ((int,) if isinstance(allowed, range) else (int, str)) and value in allowed


def in_words(allowed: Allowed) -> str:
    """The allowed values as a message says them."""
    if isinstance(allowed, range):
        return f"an integer in {allowed.start}..{allowed.stop - 1}"
    return " or ".join(str(value) for value in allowed)


def same(node: Node, found: Shape, wanted: Shape) -> None:
    """Refuse the node where a shape is not the wanted one."""
    if tuple(found) != tuple(wanted):
        raise InputError(f"{node.name}: shape must be {list(wanted)}, not {list(found)}")


def _pixels(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    (height, width, _), patch = inputs[0], node.integer("patch")
    same(node, constants["table"], (3, 256))
    return -(-height // patch) * -(-width // patch), patch * patch * 3


def _linear(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    n, k = constants["weight"]
    same(node, inputs[0][1:], (k,))
    for role in ("bias", "b", "c"):
        if role in constants:
            same(node, constants[role], (n,))
    return inputs[0][0], n


def _matmul(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    (n, depth), (k, other) = inputs
    same(node, (other,), (depth,))
    return n, k


def _scores(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    tokens, width = inputs[0]
    if width % (3 * node.integer("heads")):
        wanted = f"a multiple of 3 * {node.integer('heads')} heads"
        raise InputError(f"{node.name}: qkv must have {wanted} channels, not {width}")
    return node.integer("heads"), tokens, tokens


def _mix(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    tokens, width = inputs[1]
    same(node, inputs[0], (node.integer("heads"), tokens, tokens))
    if width % (3 * node.integer("heads")):
        wanted = f"a multiple of 3 * {node.integer('heads')} heads"
        raise InputError(f"{node.name}: qkv must have {wanted} channels, not {width}")
    return tokens, width // 3


def _layernorm(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    for role in ("b", "B"):
        same(node, constants[role], inputs[0][1:])
    return inputs[0]


def _residual(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    same(node, inputs[1] if len(inputs) == 2 else constants["identity"], inputs[0])
    return inputs[0]


def _join(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    same(node, constants["rows"][1:], inputs[0][1:])
    return inputs[0][0] + constants["rows"][0], *inputs[0][1:]


def _rows(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    start, stop = node.integer("start"), node.integer("stop")
    if not start < stop <= inputs[0][0]:
        raise InputError(f"{node.name}: rows {start}..{stop} must lie within 0..{inputs[0][0]}")
    return stop - start, *inputs[0][1:]


def _argmax(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    grid = node.integer("height"), node.integer("width")
    same(node, (grid[0] * grid[1],), inputs[0][:1])
    label_dtype(inputs[0][1])
    return grid


def _nearest(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    size = node.integer("height"), node.integer("width")
    patch = node.integer("patch")
    same(node, tuple(-(-s // patch) for s in size), inputs[0])
    return size


def _unchanged(node: Node, inputs: list[Shape], constants: Shapes) -> Shape:
    return inputs[0]


_INT8, _INT16 = Input(("int8",), 2), Input(("int16",), 2)
_MULTIPLIER, _SHIFT = range(1 - 2**31, 2**31), range(MAX_SHIFT + 1)
_SIDE, _ROW, _HEADS = range(1, MAX_SIDE + 1), range(2**31), range(1, 2**16)
_SCALE: Mapping[str, Allowed] = {"b": _MULTIPLIER, "c": _SHIFT}
_JOINED = Rule((_INT16,), _join, "int16", {"rows": Constant("int16", 2)})

RULES: Mapping[str, Rule] = {
    "pixels": Rule(
        (Input(("uint8",), 3),),
        _pixels,
        "int8",
        {"table": Constant("int8", 2)},
        {"patch": range(1, 1025)},
    ),
    "linear": Rule(
        (_INT8,),
        _linear,
        "",
        {
            "weight": Constant("int8", 2),
            "bias": Constant("int32", 1, optional=True),
            "b": Constant("int32", 1, _MULTIPLIER),
            "c": Constant("int8", 1, _SHIFT),
        },
        {"out_bits": (8, 16)},
    ),
    "matmul": Rule((_INT8, _INT8), _matmul, attributes={**_SCALE, "out_bits": (8, 16)}),
    "scores": Rule((_INT8,), _scores, attributes={"heads": _HEADS, **_SCALE, "out_bits": (8,)}),
    "shiftmax": Rule(
        (Input(("int8",), 3),),
        _unchanged,
        attributes={
            "i0": range(1, MAX_I0 + 1),
            "n": range(1, 32),
            "reciprocal_bits": range(15, 47),
            "out_bits": (8, 16),
        },
    ),
    "mix": Rule(
        (Input(("int8", "int16"), 3), _INT8),
        _mix,
        attributes={"heads": _HEADS, **_SCALE, "out_bits": (8,)},
    ),
    "layernorm": Rule(
        (_INT16,),
        _layernorm,
        "",
        {
            "b": Constant("int32", 1, _MULTIPLIER),
            "B": Constant("int64", 1, range(-MAX_BIAS, MAX_BIAS + 1)),
        },
        {"c": _SHIFT, "out_bits": (8, 16)},
    ),
    "gelu": Rule(
        (_INT8,),
        _unchanged,
        attributes={"form": tuple(GELU_FORMS), "i0": range(1, MAX_I0 + 1), **_SCALE, "out_bits": (8,)},
    ),
    "residual": Rule(
        (_INT16, _INT16),
        _residual,
        "int16",
        {"identity": Constant("int16", 2, optional=True)},
        {"b1": _MULTIPLIER, "c1": _SHIFT, "b2": _MULTIPLIER, "c2": _SHIFT},
    ),
    "prepend": _JOINED,
    "append": _JOINED,
    "rows": Rule(
        (Input(("int8", "int16"), 2),),
        _rows,
        attributes={"start": _ROW, "stop": _ROW},
    ),
    "argmax": Rule((_INT16,), _argmax, "labels", attributes={"height": _SIDE, "width": _SIDE}),
    "nearest": Rule(
        (Input(("uint8", "uint16"), 2),),
        _nearest,
        attributes={"patch": range(1, 1025), "height": _SIDE, "width": _SIDE},
    ),
}
"""Per operator. A residual has one input where it has the constant `identity`."""
