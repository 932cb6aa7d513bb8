"""The operators of the graph on compiled kernels: what `operators` computes, much faster.

A prepared operator holds its constants as the kernel wants them, so that nothing is converted
per image. Attention is one kernel when nobody looks at the scores and probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer import arithmetic, kernels
from intarsia.model.integer.graph import Node
from intarsia.model.integer.operators import REFERENCE, Array

Prepared = Callable[[Sequence[Array]], Array]

SHIFTMAX = ("n", "reciprocal_bits", "out_bits")
"""Attributes of Shiftmax besides i0."""


def prepare(node: Node, constants: Mapping[str, Array]) -> Prepared:
    """The operator of `node` as a function of its inputs alone."""
    if node.op in _PREPARE:
        return _PREPARE[node.op](node, constants)
    operator = REFERENCE[node.op]
    return lambda inputs: operator(node, inputs, constants)


def prepare_attention(scores: Node, shiftmax: Node, mix: Node) -> Prepared:
    """scores, shiftmax and mix as one function of qkv; no score or probability is kept."""
    heads, first, second, options = _attention(scores, shiftmax, mix)
    i0 = shiftmax.integer("i0")
    return lambda inputs: kernels.attention(inputs[0], heads, i0, first, second, **options)


def attention_steps(qkv: Array, scores: Node, shiftmax: Node, mix: Node) -> tuple[Array, Array, Array]:
    """Scores, probabilities and mixed values of one attention."""
    heads, first, second, options = _attention(scores, shiftmax, mix)
    return kernels.attention_steps(qkv, heads, shiftmax.integer("i0"), first, second, **options)


def gelu_table(node: Node) -> NDArray[np.signedinteger[Any]]:
    """ShiftGELU and its requantization for every byte: [256], indexed by x + 128, of the output's type.

    The forms that look at the row maximum need one such row per maximum: [256, 256]. A node that does
    not say its `out_bits` has 8.
    """
    bits = int(node.attributes.get("out_bits", 8))
    form = str(node.attributes["form"])
    return _gelu_table(form, node.integer("i0"), node.integer("b"), node.integer("c"), bits)


@lru_cache(maxsize=64)
def _gelu_table(form: str, i0: int, b: int, c: int, bits: int) -> NDArray[np.signedinteger[Any]]:
    x = np.arange(-128, 128, dtype=np.int8)
    if form == "lambda-shift-elem":
        out = arithmetic.shiftgelu(x, i0, form=form)
    else:
        # A row of (x, maximum) for every pair; where x is above the maximum nobody looks.
        pairs = np.stack(np.broadcast_arrays(x[None, :], x[:, None]), axis=-1)
        out = arithmetic.shiftgelu(pairs, i0, form=form)[..., 0]
    return arithmetic.requantize(out, b, c, out_bits=bits)


def _attention(
    scores: Node, shiftmax: Node, mix: Node
) -> tuple[int, tuple[int, int], tuple[int, int], dict[str, int]]:
    options = {
        "n": shiftmax.integer("n"),
        "reciprocal_bits": shiftmax.integer("reciprocal_bits"),
        "probability_bits": shiftmax.integer("out_bits"),
    }
    first, second = ((node.integer("b"), node.integer("c")) for node in (scores, mix))
    return scores.integer("heads"), first, second, options


def _pixels(node: Node, constants: Mapping[str, Array]) -> Prepared:
    table, patch = _writable(constants["table"]), node.integer("patch")

    def run(inputs: Sequence[Array]) -> Array:
        height, width, _ = inputs[0].shape
        if height % patch or width % patch:
            return REFERENCE["pixels"](node, inputs, constants)
        return kernels.patchify(inputs[0], table, patch)

    return run


def _linear(node: Node, constants: Mapping[str, Array]) -> Prepared:
    weight, b, c = (_writable(constants[key]) for key in ("weight", "b", "c"))
    bias = _writable(constants["bias"]) if "bias" in constants else None
    bits = node.integer("out_bits")
    return lambda inputs: kernels.linear(_whole(inputs[0]), weight, bias, b, c, out_bits=bits)


def _matmul(node: Node, constants: Mapping[str, Array]) -> Prepared:
    b, c, bits = (node.integer(key) for key in ("b", "c", "out_bits"))
    return lambda inputs: kernels.linear(_whole(inputs[0]), _whole(inputs[1]), None, b, c, out_bits=bits)


def _layernorm(node: Node, constants: Mapping[str, Array]) -> Prepared:
    b, B = _writable(constants["b"]), _writable(constants["B"])
    c, bits = node.integer("c"), node.integer("out_bits")
    if b.ndim != 1:  # one multiplier per row and channel, of a tensor of heads
        return lambda inputs: REFERENCE["layernorm"](node, inputs, constants)
    return lambda inputs: kernels.layernorm(_whole(inputs[0]), b, B, c, out_bits=bits)


def _gelu(node: Node, constants: Mapping[str, Array]) -> Prepared:
    table = gelu_table(node)
    if table.dtype != np.int8:
        return lambda inputs: REFERENCE["gelu"](node, inputs, constants)
    look = kernels.lookup if table.ndim == 1 else kernels.lookup_rows

    def run(inputs: Sequence[Array]) -> Array:
        rows = _rows(inputs[0])
        return look(rows, table).reshape(inputs[0].shape)

    return run


def _scores(node: Node, constants: Mapping[str, Array]) -> Prepared:
    heads, b, c, bits = (node.integer(key) for key in ("heads", "b", "c", "out_bits"))

    def run(inputs: Sequence[Array]) -> Array:
        q, k, _ = inputs[0].reshape(len(inputs[0]), 3, heads, -1).transpose(1, 2, 0, 3)
        pairs = ((_whole(q[head]), _whole(k[head])) for head in range(heads))
        return np.stack([kernels.linear(*pair, None, b, c, out_bits=bits) for pair in pairs])

    return run


def _shiftmax(node: Node, constants: Mapping[str, Array]) -> Prepared:
    i0, options = node.integer("i0"), {key: node.integer(key) for key in SHIFTMAX}
    return lambda inputs: kernels.shiftmax_rows(_rows(inputs[0]), i0, **options).reshape(inputs[0].shape)


def _residual(node: Node, constants: Mapping[str, Array]) -> Prepared:
    b1, c1, b2, c2 = (node.integer(key) for key in ("b1", "c1", "b2", "c2"))
    fixed = [_writable(constants["identity"])] if "identity" in constants else []

    def run(inputs: Sequence[Array]) -> Array:
        x, identity = list(inputs) + fixed
        return kernels.residual(_whole(x), b1, c1, _whole(identity), b2, c2)

    return run


def _nearest(node: Node, constants: Mapping[str, Array]) -> Prepared:
    patch, height, width = (node.integer(key) for key in ("patch", "height", "width"))

    def run(inputs: Sequence[Array]) -> Array:
        rows, columns = inputs[0].shape
        return kernels.enlarge(inputs[0], rows * patch, columns * patch)[:height, :width]

    return run


def _writable(array: Array) -> Array:
    # A kernel is compiled once more for read-only arrays; a copy is cheaper.
    return np.ascontiguousarray(array) if array.flags.writeable else array.copy()


def _rows(array: Array) -> Array:
    """The rows of a tensor of any rank as one matrix."""
    return _whole(array.reshape(-1, array.shape[-1]))


def _whole(array: Array) -> Array:
    """Contiguous from its first element, as the kernels were compiled for."""
    return np.ascontiguousarray(array)


_PREPARE: dict[str, Callable[[Node, Mapping[str, Array]], Prepared]] = {
    "pixels": _pixels,
    "linear": _linear,
    "matmul": _matmul,
    "layernorm": _layernorm,
    "scores": _scores,
    "shiftmax": _shiftmax,
    "gelu": _gelu,
    "residual": _residual,
    "nearest": _nearest,
}
