"""Constant rows after those of a tensor: the class embeddings."""

from __future__ import annotations

from intarsia.model.ops.prepend import Prepend


class Append(Prepend):
    """The constant `rows` int16 [R, D] after the rows of x int16 [T, D]."""

    order = 1
