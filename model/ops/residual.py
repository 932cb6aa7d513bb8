"""Residual connections and position embeddings: a sum at a new scale (I-ViT `fixedpoint_mul`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from intarsia.model.integer import arithmetic
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.operators import Array, Operator, Prepared
from intarsia.model.integer.rules import MULTIPLIER, SHIFT, Constant, Input
from intarsia.model.quantize.lower import Lowered, magnitude, quantize, scalar, scale_in, scale_of

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.parameters import Parameters

SCALES = ("b1", "c1", "b2", "c2")


class Residual(Operator):
    """Sum of two int16 tensors, or of one and the constant `identity`, at a new scale."""

    inputs = (Input("T D", ("int16",)), Input("T D", ("int16",), instead="identity"))
    constants = {"identity": Constant("T D", "int16", optional=True)}
    attributes = {"b1": MULTIPLIER, "c1": SHIFT, "b2": MULTIPLIER, "c2": SHIFT}
    output = "T D"

    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        x, identity = (*inputs, constants["identity"]) if len(inputs) == 1 else inputs
        b1, c1, b2, c2 = (node.integer(key) for key in SCALES)
        return arithmetic.residual(x, b1, c1, identity, b2, c2)

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        from intarsia.model.integer import kernels

        b1, c1, b2, c2 = (node.integer(key) for key in SCALES)
        fixed = [kernels.writable(constants["identity"])] if "identity" in constants else []

        def run(inputs: Sequence[Array]) -> Array:
            x, identity = list(inputs) + fixed
            return kernels.residual(kernels.whole(x), b1, c1, kernels.whole(identity), b2, c2)

        return run

    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        from intarsia.model.quantize import simulate

        x, identity = (*inputs, constants["identity"]) if len(inputs) == 1 else inputs
        b1, c1, b2, c2 = (node.integer(key) for key in SCALES)
        first, second = simulate.scaled(x, b1, c1), simulate.scaled(identity.to(x.dtype), b2, c2)
        return simulate.saturate(first + second, 16)

    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        from intarsia.model.export import arithmetic

        names = [tensor.name for tensor in inputs]
        if len(names) == 1:
            names.append(writer.constant(constants["identity"], "identity"))
        b1, c1, b2, c2 = (node.integer(key) for key in SCALES)
        return arithmetic.residual(writer, names[0], b1, c1, names[1], b2, c2)

    def real(
        self,
        parameters: Parameters,
        x: torch.Tensor,
        identity: torch.Tensor | None = None,
        *,
        key: str = "",
        beside: str | None = None,
        share: float = 1.0,
    ) -> torch.Tensor:
        return share * (x + (parameters.rows(key) if identity is None else identity))

    def lower(
        self,
        build: Builder,
        name: str,
        x: Tensor,
        identity: Tensor | None = None,
        *,
        key: str = "",
        beside: str | None = None,
        share: float = 1.0,
    ) -> Lowered:
        """key: constant rows of the same shape, which stand instead of a second tensor.

        beside: constant rows that must fit into the scale of the output, too.
        share: what the sum is multiplied by; 0.5 for a mean.
        """
        at_least = magnitude(build.parameters.rows(beside)) if beside else 0.0
        s_out, constants = build.ranges.scale(name, 16, at_least), {}
        if identity is None:
            rows = build.parameters.rows(key)
            s_identity = scale_of(magnitude(rows), 16)
            constants["identity"] = quantize(rows, s_identity, 16)
        else:
            s_identity = scale_in(identity)
        first = scalar(name, share * scale_in(x) / s_out, build.options)
        second = scalar(name, share * s_identity / s_out, build.options)
        attributes = {"b1": first["b"], "c1": first["c"], "b2": second["b"], "c2": second["c"]}
        return Lowered(constants, attributes, s_out)
