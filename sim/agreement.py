"""One graph in the reference, the fast executor and the emulator: every tensor, every label."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.hazards import check_program
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.emu.compile import compile_graph, memory_image, outputs_of
from intarsia.emu.execute import execute
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Graph
from intarsia.sim.needed import needed_rows


def disagreements(graph: Graph, machine: Machine, image: NDArray[np.uint8]) -> list[str]:
    """What differs between the three, in sentences; raises InputError where the compiler refuses the graph.

    The engines of the executor are compared on every tensor of the graph. The program must be legal and
    show every row of a tensor that the outputs depend on.
    """
    wanted = dict(Executor(graph, "reference").tensors(image))
    found = engine_disagreements(graph, image, wanted)
    program = compile_graph(graph, machine)
    check_program(program)
    return found + _emulated(graph, program, image, wanted)


def engine_disagreements(
    graph: Graph, image: NDArray[np.uint8], wanted: dict[str, NDArray[Any]]
) -> list[str]:
    """Tensors in which the fast engine, node by node and fused, differs from `wanted`."""
    fast = Executor(graph)
    found = [f"fast: {name}" for name, a in fast.tensors(image) if not _same(a, wanted[name])]
    made = fast.outputs(image)
    found += [
        f"fast: {output.name} of the fused engine"
        for output in graph.outputs
        if not _same(made[output.name], wanted[output.tensor])
    ]
    return found


def _emulated(
    graph: Graph, program: Program, image: NDArray[np.uint8], wanted: dict[str, NDArray[Any]]
) -> list[str]:
    found = []
    unseen = {name: np.ones(array.shape, bool) for name, array in wanted.items()}

    def compare(name: str, head: int | None, row: int, column: int, piece: NDArray[Any]) -> None:
        place: tuple[Any, ...] = np.s_[row : row + piece.shape[0], column : column + piece.shape[1]]
        place = place if head is None else (head, *place)
        if not piece.size or not _same(piece, wanted[name][place]):
            found.append(f"emulator: {name}{list(piece.shape)} from {row}, {column}")
        unseen[name][place] = False

    memory = execute(program, memory_image(graph, program, image), on_probe=compare)
    made = outputs_of(graph, program, memory)
    found += [
        f"emulator: {output.name}"
        for output in graph.outputs
        if not _same(made[output.name], wanted[output.tensor])
    ]
    needed = needed_rows(graph)
    return found + [f"emulator: {name} is not shown" for name in needed if unseen[name][needed[name]].any()]


def _same(found: NDArray[Any], wanted: NDArray[Any]) -> bool:
    return found.dtype == wanted.dtype and np.array_equal(found, wanted)
