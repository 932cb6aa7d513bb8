"""Whether program files and Verilog are those that were recorded, byte for byte: `make identity`.

    python -m tools.identity [--record]

For every preset: the programs of the four published sizes and of the shipped model, and the Verilog of both
builds of the accelerator (the one for synthesis, and the one that simulates fast) and of every unit. Their
digests are in identity.json beside this file. A change that moves no result leaves all of them as they are;
one that means to change a program or the RTL records them anew, and its commit shows which moved.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from intarsia.arch.machine import PRESETS, Machine
from intarsia.cli.output import progress, results
from intarsia.emu.compile import compile_graph
from intarsia.emu.simulation import simulate
from intarsia.hw.accelerator import Accelerator
from intarsia.hw.units.registry import UNITS, make_unit
from intarsia.model.files import replacing
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.networks.segmenter.config import SIZES
from intarsia.model.predict import ZOO
from intarsia.sim.rtl.design import USUAL_DEPTH, accelerator_verilog
from intarsia.synth.verilog import write_verilog

RECORDED = Path(__file__).with_suffix(".json")
SHIPPED = "scenes"


def digests(preset: str) -> Iterator[tuple[str, str]]:
    """Name and SHA-256 of everything that is made for a preset."""
    machine = Machine.load(preset)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / "program"
        for size in SIZES:
            simulate(size, machine=preset).program.save(file)
            yield f"{preset}/program/{size}", _digest(file)
        compile_graph(load_artifact(ZOO / f"{SHIPPED}.intarsia"), machine).save(file)
        yield f"{preset}/program/{SHIPPED}", _digest(file)
        for unit in UNITS:
            write_verilog({unit: make_unit(unit, machine)}, folder)
            yield f"{preset}/verilog/{unit}", _digest(folder / f"{unit}.v")
        write_verilog({"accelerator": Accelerator(machine, depth=1024, segments=64)}, folder, share=True)
        yield f"{preset}/verilog/accelerator", _digest(folder / "accelerator.v")
    text = accelerator_verilog(machine, USUAL_DEPTH)
    yield f"{preset}/verilog/simulation", hashlib.sha256(text.encode()).hexdigest()


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main() -> int:
    """[--record] of the command line; the exit code."""
    recorded: dict[str, str] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found: dict[str, str] = {}
    with progress() as bar:
        task = bar.add_task("", total=len(PRESETS) * (len(SIZES) + len(UNITS) + 3))
        for preset in PRESETS:
            bar.update(task, description=preset)
            for name, digest in digests(preset):
                found[name] = digest
                bar.advance(task)
    if "--record" in sys.argv[1:]:
        with replacing(RECORDED) as path:
            path.write_text(json.dumps(found, indent=1) + "\n")
    moved = [
        name for name in sorted(recorded.keys() | found.keys()) if recorded.get(name) != found.get(name)
    ]
    for name in moved:
        results.print(f"{name} is not what was recorded")
    results.print(f"{len(found)} files, {len(moved)} not as recorded")
    return 1 if moved and "--record" not in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
