"""The paper's networks in the RTL, or those named, beside the emulator: `make rtl-all`.

512 x 512, 150 classes, random weights, on the preset `mobile`. Writes rtl-all.json and the table in
docs/results.md; a size that is in that file for the same RTL is not run again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from intarsia.arch.machine import Machine
from intarsia.arch.program import Program
from intarsia.cli.output import console, progress, results
from intarsia.emu.compile import compile_graph
from intarsia.model.cache import digest
from intarsia.model.files import replacing
from intarsia.model.networks.segmenter.config import PAPER_SIZES
from intarsia.sim.rtl.design import accelerator_verilog, program_depth
from intarsia.sim.rtl.network import compare_network, random_network

RESULTS, PAGE = Path("rtl-all.json"), Path("docs/results.md")
BEGIN, END = "<!-- rtl-all: begin -->", "<!-- rtl-all: end -->"
INTRODUCTION = f"""\
# Results

## Whole networks in the RTL

512 x 512, 150 classes, random weights, preset `mobile`: `make rtl-all` simulates every cycle in
Verilator and compares every element of every tensor, every label, and the start and end of every
instruction with the emulator.

{BEGIN}
{END}
"""
COLUMNS = ("RTL cycles", "emulated cycles", "values compared", "mismatches", "wall time", "cycles/s")


def main(wanted: list[str]) -> int:
    machine = Machine.load("mobile")
    done: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    with progress() as bar:
        for size in wanted or PAPER_SIZES:
            task = bar.add_task(f"{size}: making random weights", total=None)
            graph, picture = random_network(size, "ade20k")
            design = _design(compile_graph(graph, machine))
            if done.get(size, {}).get("design") == design:
                continue

            def show(what: str, at: int, total: int | None, size: str = size, task: Any = task) -> None:
                bar.update(task, description=f"{size}: {what}", completed=at, total=total)

            found = compare_network(graph, machine, picture, on_progress=show)
            run = found.comparison
            done[size] = {
                "design": design,
                "rtl_cycles": run.rtl_cycles,
                "emulated_cycles": run.emulated_cycles,
                "compared_values": run.compared_values,
                "mismatched_values": run.mismatched_values,
                "wall_seconds": run.wall_seconds,
                "cycles_per_second": run.cycles_per_second,
                "ok": found.ok,
            }
            for problem in run.problems:
                console.print(f"{size}: {problem}")
            with replacing(RESULTS) as path:
                path.write_text(json.dumps(done, indent=1))
            _write_page(done)
            results.print(_row(size, done[size]))
    return 0 if all(entry["ok"] for entry in done.values()) else 1


def _design(program: Program) -> str:
    """What a result depends on."""
    code = repr(program.segments)
    return digest(accelerator_verilog(program.machine, program_depth(program)), code)


def _write_page(done: dict[str, Any]) -> None:
    """Puts the table in its place."""
    page = PAGE.read_text() if PAGE.exists() else INTRODUCTION
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    rows = [_row(size, done[size]) for size in PAPER_SIZES if size in done]
    table = "\n".join([f"| size | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|", *rows])
    with replacing(PAGE) as path:
        path.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}")


def _row(size: str, entry: dict[str, Any]) -> str:
    counts = (
        entry[key] for key in ("rtl_cycles", "emulated_cycles", "compared_values", "mismatched_values")
    )
    cells = [f"{count:,}" for count in counts]
    cells += [f"{entry['wall_seconds'] / 60:.1f} min", f"{entry['cycles_per_second']:,.0f}"]
    return f"| {size} | {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
