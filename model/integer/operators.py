"""What each node of the graph computes, in plain NumPy: the readable truth.

One function per operator: (node, inputs, constants) to output, with the arithmetic of
`model.integer.arithmetic` and nothing else. `model.integer.fast` does the same with compiled
kernels and must give equal integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic
from intarsia.model.integer.graph import Node

Array = NDArray[Any]
Operator = Callable[[Node, Sequence[Array], Mapping[str, Array]], Array]

MAX_CLASSES = 2**16
"""Labels have at most 16 bits."""


def pixels(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Image uint8 [H, W, 3] to patches int8 [N, P*P*3], bytes through one table per channel.

    `table` int8 [3, 256]. Where the patch does not divide the image it is padded to the right
    and below with 0, which is the mean colour. A patch is (row, column, channel) in this order.
    """
    (image,), patch = inputs, node.integer("patch")
    values = np.stack([constants["table"][c][image[..., c]] for c in range(3)], axis=-1)
    height, width, _ = values.shape
    values = np.pad(values, ((0, -height % patch), (0, -width % patch), (0, 0)))
    rows, columns = values.shape[0] // patch, values.shape[1] // patch
    tiles = values.reshape(rows, patch, columns, patch, 3).transpose(0, 2, 1, 3, 4)
    return tiles.reshape(rows * columns, patch * patch * 3)


def linear(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """x int8 [T, K] times weight int8 [N, K] plus bias int32 [N], requantized per channel.

    `b`, `c` int [N];  out_bits 8 or 16. The quantizer has shown that no int32 accumulator
    overflows.
    """
    (x,) = inputs
    acc = _product(x, constants["weight"].T)
    if "bias" in constants:
        acc = acc + constants["bias"]
    b, c = constants["b"], constants["c"]
    return arithmetic.requantize(acc, b, c, out_bits=node.integer("out_bits"))


def matmul(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """x int8 [N, D] times y int8 [K, D], transposed, requantized by scalars b, c."""
    x, y = inputs
    return _requantized(node, _product(x, y.T))


def scores(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Per head q k^T of qkv int8 [T, 3D], requantized: int8 [H, T, T]; d^-1/2 is inside b, c."""
    q, k, _ = _heads(inputs[0], node.integer("heads"))
    return _requantized(node, _product(q, k.transpose(0, 2, 1)))


def shiftmax(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Shiftmax over the keys: int8 [H, T, T] to int16 (or int8) probabilities."""
    return arithmetic.shiftmax(
        inputs[0],
        node.integer("i0"),
        n=node.integer("n"),
        reciprocal_bits=node.integer("reciprocal_bits"),
        out_bits=node.integer("out_bits"),
    )


def mix(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Per head probabilities [H, T, T] times the values of qkv, requantized: int8 [T, D]."""
    probabilities, qkv = inputs
    _, _, v = _heads(qkv, node.integer("heads"))
    acc = _product(probabilities, v)
    return _requantized(node, acc.transpose(1, 0, 2).reshape(len(qkv), -1))


def layernorm(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """I-LayerNorm of int16 [T, D] with `b`, `B` [D] and one shift c; out_bits 8 or 16."""
    b, B = constants["b"], constants["B"]
    return arithmetic.layernorm(inputs[0], b, B, node.integer("c"), out_bits=node.integer("out_bits"))


def gelu(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """ShiftGELU of int8 [T, C] (int16 x * sigmoid inside), requantized to int8."""
    out = arithmetic.shiftgelu(inputs[0], node.integer("i0"), form=str(node.attributes["form"]))
    return _requantized(node, out)


def residual(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Sum of two int16 tensors, or of one and the constant `identity`, at a new scale."""
    x, identity = (*inputs, constants["identity"]) if len(inputs) == 1 else inputs
    b1, c1, b2, c2 = (node.integer(key) for key in ("b1", "c1", "b2", "c2"))
    return arithmetic.residual(x, b1, c1, identity, b2, c2)


def prepend(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """The constant `rows` int16 before the rows of x: the class token."""
    return np.concatenate([constants["rows"], inputs[0]])


def append(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """The constant `rows` int16 after the rows of x: the class embeddings."""
    return np.concatenate([inputs[0], constants["rows"]])


def rows(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Rows start..stop of x."""
    return inputs[0][node.integer("start") : node.integer("stop")]


def argmax(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Class of the largest score of every patch, lowest class on ties: [h, w]."""
    labels = np.argmax(inputs[0], axis=-1).astype(label_dtype(inputs[0].shape[-1]))
    return labels.reshape(node.integer("height"), node.integer("width"))


def nearest(node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
    """Labels [h, w] to [H, W], every patch filled with its label; the padding is cut off."""
    patch, height, width = (node.integer(key) for key in ("patch", "height", "width"))
    return np.kron(inputs[0], np.ones((patch, patch), inputs[0].dtype))[:height, :width]


def label_dtype(classes: int) -> str:
    """Type that holds every class index."""
    if classes > MAX_CLASSES:
        raise InputError(f"the number of classes must be at most {MAX_CLASSES}, not {classes}")
    return "uint8" if classes <= 256 else "uint16"


def _heads(qkv: Array, heads: int) -> tuple[Array, Array, Array]:
    """qkv [T, 3D] to q, k, v, each [H, T, d]."""
    q, k, v = qkv.reshape(len(qkv), 3, heads, -1).transpose(1, 2, 0, 3)
    return q, k, v


def _product(x: Array, y: Array) -> Array:
    return np.matmul(x.astype(np.int32), y.astype(np.int32))


def _requantized(node: Node, acc: Array) -> Array:
    b, c = node.integer("b"), node.integer("c")
    return arithmetic.requantize(acc, b, c, out_bits=node.integer("out_bits"))


REFERENCE: dict[str, Operator] = {
    "pixels": pixels,
    "linear": linear,
    "matmul": matmul,
    "scores": scores,
    "shiftmax": shiftmax,
    "mix": mix,
    "layernorm": layernorm,
    "gelu": gelu,
    "residual": residual,
    "prepend": prepend,
    "append": append,
    "rows": rows,
    "argmax": argmax,
    "nearest": nearest,
}
"""Operator of every kind of node."""
