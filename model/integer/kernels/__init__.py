"""Fast integer kernels, equal to `model.integer.arithmetic` bit for bit.

Compiled on first use and cached beside the sources. Nothing here is floating point.
"""

from intarsia.model.integer.kernels.arrays import as_rows, whole, writable
from intarsia.model.integer.kernels.attention import attend, attention_steps, shiftmax_rows
from intarsia.model.integer.kernels.gemm import has_byte_products, linear
from intarsia.model.integer.kernels.rows import (
    argmax_rows,
    enlarge,
    layernorm,
    lookup,
    lookup_rows,
    patchify,
    residual,
)

__all__ = [
    "argmax_rows",
    "as_rows",
    "attend",
    "attention_steps",
    "enlarge",
    "has_byte_products",
    "layernorm",
    "linear",
    "lookup",
    "lookup_rows",
    "patchify",
    "residual",
    "shiftmax_rows",
    "whole",
    "writable",
]
