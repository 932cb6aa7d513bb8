"""Runs the integer graph on a picture, with integers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from intarsia.model.errors import InputError
from intarsia.model.integer.fusion import Attention, attentions
from intarsia.model.integer.graph import IMAGE, Graph, Node
from intarsia.model.integer.operators import Array
from intarsia.model.ops import operator_of

Step = tuple[tuple[str, ...], Callable[[list[Array]], tuple[Array, ...]], tuple[str, ...]]
"""Names of the inputs, the function, names of the outputs."""


class Executor:
    """The integer reference of one graph.

    engine "fast" uses compiled kernels, "reference" plain NumPy: equal on every tensor, and the
    second is the one to read. Images are uint8 [H, W, 3], of the size of the graph's tensor `image`.
    """

    def __init__(self, graph: Graph, engine: Literal["fast", "reference"] = "fast") -> None:
        self.graph = graph
        self._engine = engine
        self._steps: dict[bool, list[Step]] = {}

    def outputs(self, image: NDArray[np.uint8]) -> dict[str, Array]:
        """All outputs of the graph by their names."""
        found = self._some(image, {output.tensor for output in self.graph.outputs})
        return {output.name: found[output.tensor] for output in self.graph.outputs}

    def run(self, image: NDArray[np.uint8]) -> NDArray[np.unsignedinteger]:
        """Labels [H, W] of the picture; a network of another task is refused."""
        name = self._labels()
        return self._some(image, {name})[name]

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.int16]:
        """Class scores int16 [K, H, W]: every pixel has those of its patch.

        They are what the labels are the argmax of; a graph that makes its labels otherwise has none.
        """
        labels = self.graph.node(self._labels())
        grid = next((node for node in self.graph.nodes if node.name == labels.inputs[0]), None)
        if labels.op != "nearest" or grid is None or grid.op != "argmax":
            raise InputError(f"{labels.name}: must be the nearest of an argmax to have scores")
        rows, columns = grid.integer("height"), grid.integer("width")
        patch, height, width = (labels.integer(key) for key in ("patch", "height", "width"))
        name = grid.inputs[0]
        masks = self._some(image, {name})[name].T.reshape(-1, rows, columns)
        return masks.repeat(patch, axis=1).repeat(patch, axis=2)[:, :height, :width]

    def tensors(self, image: NDArray[np.uint8]) -> Iterator[tuple[str, Array]]:
        """Every tensor of the graph with its name, in execution order; the image is the first."""
        yield from self._walk(image, every=True)

    def _labels(self) -> str:
        """The tensor of the labels."""
        labels = self.graph.of_kind("labels")
        if not labels:
            kinds = ", ".join(output.kind for output in self.graph.outputs)
            raise InputError(f"the outputs of {self.graph.network} must be labels, not {kinds}")
        return labels[0].tensor

    def _some(self, image: NDArray[np.uint8], names: set[str]) -> dict[str, Array]:
        """Tensors of these names; what follows the last of them is not computed."""
        found: dict[str, Array] = {}
        for made, array in self._walk(image, every=False):
            if made in names:
                found[made] = array
                if len(found) == len(names):
                    break
        return found

    def _walk(self, image: NDArray[np.uint8], *, every: bool) -> Iterator[tuple[str, Array]]:
        wanted = self.graph.tensors[IMAGE].shape
        if not isinstance(image, np.ndarray):
            raise InputError(f"the image must be uint8 {list(wanted)}, not a {type(image).__name__}")
        if image.dtype != np.uint8 or image.shape != wanted:
            raise InputError(
                f"the image must be uint8 {list(wanted)}, not {image.dtype} {list(image.shape)}"
            )
        if every not in self._steps:
            self._steps[every] = list(self._plan(every))
        steps = self._steps[every]
        last_use = {name: i for i, (inputs, _, _) in enumerate(steps) for name in inputs}
        values: dict[str, Array] = {IMAGE: np.ascontiguousarray(image)}
        yield IMAGE, values[IMAGE]
        for i, (inputs, function, outputs) in enumerate(steps):
            for name, array in zip(outputs, function([values[n] for n in inputs]), strict=True):
                values[name] = array
                yield name, array
            for name in inputs:
                if last_use[name] == i:
                    values.pop(name, None)

    def _plan(self, every: bool) -> Iterator[Step]:
        """The steps of the graph; an attention is one step of the fast engine, at the place of its mix."""
        nodes = self.graph.nodes
        fused = attentions(nodes, adjacent=every) if self._engine == "fast" else {}
        inside = {node.name for one in fused.values() for node in (one.scores, one.shiftmax)}
        for node in nodes:
            if node.name in fused:
                yield _attention(fused[node.name], every)
            elif node.name not in inside:
                yield node.inputs, self._function(node), (node.name,)

    def _function(self, node: Node) -> Callable[[list[Array]], tuple[Array, ...]]:
        constants = {role: self.graph.constants[name] for role, name in node.constants.items()}
        operator = operator_of(node)
        if self._engine == "reference":
            return lambda inputs: (operator.reference(node, inputs, constants),)
        prepared = operator.prepare(node, constants)
        return lambda inputs: (prepared(inputs),)


def _attention(attention: Attention, every: bool) -> Step:
    from intarsia.model.integer.attention import attention_steps, prepare_attention

    qkv, mixed = attention.scores.inputs, attention.mix.name
    if every:
        names = attention.scores.name, attention.shiftmax.name, mixed
        return qkv, lambda inputs: attention_steps(inputs[0], attention), names
    fused = prepare_attention(attention)
    return qkv, lambda inputs: (fused(inputs),), (mixed,)
