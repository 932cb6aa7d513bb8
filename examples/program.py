"""A program by hand: class scores come from DRAM, the largest of each row is found, labels go back."""

import numpy as np

from intarsia.arch.hazards import check_program, check_waits
from intarsia.arch.isa import Unit, Wait, assemble
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Region, Segment
from intarsia.arch.timing import simulate_program
from intarsia.emu.execute import execute

ROWS, CLASSES, STRIDE, LABELS = 6, 10, 32, 0x100

QUEUES = {
    Unit.LOAD: f"load dram=0 space=scratchpad address=0 size={2 * CLASSES} count1={ROWS}"
    f" dram_stride1={STRIDE} stride1={STRIDE}",
    Unit.ELEMENTWISE: f"""
        wait unit=load count=1
        argmax source=0 target=0x8000 rows={ROWS} length={CLASSES} source_stride={STRIDE}""",
    Unit.STORE: f"""
        wait unit=elementwise count=1
        store dram={LABELS} address=0x8000 size={ROWS}""",
}

queues = tuple(tuple(assemble(QUEUES.get(unit, ""))) for unit in Unit)
labels = tuple(tuple("by hand" for one in queue if not isinstance(one, Wait)) for queue in queues)
regions = (Region("scores", 0, LABELS, "image"), Region("labels", LABELS, 16, "labels"))
program = Program(Machine.load("edge"), (Segment("all", queues, labels),), regions, LABELS + 16, "uint8")
program.check()
check_program(program)  # without the waits it would be refused
check_waits(program)

scores = np.random.default_rng(0).integers(-100, 100, (ROWS, STRIDE // 2), np.int16)
dram = np.zeros(program.dram_bytes, np.uint8)
dram[: scores.nbytes] = scores.view(np.uint8).ravel()
found = execute(program, dram)[LABELS : LABELS + ROWS]

timeline = simulate_program(program)
for line in timeline.units:
    for start, end in zip(line.start.tolist(), line.end.tolist(), strict=True):
        print(f"{line.unit.name.lower():12} cycles {start:4} to {end:4}")
print(f"labels {found.tolist()} after {timeline.cycles} cycles")
assert found.tolist() == scores[:, :CLASSES].argmax(axis=1).tolist()
