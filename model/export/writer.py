"""Nodes and constants of an ONNX graph under construction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Value = str | NDArray[Any] | np.integer[Any]
"""A tensor by name, or a constant."""


class Writer:
    """Appends ONNX nodes, named `scope`/number after the tensor that they serve.

    A constant takes part by its value: equal ones are stored once. There is no way to write one
    of floats.

    taken: names that tensors of the integer graph have, which no other may get.
    """

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = frozenset(taken)
        self.probabilities: set[str] = set()
        """Tensors that a Shiftmax has made: none of their values is negative."""
        self.nodes: list[NodeProto] = []
        self.initializers: list[TensorProto] = []
        self.scope = ""
        self._steps = 0
        self._names: dict[tuple[str, tuple[int, ...], bytes], str] = {}

    def begin(self, scope: str) -> None:
        """Name what follows after `scope`."""
        self.scope, self._steps = scope, 0

    def end(self, result: str) -> None:
        """Give `result`, which the last node must have made, the name of the scope."""
        last = self.nodes[-1]
        assert list(last.output) == [result], f"{self.scope}: {result} is not the last tensor made"
        last.output[0] = self.scope

    def op(self, kind: str, *inputs: Value, **attributes: Any) -> str:
        """Add one operator; returns the name of its output."""
        self._steps += 1
        name = self._free(f"{self.scope}/{self._steps}.{kind}")
        names = [self._named(value, f"{name}.{i}") for i, value in enumerate(inputs)]
        self.nodes.append(helper.make_node(kind, names, [name], name=name, **attributes))
        return name

    def constant(self, array: NDArray[Any], role: str) -> str:
        """A constant named `scope`.`role`."""
        return self._store(array, f"{self.scope}.{role}")

    def cast(self, x: Value, dtype: DTypeLike) -> str:
        """x as another integer type, or its low bits where it does not fit; bool is x != 0."""
        return self.op("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def reshape(self, x: Value, *shape: int) -> str:
        """x in another shape."""
        return self.op("Reshape", x, np.array(shape, np.int64))

    def transpose(self, x: Value, *axes: int) -> str:
        """x with its axes in another order."""
        return self.op("Transpose", x, perm=axes)

    def cut(self, x: Value, start: int, stop: int, *, axis: int) -> str:
        """x[start:stop] along one axis."""
        return self.op("Slice", x, *(np.array([v], np.int64) for v in (start, stop, axis)))

    def row_max(self, x: Value) -> str:
        """Maximum over the last axis, which stays with length 1."""
        return self.op("ReduceMax", x, np.array([-1], np.int64), keepdims=1)

    def _named(self, value: Value, name: str) -> str:
        if isinstance(value, str):
            return value
        array = np.asarray(value)
        # A few numbers may as well be read in the name; they are shared by the whole graph.
        few = f"{array.dtype}:{array.tolist()}".replace(" ", "")
        return self._store(array, few if array.size <= 6 else name)

    def _free(self, name: str) -> str:
        while name in self._taken:
            name += "_"
        return name

    def _store(self, array: NDArray[Any], name: str) -> str:
        name = self._free(name)
        assert array.dtype.kind in "iu", f"{self.scope}: {name} is {array.dtype}, not integers"
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._names:
            self._names[key] = name
            self.initializers.append(numpy_helper.from_array(array, name))
        return self._names[key]
