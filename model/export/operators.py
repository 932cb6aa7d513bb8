"""What each node of the graph becomes in ONNX: the counterpart of `model.integer.operators`.

One function per operator: (writer, node, inputs, constants) to the name of the result, which
the last ONNX node makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.export import arithmetic
from intarsia.model.export.writer import Writer
from intarsia.model.integer.arithmetic import I31, shift_exp
from intarsia.model.integer.fast import gelu_table
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import label_dtype

Constants = Mapping[str, NDArray[Any]]
Emitter = Callable[[Writer, Node, Sequence[Tensor], Constants], str]


def pixels(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Image uint8 [H, W, 3] to patches int8 [N, P*P*3]; the three tables lie in a row."""
    (image,), patch = inputs, node.integer("patch")
    height, width, _ = image.shape
    offsets = np.arange(3, dtype=np.int32) * 256
    index = w.op("Add", w.cast(image.name, np.int32), offsets)
    table = constants["table"].reshape(-1)
    x = arithmetic.lookup(w, table, index, image.shape)
    below, right = -height % patch, -width % patch
    if below or right:
        x = w.op("Pad", x, np.array([0, 0, 0, below, right, 0]), np.int8(0))
    rows, columns = (height + below) // patch, (width + right) // patch
    tiles = w.transpose(w.reshape(x, rows, patch, columns, patch, 3), 0, 2, 1, 3, 4)
    return w.reshape(tiles, rows * columns, patch * patch * 3)


