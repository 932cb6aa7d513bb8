"""Whether a graph is one that the operators can run: names, types, shapes, ranges, accumulators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer import bounds
from intarsia.model.integer.agree import check_agreement
from intarsia.model.integer.graph import IMAGE, KINDS, Graph, Node, Tensor
from intarsia.model.integer.operators import Operator
from intarsia.model.integer.rules import Constant, allows, in_words
from intarsia.model.messages import shortened
from intarsia.model.ops import operator_of

MAX_ELEMENTS = 2**29
"""Of one tensor of an artifact. The largest of ViT-Large at 1024x1024, its scores, has 2^28."""


def check_graph(graph: Graph) -> Graph:
    """`graph` itself; InputError names the first node that the operators could not run."""
    made = {IMAGE: Tensor(IMAGE, (*graph.config.image, 3), "uint8")}
    makers: dict[str, Node] = {}
    for node in graph.nodes:
        operator = operator_of(node)
        _check_attributes(node, operator)
        _check_constants(graph, node, operator)
        missing = [name for name in node.inputs if name not in made]
        if missing or node.name in made:
            raise InputError(
                f"{node.name}: must come after its inputs, and once; missing: {shortened(missing)}"
            )
        inputs = [made[name] for name in node.inputs]
        made[node.name] = _output(graph, node, operator, inputs)
        makers[node.name] = node
        constants = {role: graph.constants[key] for role, key in node.constants.items()}
        bounds.check_accumulator(node.name, operator.reach(node, inputs, constants, makers))
    _check_tensors(graph, made)
    _check_outputs(graph, makers)
    check_agreement(graph)
    return graph


def check_sizes(graph: Graph) -> None:
    """Refuse tensors that would take more memory than an artifact may ask for."""
    for tensor in graph.tensors.values():
        if prod(tensor.shape) > MAX_ELEMENTS:
            raise InputError(
                f"{tensor.name}: must have at most {MAX_ELEMENTS} elements, "
                f"not {list(tensor.shape)}, which are {prod(tensor.shape)}"
            )


def check_used(nodes: Iterable[Mapping[str, Any]], arrays: Iterable[str]) -> None:
    """Refuse names of arrays that no node, given by its constants, uses."""
    used = {key for constants in nodes for key in constants.values()}
    if unused := sorted(key for key in arrays if key not in used):
        rest = f" and {len(unused) - 3} more" if len(unused) > 3 else ""
        names = ", ".join(shortened(key) for key in unused[:3])
        raise InputError(f"every array must be one that a node uses, not {names}{rest}")


def _check_attributes(node: Node, operator: Operator) -> None:
    if set(node.attributes) != set(operator.attributes):
        wanted, found = sorted(operator.attributes), sorted(node.attributes)
        raise InputError(f"{node.name}: attributes must be {wanted}, not {shortened(found)}")
    for key, allowed in operator.attributes.items():
        if not allows(allowed, node.attributes[key]):
            raise InputError(
                f"{node.name}: {key} must be {in_words(allowed)}, not {shortened(node.attributes[key])}"
            )


def _check_constants(graph: Graph, node: Node, operator: Operator) -> None:
    roles = set(node.constants)
    needed = {role for role, constant in operator.constants.items() if not constant.optional}
    if not needed <= roles <= set(operator.constants):
        raise InputError(f"{node.name}: constants must be {sorted(needed)}, not {shortened(sorted(roles))}")
    for role, key in node.constants.items():
        if key not in graph.constants:
            raise InputError(f"{node.name}: the array {key} is missing")
        _check_constant(key, graph.constants[key], operator.constants[role])


def _check_constant(name: str, array: NDArray[Any], wanted: Constant) -> None:
    if array.dtype != wanted.dtype:
        raise InputError(f"{name} must be {wanted.dtype}, not {array.dtype}")
    if array.ndim != wanted.rank or not array.size:
        axes = f"{wanted.rank} axes, none of length 0" if wanted.rank > 1 else "one axis, not of length 0"
        raise InputError(f"{name} must have {axes}, not the shape {list(array.shape)}")
    if wanted.values is not None:
        low, high = wanted.values.start, wanted.values.stop - 1
        if array.min() < low or array.max() > high:
            wrong = array[(array < low) | (array > high)].flat[0]
            raise InputError(f"{name} must hold integers in {low}..{high}, not {wrong}")


def _output(graph: Graph, node: Node, operator: Operator, inputs: list[Tensor]) -> Tensor:
    wanted = [what for what in operator.inputs if what.instead not in node.constants]
    if len(inputs) != len(wanted):
        raise InputError(f"{node.name}: must have {len(wanted)} inputs, not {len(inputs)}")
    for tensor, what in zip(inputs, wanted, strict=True):
        if tensor.dtype not in what.dtypes:
            types = " or ".join(what.dtypes)
            raise InputError(f"{node.name}: input {tensor.name} must be {types}, not {tensor.dtype}")
        if len(tensor.shape) != what.rank:
            seen = f"not the shape {list(tensor.shape)}"
            raise InputError(f"{node.name}: input {tensor.name} must have {what.rank} axes, {seen}")
    shapes = {role: graph.constants[key].shape for role, key in node.constants.items()}
    right, found = operator.made(node, inputs, shapes), graph.tensors.get(node.name)
    if found is None:
        raise InputError(f"{node.name}: its tensor must be listed as {right.dtype} {list(right.shape)}")
    if (found.shape, found.dtype) != (right.shape, right.dtype):
        seen = f"{found.dtype} {shortened(list(found.shape))}"
        raise InputError(f"{node.name}: its tensor must be {right.dtype} {list(right.shape)}, not {seen}")
    return found


def _check_tensors(graph: Graph, made: Mapping[str, Tensor]) -> None:
    for name, tensor in graph.tensors.items():
        if name not in made:
            raise InputError(f"every tensor must be one that a node makes, not {name}")
        if (tensor.shape, tensor.dtype) != (made[name].shape, made[name].dtype):
            wanted = f"{made[name].dtype} {list(made[name].shape)}"
            raise InputError(f"{name} must be {wanted}, not {tensor.dtype} {shortened(list(tensor.shape))}")
        if tensor.scale is not None and not 0 < tensor.scale < np.inf:
            raise InputError(f"the scale of {name} must be a positive number, not {tensor.scale!r}")
    if IMAGE not in graph.tensors:
        raise InputError(f"the graph does not list the tensor {IMAGE}")


def _check_outputs(graph: Graph, makers: Mapping[str, Node]) -> None:
    names = [output.name for output in graph.outputs]
    if not names or len(set(names)) != len(names):
        raise InputError(f"the graph must have outputs of different names, not {shortened(names)}")
    for output in graph.outputs:
        if output.tensor not in makers:
            raise InputError(f"the graph must make the tensor {output.tensor}")
        if output.kind not in KINDS:
            raise InputError(
                f"the kind of output {output.name} must be one of {', '.join(KINDS)}, "
                f"not {shortened(output.kind)}"
            )
        rank, dtypes = KINDS[output.kind]
        tensor = graph.tensors[output.tensor]
        if len(tensor.shape) != rank or tensor.dtype not in dtypes:
            raise InputError(
                f"output {output.name} must be {' or '.join(dtypes)} of {rank} axes, "
                f"not {tensor.dtype} {list(tensor.shape)}"
            )
        if output.kind == "classes" and tensor.shape[0] != 1:
            raise InputError(f"output {output.name} must have one row, not {tensor.shape[0]}")
