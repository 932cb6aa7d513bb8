"""What has to move whatever the machine: the paper's metric and two lower bounds, from a graph.

Only shapes and types count, so that a graph without weights (`model.quantize.outline`) will do.
"""

from __future__ import annotations

from dataclasses import dataclass

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import IMAGE, Graph, Node
from intarsia.model.ops import operator_of

TABLE7_UNIT = 1e11
"""Bytes that the paper's Table 7 prints as 1."""
PRECISIONS = ("fp32", "int8", "design")
"""fp32, int8: the two columns of Table 7; design: the integer types that the graph really has."""
ACCUMULATOR_BITS = 32


@dataclass(frozen=True)
class Product:
    """One convolution, linear layer or matrix product: multiplications, results, operand widths."""

    name: str
    op: str
    macs: int
    outputs: int
    bits_a: int
    bits_b: int

    def bits(self, precision: str) -> int:
        """Bits of the two operands of one multiplication.

        fp32: 32 + 32. int8: 8 + 8, but 32 + 32 for P*V, which the paper's runtime computes in
        full precision. design: the widths of the graph, 16 + 8 for P*V.
        """
        if precision == "design":
            return self.bits_a + self.bits_b
        if precision == "fp32" or (precision == "int8" and self.op == "mix"):
            return 64
        if precision == "int8":
            return 16
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, not {precision!r}")


def products(graph: Graph) -> tuple[Product, ...]:
    """Every node that multiplies matrices, in execution order.

    The head's products (z' P_patch, c' P_cls, z'' c''^T) and the patch embedding are among them;
    row operators, residuals, copies and the argmax are not.
    """
    return tuple(found for node in graph.nodes if (found := _product(graph, node)))


def macs(graph: Graph) -> int:
    """Multiplications of one inference."""
    return sum(product.macs for product in products(graph))


def table7(graph: Graph, precision: str) -> int:
    """Operand traffic as the paper counts it, in bytes (numerics, section Traffic).

    sum over products of (MACs * (bits_a + bits_b) + outputs * 32) / 8: every operand is read for
    every multiplication and no reuse is counted. Divide by TABLE7_UNIT for the printed number.
    """
    bits = sum(
        product.macs * product.bits(precision) + product.outputs * ACCUMULATOR_BITS
        for product in products(graph)
    )
    return bits // 8


def compulsory_bytes(graph: Graph) -> int:
    """Bytes when every tensor of the graph is moved once: what its operators make, image, constants.

    Between operators that share nothing on chip each tensor would cross the memory port at least
    once more. A schedule that stays below it has fused operators.
    """
    return sum(_bytes(graph, name) for name in graph.tensors) + constant_bytes(graph)


def fused_bytes(graph: Graph) -> int:
    """Bytes over the memory port when every tensor stays on chip, which no schedule can beat
    without keeping weights from one image to the next: constants and image in, outputs out, once."""
    leaving = {output.tensor for output in graph.outputs}
    return constant_bytes(graph) + _bytes(graph, IMAGE) + sum(_bytes(graph, name) for name in leaving)


def constant_bytes(graph: Graph) -> int:
    """Weights with their biases and multipliers, embeddings, LayerNorm's rows, the pixel table.

    In the types of the artifact, without the padding of any machine; scalars are not counted.
    """
    names = {name for node in graph.nodes for name in node.constants.values()}
    return sum(int(graph.constants[name].nbytes) for name in names)


def _bytes(graph: Graph, name: str) -> int:
    tensor = graph.tensors[name]
    return tensor.size * tensor.bits // 8


def _product(graph: Graph, node: Node) -> Product | None:
    inputs = [graph.tensors[name] for name in node.inputs]
    depth, outputs = operator_of(node).depth(node, inputs), graph.output(node).size
    if not depth:
        return None
    y_bits = inputs[1].bits if len(inputs) == 2 else 8  # a weight, or another part of the input
    return Product(node.name, node.op, outputs * depth, outputs, inputs[0].bits, y_bits)