def linear(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """x int8 [T, K] times weight int8 [N, K], stored transposed and above 128, plus bias."""
    (x,) = inputs
    flipped = constants["weight"].T.view(np.uint8) ^ arithmetic.OFFSET
    weight = w.constant(np.ascontiguousarray(flipped), "weight")
    acc = arithmetic.product(w, arithmetic.unsigned(w, x.name), weight)
    if "bias" in constants:
        acc = w.op("Add", acc, w.constant(constants["bias"], "bias"))
    p = arithmetic.multiply(w, acc, constants["b"])
    return arithmetic.requantize(w, p, constants["c"], node.integer("out_bits"))


def matmul(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """x int8 [N, D] times y int8 [K, D], transposed."""
    x, y = (arithmetic.unsigned(w, tensor.name) for tensor in inputs)
    return _scaled(w, node, arithmetic.product(w, x, w.transpose(y, 1, 0)))


def scores(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Per head q k^T of qkv int8 [T, 3D]: int8 [H, T, T]."""
    q, k = _head(w, node, inputs[0], 0), _head(w, node, inputs[0], 1)
    acc = arithmetic.product(w, w.transpose(q, 1, 0, 2), w.transpose(k, 1, 2, 0))
    return _scaled(w, node, acc)


def shiftmax(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Shiftmax of int8 rows: a probability depends on its row and on max - x alone.

    So e is a table of 256 values, and every row has a table of the probabilities.
    """
    (x,) = inputs
    bits, reciprocal = node.integer("out_bits"), node.integer("reciprocal_bits")
    table = np.minimum(shift_exp(-np.arange(256), node.integer("i0"), n=node.integer("n")), I31)
    top = w.cast(w.row_max(x.name), np.int32)
    d = w.op("Sub", top, w.cast(x.name, np.int32))
    e = arithmetic.lookup(w, table, d, x.shape)
    total = w.cast(arithmetic.row_sums(w, e, x.shape[-1]), np.uint64)
    s = w.cast(w.op("Min", total, np.uint64(I31)), np.int64)  # e of the maximum is at least 1
    f = w.op("Div", np.int64(2**reciprocal - 1), s)
    # e <= s, hence e * f < 2**R, and what is left of it is 32767 at most: 15 bits, or the upper 7.
    p = arithmetic.rshift(w, w.op("Mul", f, table), reciprocal + 1 - bits)
    w.probabilities.add(node.name)
    return w.op("GatherElements", w.cast(p, f"int{bits}"), d, axis=len(x.shape) - 1)


def mix(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Per head probabilities [H, T, T] times the values of qkv: int8 [T, D].

    16-bit probabilities are multiplied as two bytes. What no Shiftmax has made may be negative.
    """
    probabilities, qkv = inputs
    v = w.transpose(_head(w, node, qkv, 2), 1, 0, 2)
    signed = probabilities.name not in w.probabilities
    zero = arithmetic.OFFSET if signed else np.uint8(0)

    def upper_byte(x: str) -> str:
        return w.op("BitwiseXor", x, zero) if signed else x

    low = w.cast(probabilities.name, np.uint8)
    if probabilities.bits == 8:
        acc = arithmetic.product(w, upper_byte(low), v, zero)
    else:
        acc = arithmetic.product(w, low, v, np.uint8(0))
        wide = w.cast(probabilities.name, np.uint32)
        high = w.cast(w.op("BitShift", wide, np.uint32(8), direction="RIGHT"), np.uint8)
        upper = arithmetic.product(w, upper_byte(high), v, zero)
        acc = w.op("Add", w.op("Mul", upper, np.int32(256)), acc)
    tokens, channels = qkv.shape[0], qkv.shape[1] // 3
    return w.reshape(w.transpose(_scaled(w, node, acc), 1, 0, 2), tokens, channels)


def layernorm(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """I-LayerNorm of int16 [T, D]."""
    (x,) = inputs
    z = arithmetic.standardized(w, x.name, x.shape[-1])
    b, B = (constants[key].astype(np.int64) for key in ("b", "B"))
    p = w.op("Add", w.op("Mul", z, b), B)
    if node.integer("c") == 63:  # |p| may reach 2**62 + 2**61, which leaves no room for a half
        return arithmetic.nearest_of_63(w, p, node.integer("out_bits"))
    return arithmetic.requantize(w, p, node.integer("c"), node.integer("out_bits"))


def gelu(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """ShiftGELU of int8 [T, C] with its requantization: one table, or one per row maximum."""
    (x,), table = inputs, gelu_table(node)
    index, first = w.cast(x.name, np.int32), 128
    if table.ndim == 2:
        top = w.cast(w.row_max(x.name), np.int32)
        index, first = w.op("Add", w.op("Mul", top, np.int32(256)), index), 128 * 256 + 128
    # Index 0 stands for x = 0 (and maximum 0); negative indices count from the end.
    return arithmetic.lookup(w, np.roll(table.reshape(-1), -first), index, x.shape)


def residual(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Sum of two int16 tensors, or of one and the constant `identity`, at a new scale."""
    names = [tensor.name for tensor in inputs]
    if len(names) == 1:
        names.append(w.constant(constants["identity"], "identity"))
    b1, c1, b2, c2 = (node.integer(key) for key in ("b1", "c1", "b2", "c2"))
    return arithmetic.residual(w, names[0], b1, c1, names[1], b2, c2)


def prepend(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """The constant `rows` before the rows of x."""
    return w.op("Concat", w.constant(constants["rows"], "rows"), inputs[0].name, axis=0)


def append(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """The constant `rows` after the rows of x."""
    return w.op("Concat", inputs[0].name, w.constant(constants["rows"], "rows"), axis=0)


def rows(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Rows start..stop of x."""
    return w.cut(inputs[0].name, node.integer("start"), node.integer("stop"), axis=0)


def argmax(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Class of the largest score of every patch, lowest class on ties: [h, w]."""
    (x,) = inputs
    # ArgMax takes the first of equals unless told otherwise; ONNX Runtime has none of int16.
    best = w.op("ArgMax", w.cast(x.name, np.int32), axis=1, keepdims=0)
    labels = w.cast(best, label_dtype(x.shape[-1]))
    return w.reshape(labels, node.integer("height"), node.integer("width"))


def nearest(w: Writer, node: Node, inputs: Sequence[Tensor], constants: Constants) -> str:
    """Labels [h, w] to [H, W]: every patch filled with its label, the padding cut off."""
    patch = node.integer("patch")
    down, across = (np.arange(node.integer(key)) // patch for key in ("height", "width"))
    lines = w.op("Gather", inputs[0].name, down, axis=0)
    return w.op("Gather", lines, across, axis=1)


def _head(w: Writer, node: Node, qkv: Tensor, part: int) -> str:
    """q, k or v (part 0, 1, 2) of qkv int8 [T, 3D] above 128: uint8 [T, H, d]."""
    tokens, channels, heads = qkv.shape[0], qkv.shape[1] // 3, node.integer("heads")
    x = w.cut(qkv.name, part * channels, (part + 1) * channels, axis=1)
    return w.reshape(arithmetic.unsigned(w, x), tokens, heads, channels // heads)


def _scaled(w: Writer, node: Node, acc: str) -> str:
    """Requantized by the scalars b, c of the node."""
    p = arithmetic.multiply(w, acc, node.integer("b"))
    return arithmetic.requantize(w, p, node.integer("c"), node.integer("out_bits"))


EMITTERS: dict[str, Emitter] = {
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
"""Emitter of every kind of node."""
