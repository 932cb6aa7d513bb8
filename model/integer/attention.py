"""Attention on one compiled kernel, for the three nodes that `fusion` finds.

The single operators have theirs in `model.ops`. Attention is one kernel when nobody looks at the scores
and probabilities.
"""

from __future__ import annotations

from intarsia.model.integer import kernels
from intarsia.model.integer.fusion import Attention
from intarsia.model.integer.operators import Array, Prepared


def prepare_attention(attention: Attention) -> Prepared:
    """scores, shiftmax and mix as one function of qkv; no score or probability is kept."""
    heads, i0, first, second, options = _arguments(attention)
    return lambda inputs: kernels.attend(inputs[0], heads, i0, first, second, **options)


def attention_steps(qkv: Array, attention: Attention) -> tuple[Array, Array, Array]:
    """Scores, probabilities and mixed values of one attention."""
    heads, i0, first, second, options = _arguments(attention)
    return kernels.attention_steps(qkv, heads, i0, first, second, **options)


def _arguments(
    attention: Attention,
) -> tuple[int, int, tuple[int, int], tuple[int, int], dict[str, int]]:
    scores, shiftmax, mix = attention.scores, attention.shiftmax, attention.mix
    options = {
        "n": shiftmax.integer("n"),
        "reciprocal_bits": shiftmax.integer("reciprocal_bits"),
        "probability_bits": shiftmax.integer("out_bits"),
    }
    first, second = ((node.integer("b"), node.integer("c")) for node in (scores, mix))
    return scores.integer("heads"), shiftmax.integer("i0"), first, second, options
