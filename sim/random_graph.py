"""Random integer graphs: Segmenters whose blocks differ, and graphs that are wired in another way.

`random_graph` makes a whole network that `check_graph` accepts, with constants at which activations neither
vanish nor all saturate. Sizes, options and heads differ from block to block. `rewired`, `reordered` and
`renamed` change what a reader may not rely on: which of the fitting tensors a node reads, in which order
nodes stand, what they are called.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.model.integer.constants import GELU_FORMS, MAX_BIAS
from intarsia.model.integer.graph import IMAGE, LABELS, Graph, Node, Output, QuantizeOptions, Tensor
from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.ops.argmax import label_dtype

SPREAD = {8: 40.0, 16: 6000.0}
"""Standard deviation that activations of so many bits are scaled to."""
NAMES = (
    "{i}",
    "a.{i}",
    "x",
    "block",
    "encoder.blocks.0.qkv.",
    "0",
    "größe ",
    "normalized",
    "decoder.masks",
)
"""What new names begin with."""


def random_graph(rng: np.random.Generator) -> Graph:
    """A Segmenter of a few small blocks."""
    return _Builder(rng).build()


def random_image(graph: Graph, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture for it."""
    return rng.integers(0, 256, graph.tensors[IMAGE].shape, np.uint8)


def rewired(graph: Graph, rng: np.random.Generator) -> Graph:
    """One input of one node is another tensor of the same shape and type, or two inputs are swapped."""
    made = {IMAGE: graph.tensors[IMAGE]}
    choices: list[tuple[int, tuple[str, ...]]] = []
    for place, node in enumerate(graph.nodes):
        for index, name in enumerate(node.inputs):
            wanted = (made[name].shape, made[name].dtype)
            others = [t.name for t in made.values() if (t.shape, t.dtype) == wanted and t.name != name]
            choices += [
                (place, (*node.inputs[:index], other, *node.inputs[index + 1 :])) for other in others
            ]
        if len(node.inputs) == 2 and len({made[name].shape for name in node.inputs}) == 1:
            choices.append((place, node.inputs[::-1]))
        made[node.name] = graph.tensors[node.name]
    place, inputs = choices[rng.integers(len(choices))]
    node = replace(graph.nodes[place], inputs=inputs)
    return replace(graph, nodes=(*graph.nodes[:place], node, *graph.nodes[place + 1 :]))


def reordered(graph: Graph, rng: np.random.Generator) -> Graph:
    """The same nodes in another order in which every node follows its inputs."""
    left, nodes, made = list(graph.nodes), list[Node](), {IMAGE}
    while left:
        ready = [node for node in left if made.issuperset(node.inputs)]
        node = ready[rng.integers(len(ready))]
        left.remove(node)
        nodes.append(node)
        made.add(node.name)
    return replace(graph, nodes=tuple(nodes))


def renamed(graph: Graph, rng: np.random.Generator) -> Graph:
    """The same graph with other names, of nodes and of arrays; image and outputs keep theirs."""
    fixed = {name: name for name in (IMAGE, *(output.tensor for output in graph.outputs))}
    names = {node.name: f"{rng.choice(NAMES)}{i}" for i, node in enumerate(graph.nodes)} | fixed
    arrays = {name: f"{rng.choice(NAMES)}{i}" for i, name in enumerate(graph.constants)}
    nodes = tuple(
        replace(
            node,
            name=names[node.name],
            inputs=tuple(names[name] for name in node.inputs),
            constants={role: arrays[key] for role, key in node.constants.items()},
        )
        for node in graph.nodes
    )
    tensors = {names[name]: replace(t, name=names[name]) for name, t in graph.tensors.items()}
    constants = {arrays[name]: array for name, array in graph.constants.items()}
    return replace(graph, nodes=nodes, tensors=tensors, constants=constants)


