"""The operators of the registry as methods, for whoever walks through a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from intarsia.model.integer.operators import Operator
from intarsia.model.ops import OPERATORS

V = TypeVar("V")


class Walk(ABC, Generic[V]):
    """What a network is walked through with; `V` is what stands for a tensor.

    `walk.OP(name, *inputs, *arguments)` is the tensor `name` that the operator OP makes: inputs as the
    operator has them, then the arguments that its `lower` and `real` take.

    image: the picture
    """

    image: V

    def __getattr__(self, op: str) -> Callable[..., V]:
        operator = OPERATORS.get(op)
        if operator is None:
            raise AttributeError(f"{type(self).__name__} has no {op}, and no operator has this name")
        count = len(operator.inputs)

        def call(name: str, *arguments: Any, **options: Any) -> V:
            return self.apply(operator, name, arguments[:count], arguments[count:], options)

        return call

    @abstractmethod
    def apply(
        self,
        operator: Operator,
        name: str,
        inputs: Sequence[V],
        arguments: Sequence[Any],
        options: dict[str, Any],
    ) -> V:
        """The tensor `name` that `operator` makes of `inputs`."""
