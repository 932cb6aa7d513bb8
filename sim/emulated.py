"""A network on one picture in the emulator beside the integer executor: every tensor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.program import Program
from intarsia.emu.compile import memory_image, outputs_of
from intarsia.emu.execute import execute
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import Graph
from intarsia.sim.needed import needed_rows


@dataclass(frozen=True)
class Emulated:
    """Values compared, values that differ, and names of tensors of which the program shows not all
    that the outputs depend on."""

    compared: int
    wrong: int
    hidden: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether emulator and executor agree in all of every tensor."""
        return not self.wrong and not self.hidden


def emulate_network(graph: Graph, program: Program, picture: NDArray[np.uint8]) -> Emulated:
    """Runs a graph's program on a picture of its window, uint8 [H, W, 3]; raises as `execute`."""
    wanted = dict(Executor(graph).tensors(picture))
    covered = {name: np.zeros(array.shape, np.bool_) for name, array in wanted.items()}
    compared = wrong = 0

    def compare(name: str, head: int | None, row: int, column: int, found: NDArray[np.generic]) -> None:
        nonlocal compared, wrong
        part = slice(row, row + found.shape[0]), slice(column, column + found.shape[1])
        place = part if head is None else (head, *part)
        right = wanted[name][place]
        same = found.dtype == right.dtype and found.shape == right.shape
        compared += found.size
        wrong += int((found != right).sum()) if same else found.size
        covered[name][place] = True

    memory = execute(program, memory_image(graph, program, picture), on_probe=compare)
    found = outputs_of(graph, program, memory)
    for output in graph.outputs:
        compared += found[output.name].size
        wrong += int((found[output.name] != wanted[output.tensor]).sum())
    hidden = tuple(name for name, rows in needed_rows(graph).items() if not covered[name][rows].all())
    return Emulated(compared, wrong, hidden)
