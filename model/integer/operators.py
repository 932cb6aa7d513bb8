"""What an operator is, above the machine: `model/ops` has one file for each, of a class like this one.

The methods import PyTorch, ONNX and Numba where they need them, so that reading a graph, checking it
and emulating it need none of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer import arithmetic
from intarsia.model.integer.graph import Node, Tensor
from intarsia.model.integer.rules import Allowed, Constant, Input, Shape, Sizes, fit, shape_of

if TYPE_CHECKING:
    import torch

    from intarsia.model.export.writer import Writer
    from intarsia.model.quantize.build import Builder
    from intarsia.model.quantize.lower import Lowered
    from intarsia.model.quantize.parameters import Parameters

Array = NDArray[Any]
Prepared = Callable[[Sequence[Array]], Array]
"""An operator with its attributes and constants, as a function of its inputs alone."""


class Operator(ABC):
    """One kind of node.

    name: that of its module
    inputs, constants, attributes: what a node must have, constants and attributes by role
    output: axes of what it makes, see `rules`
    observed: whether calibration looks at the values that it makes, because its output has a scale of
    its own
    """

    name: ClassVar[str]
    inputs: ClassVar[tuple[Input, ...]]
    constants: ClassVar[Mapping[str, Constant]] = {}
    attributes: ClassVar[Mapping[str, Allowed]] = {}
    output: ClassVar[str] = ""
    observed: ClassVar[bool] = True

    def __init_subclass__(cls) -> None:
        cls.name = cls.__module__.rpartition(".")[2]

    def made(self, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Shape]) -> Tensor:
        """The tensor that `node` makes of these inputs, with constants of these shapes; no scale.

        Numbers of inputs and of axes must be right; InputError where shapes do not fit together.
        """
        sizes: Sizes = {key: value for key, value in node.attributes.items() if isinstance(value, int)}
        for tensor, wanted in zip(inputs, self.inputs, strict=False):
            fit(f"{node.name}: {tensor.name}", wanted.axes, tensor.shape, sizes)
        for role, shape in constants.items():
            fit(f"{node.name}: {role}", self.constants[role].axes, shape, sizes)
        return Tensor(node.name, self.shape(node, sizes), self.dtype(node, inputs))

    def shape(self, node: Node, sizes: Sizes) -> Shape:
        """Shape of the output, from the sizes of all axes and the attributes."""
        return shape_of(self.output, sizes)

    def dtype(self, node: Node, inputs: Sequence[Tensor]) -> str:
        """Integer type of the output: `out_bits`, otherwise the type of the first input."""
        return f"int{node.attributes['out_bits']}" if "out_bits" in node.attributes else inputs[0].dtype

    def depth(self, node: Node, inputs: Sequence[Tensor]) -> int:
        """Multiplications for one element of the output; 0 where it is no product of matrices."""
        return 0

    def reach(
        self,
        node: Node,
        inputs: Sequence[Tensor],
        constants: Mapping[str, Array],
        makers: Mapping[str, Node],
    ) -> float:
        """Largest magnitude that the int32 accumulator can have; 0 where there is none.

        makers: the node that makes each tensor.
        """
        return 0

    @abstractmethod
    def reference(self, node: Node, inputs: Sequence[Array], constants: Mapping[str, Array]) -> Array:
        """The readable truth, in plain NumPy."""

    def prepare(self, node: Node, constants: Mapping[str, Array]) -> Prepared:
        """The same by a compiled kernel, which gives equal integers; the reference where none is needed."""
        return lambda inputs: self.reference(node, inputs, constants)

    @abstractmethod
    def simulate(
        self, node: Node, inputs: Sequence[torch.Tensor], constants: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """The same on batches, integers in float64 of PyTorch: a second writing, for any device.

        Exact while every intermediate is below 2^53: with multipliers of 16 bits.
        """

    @abstractmethod
    def onnx(
        self, writer: Writer, node: Node, inputs: Sequence[Tensor], constants: Mapping[str, Array]
    ) -> str:
        """The same as ONNX nodes, all of integers: name of the result, which the last one makes."""

    @abstractmethod
    def real(self, parameters: Parameters, *inputs: Any, **options: Any) -> torch.Tensor:
        """What it stands for, on batches of real numbers: inputs, then the arguments of the walk."""

    @abstractmethod
    def lower(self, build: Builder, name: str, *inputs: Any, **options: Any) -> Lowered:
        """Integer constants, attributes and output scale of the node `name`, of real parameters and scales.

        inputs: the tensors that it reads, then the arguments of the walk, as `real` takes them.
        Whatever no integers can express is refused by name: InputError.
        """

    def outline(self, build: Builder, name: str, *inputs: Any, **options: Any) -> Lowered:
        """As `lower`, for a model without weights: nothing may take time for each of them."""
        return self.lower(build, name, *inputs, **options)


def product(x: Array, y: Array) -> Array:
    """Matrix product of narrow integers in int32, which holds it: see `Operator.reach`."""
    return np.matmul(x.astype(np.int32), y.astype(np.int32))


def requantized(node: Node, acc: Array) -> Array:
    """An accumulator by the scalars b, c of the node, to its `out_bits`."""
    b, c = node.integer("b"), node.integer("c")
    return arithmetic.requantize(acc, b, c, out_bits=node.integer("out_bits"))
