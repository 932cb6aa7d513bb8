"""A compiled program held against the executor, tensor by tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.hazards import check_program, check_waits
from intarsia.arch.isa import Unit
from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, labels_of, memory_image
from intarsia.emu.execute import execute
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import GRID, IMAGE, LABELS, Graph


def hold(
    graph: Graph, target: Machine, image: NDArray[np.uint8], order: Sequence[Unit] = tuple(Unit)
) -> None:
    """Run the program; every tensor must appear whole and equal the executor's."""
    program = compile_graph(graph, target)
    check_program(program)
    check_waits(program)
    wanted = dict(Executor(graph).tensors(image))
    covered = {name: np.zeros(array.shape, bool) for name, array in wanted.items()}

    def compare(name: str, head: int | None, row: int, column: int, found: NDArray[Any]) -> None:
        part = (slice(row, row + found.shape[0]), slice(column, column + found.shape[1]))
        index = part if head is None else (head, *part)
        np.testing.assert_array_equal(found, wanted[name][index], err_msg=name)
        assert found.dtype == wanted[name].dtype
        covered[name][index] = True

    memory = execute(program, memory_image(graph, program, image), on_probe=compare, order=order)
    np.testing.assert_array_equal(labels_of(graph, program, memory), wanted[LABELS])
    for name, seen in covered.items():
        assert seen.all() or name in (IMAGE, GRID, LABELS), name