class _Builder:
    """Appends nodes; every method returns the name of the tensor that it makes."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.constants: dict[str, NDArray[Any]] = {}

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, *values: Any) -> Any:
        return values[self.rng.integers(len(values))]

    def build(self) -> Graph:
        rng, patch = self.rng, 8
        down, across = (int(n) for n in self.pick((1, 1), (1, 2), (2, 2), (2, 3), (3, 3)))
        edge = [int(rng.integers(0, patch)) if self.chance(0.4) else 0 for _ in range(2)]
        height, width = down * patch - edge[0], across * patch - edge[1]
        patches, classes = down * across, int(self.pick(1, 2, 5, 19, 257 if self.chance(0.2) else 3))
        embed, layers = int(self.pick(4, 8, 12, 18)), int(rng.integers(1, 4))
        self.alike = self.chance(0.3)
        self.tensors[IMAGE] = Tensor(IMAGE, (height, width, 3), "uint8")
        table = rng.integers(-128, 128, (3, 256)).astype(np.int8)
        if self.chance(0.95):
            table[:, rng.integers(0, 256)] = 0
        shape = (patches, patch * patch * 3)
        x = self.emit("pixels", "pixels", [IMAGE], shape, "int8", {"table": table}, {"patch": patch})
        x = self.linear("encoder.patch_embed", x, embed, 16)
        before = int(self.pick(1, 1, 1, 2, 3))
        x = self.join("prepend", "encoder.tokens", x, before)
        x = self.residual("encoder.embedding", x)
        heads = [h for h in (1, 2, 3) if embed % h == 0]
        options = self.options(embed, heads, whole=True)
        for i in range(layers):
            if i and not self.alike and self.chance(0.6):
                options = self.options(embed, heads)
            x = self.block(f"encoder.blocks.{i}", x, options)
        x = self.layernorm("encoder.norm", x, 8)
        start = before if self.chance(0.7) else int(rng.integers(0, before + 1))
        x = self.rows("encoder.patches", x, start, start + patches)
        x = self.linear("decoder.proj_dec", x, embed, 16)
        x = self.join("append", "decoder.tokens", x, classes)
        options = self.options(embed, heads)
        for i in range(2):
            if not self.alike and self.chance(0.6):
                options = self.options(embed, heads)
            x = self.block(f"decoder.blocks.{i}", x, options)
        x = self.layernorm("decoder.norm", x, 8)
        first = 0 if self.chance(0.8) else int(rng.integers(0, classes + 1))
        low = patches if self.chance(0.8) else int(rng.integers(0, patches + 1))
        z = self.rows("decoder.patches", x, first, first + patches)
        c = self.rows("decoder.classes", x, low, low + classes)
        depth = embed if self.chance(0.8) else int(rng.integers(1, 20))
        z = self.linear("decoder.proj_patch", z, depth, 8)
        c = self.linear("decoder.proj_classes", c, depth, 8)
        scale = self.scalar(16, math.sqrt(depth) * SPREAD[8] ** 2)
        x = self.emit("decoder.masks", "matmul", [z, c], (patches, classes), "int16", {}, scale)
        x = self.layernorm("decoder.mask_norm", x, 16)
        dtype = label_dtype(classes)
        grid = {"height": down, "width": across}
        x = self.emit("grid", "argmax", [x], (down, across), dtype, {}, grid)
        size = {"patch": patch, "height": height, "width": width}
        self.emit(LABELS, "nearest", [x], (height, width), dtype, {}, size)
        return Graph(
            "segmenter",
            SegmenterConfig(
                embed=embed,
                heads=int(self.first("scores", "heads")),
                layers=layers,
                image=(height, width),
                classes=classes,
                patch=patch,
                mlp_ratio=self.tensors["encoder.blocks.0.gelu"].shape[1] // embed,
                decoder_heads=int(self.first("scores", "heads", "decoder")),
                l2norm=False,
                upsampling="nearest",
            ),
            QuantizeOptions(
                gelu=str(self.first("gelu", "form")),
                softmax_bits=int(self.first("shiftmax", "out_bits")),
                reciprocal_bits=int(self.first("shiftmax", "reciprocal_bits")),
            ),
            self.tensors,
            tuple(self.nodes),
            self.constants,
            (Output(LABELS, LABELS, "labels"),),
        )

    def first(self, op: str, attribute: str, side: str = "encoder") -> int | str:
        """An attribute of the first node of its kind: what the description of the network says."""
        return next(n.attributes[attribute] for n in self.nodes if n.op == op and side in n.name)

    def options(self, embed: int, heads: list[int], *, whole: bool = False) -> dict[str, Any]:
        """What may differ from block to block; whole: an MLP of a multiple of `embed`."""
        return {
            "heads": int(self.pick(*heads)),
            "inner": embed if self.chance(0.8) else 6 * int(self.rng.integers(1, 4)),
            "hidden": embed * int(self.pick(1, 4)) + (0 if whole else int(self.pick(0, 0, 3))),
            "form": str(self.pick(*GELU_FORMS)),
            "table": not whole and self.chance(0.25),
            "bits": int(self.pick(8, 16)),
            "reciprocal": int(self.pick(31, 20, 46)),
            "bias": self.chance(0.8),
            "swapped": (self.chance(0.2), self.chance(0.2)),
        }

    def block(self, name: str, x: str, options: Mapping[str, Any]) -> str:
        (tokens, embed), heads, inner = self.tensors[x].shape, options["heads"], options["inner"]
        bias, bits = options["bias"], options["bits"]
        y = self.layernorm(f"{name}.norm1", x, 8)
        qkv = self.linear(f"{name}.qkv", y, 3 * inner, 8, bias)
        of_heads, square = {"heads": heads}, (heads, tokens, tokens)
        scale = self.scalar(8, math.sqrt(inner / heads) * SPREAD[8] ** 2)
        y = self.emit(f"{name}.scores", "scores", [qkv], square, "int8", {}, of_heads | scale)
        shiftmax = {"i0": int(self.rng.integers(1, 60)), "n": 15, "reciprocal_bits": options["reciprocal"]}
        shiftmax["out_bits"] = bits
        y = self.emit(f"{name}.shiftmax", "shiftmax", [y], square, f"int{bits}", {}, shiftmax)
        scale = self.scalar(8, 2.0 ** (bits - 1) * SPREAD[8] / math.sqrt(tokens))
        y = self.emit(f"{name}.mix", "mix", [y, qkv], (tokens, inner), "int8", {}, of_heads | scale)
        y = self.linear(f"{name}.proj", y, embed, 16, bias)
        x = self.residual(f"{name}.residual1", y, x, options["swapped"][0])
        y = self.layernorm(f"{name}.norm2", x, 8)
        y = self.linear(f"{name}.fc1", y, options["hidden"], 8, bias)
        y = self.activation(name, y, options)
        y = self.linear(f"{name}.fc2", y, embed, 16, bias)
        return self.residual(f"{name}.residual2", y, x, options["swapped"][1])

    def activation(self, name: str, x: str, options: Mapping[str, Any]) -> str:
        """A table of any function, or ShiftGELU."""
        shape = self.tensors[x].shape
        if options["table"]:
            table = self.rng.integers(-128, 128, 256).astype(np.int8)
            return self.emit(f"{name}.table", "table", [x], shape, "int8", {"table": table}, {})
        # Of few values, because their tables take longer to make than all the rest.
        gelu = {"i0": int(self.pick(1, 9, 40)), "b": int(self.pick(20001, -16384, 32767)), "c": 20}
        gelu |= {"form": options["form"], "out_bits": 8}
        return self.emit(f"{name}.gelu", "gelu", [x], shape, "int8", {}, gelu)

    def emit(
        self,
        name: str,
        op: str,
        inputs: list[str],
        shape: tuple[int, ...],
        dtype: str,
        constants: Mapping[str, NDArray[Any]],
        attributes: Mapping[str, int | str],
    ) -> str:
        keys = {role: f"{name}.{role}" for role in constants}
        self.constants.update({keys[role]: array for role, array in constants.items()})
        self.nodes.append(Node(name, op, tuple(inputs), keys, dict(attributes)))
        self.tensors[name] = Tensor(name, shape, dtype)
        return name

    def multiplier(self, bits: int, spread: float) -> tuple[int, int]:
        """b and c with which values of this spread fill `bits` bits."""
        b = int(self.rng.integers(2**14, 2**15)) * int(self.pick(1, -1))
        return b, min(63, max(0, round(math.log2(spread * abs(b) / SPREAD[bits]))))

    def scalar(self, bits: int, spread: float) -> dict[str, int]:
        b, c = self.multiplier(bits, spread)
        return {"b": b, "c": c, "out_bits": bits}

    def linear(self, name: str, x: str, outputs: int, bits: int, bias: bool = True) -> str:
        tokens, inputs = self.tensors[x].shape
        spread = math.sqrt(inputs) * SPREAD[8] ** 2
        pairs = np.array([self.multiplier(bits, spread) for _ in range(outputs)])
        weight = np.clip(self.rng.normal(0, SPREAD[8], (outputs, inputs)), -128, 127)
        constants: dict[str, NDArray[Any]] = {
            "weight": weight.astype(np.int8),
            "b": pairs[:, 0].astype(np.int32),
            "c": pairs[:, 1].astype(np.int8),
        }
        if bias:
            constants["bias"] = self.rng.normal(0, spread, outputs).astype(np.int32)
        shape = (tokens, outputs)
        return self.emit(name, "linear", [x], shape, f"int{bits}", constants, {"out_bits": bits})

    def layernorm(self, name: str, x: str, bits: int) -> str:
        channels = self.tensors[x].shape[1]
        spread = 2.0**30 / math.sqrt(channels)
        _, c = self.multiplier(bits, spread)
        b = self.rng.integers(-(2**15) + 1, 2**15, channels)
        B = self.rng.normal(0, SPREAD[bits] / 4 * 2.0**c, channels).astype(np.int64)
        if self.chance(0.1):  # as far as the contract goes
            c = int(self.rng.integers(60, 64))
            b = self.rng.integers(-(2**31) + 1, 2**31, channels)
            B = self.rng.integers(-MAX_BIAS, MAX_BIAS + 1, channels)
        constants: dict[str, NDArray[Any]] = {"b": b.astype(np.int32), "B": B}
        attributes = {"c": c, "out_bits": bits}
        return self.emit(name, "layernorm", [x], self.tensors[x].shape, f"int{bits}", constants, attributes)

    def residual(self, name: str, x: str, y: str | None = None, swapped: bool = False) -> str:
        (b1, c1), (b2, c2) = (self.multiplier(16, 1.2 * SPREAD[16]) for _ in range(2))
        attributes, shape = {"b1": b1, "c1": c1, "b2": b2, "c2": c2}, self.tensors[x].shape
        if y is None:
            identity = self.rng.normal(0, SPREAD[16], shape).astype(np.int16)
            return self.emit(name, "residual", [x], shape, "int16", {"identity": identity}, attributes)
        return self.emit(name, "residual", [y, x] if swapped else [x, y], shape, "int16", {}, attributes)

    def join(self, op: str, name: str, x: str, count: int) -> str:
        tokens, embed = self.tensors[x].shape
        rows = self.rng.normal(0, SPREAD[16], (count, embed)).astype(np.int16)
        return self.emit(name, op, [x], (tokens + count, embed), "int16", {"rows": rows}, {})

    def rows(self, name: str, x: str, start: int, stop: int) -> str:
        """The rows, by one node or two; all rows also by none."""
        total, columns = self.tensors[x].shape
        if (start, stop) == (0, total) and self.chance(0.5):
            return x
        if self.chance(0.2):
            low, high = int(self.rng.integers(0, start + 1)), int(self.rng.integers(stop, total + 1))
            limits: Mapping[str, int | str] = {"start": low, "stop": high}
            x = self.emit(f"{name}.more", "rows", [x], (high - low, columns), "int8", {}, limits)
            start, stop = start - low, stop - low
        limits = {"start": start, "stop": stop}
        return self.emit(name, "rows", [x], (stop - start, columns), "int8", {}, limits)
