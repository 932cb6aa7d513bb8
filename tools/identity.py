"""Whether program files and Verilog are those that were recorded, byte for byte: `make identity`.

    python -m tools.identity [--record] [PREFIX ...]

For every preset: the programs of the four published sizes and of the shipped model, and the Verilog of both
builds of the accelerator (the one for synthesis, and the one that simulates fast) and of every unit. Their
digests are in identity.json beside this file, under names such as edge/program/tiny; prefixes choose some.
A change that moves no result leaves all of them as they are; one that means to change a program or the RTL
records them anew, and its commit shows which moved.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable
from functools import partial
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
from intarsia.synth.verilog import verilog_text

RECORDED = Path(__file__).with_suffix(".json")
SHIPPED = "scenes"
ACCELERATOR = "accelerator"


def published(preset: str, size: str) -> bytes:
    """The program file of a size of the paper."""
    with tempfile.NamedTemporaryFile() as file:
        simulate(size, machine=preset).program.save(Path(file.name))
        return Path(file.name).read_bytes()


def shipped(preset: str) -> bytes:
    """The program file of the shipped model."""
    with tempfile.NamedTemporaryFile() as file:
        graph = load_artifact(ZOO / f"{SHIPPED}.intarsia")
        compile_graph(graph, Machine.load(preset)).save(Path(file.name))
        return Path(file.name).read_bytes()


def unit(preset: str, name: str) -> bytes:
    """Verilog of a unit."""
    return verilog_text(make_unit(name, Machine.load(preset)), name).encode()


def accelerator(preset: str) -> bytes:
    """Verilog of the whole, as for synthesis."""
    whole = Accelerator(Machine.load(preset), depth=1024, segments=64)
    return verilog_text(whole, ACCELERATOR, share=True).encode()


def simulated(preset: str) -> bytes:
    """Verilog of the whole, as it simulates fast."""
    return accelerator_verilog(Machine.load(preset), USUAL_DEPTH).encode()


def everything() -> dict[str, Callable[[], bytes]]:
    """What makes each file, by its name."""
    found: dict[str, Callable[[], bytes]] = {}
    for preset in PRESETS:
        found |= {f"{preset}/program/{size}": partial(published, preset, size) for size in SIZES}
        found[f"{preset}/program/{SHIPPED}"] = partial(shipped, preset)
        found |= {f"{preset}/verilog/{name}": partial(unit, preset, name) for name in UNITS}
        found[f"{preset}/verilog/{ACCELERATOR}"] = partial(accelerator, preset)
        found[f"{preset}/verilog/simulation"] = partial(simulated, preset)
    return found


def main() -> int:
    """[--record] [PREFIX ...] of the command line; the exit code."""
    record = "--record" in sys.argv[1:]
    prefixes = tuple(word for word in sys.argv[1:] if word != "--record")
    recorded: dict[str, str] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    make = everything()
    names = [name for name in (make if record else {**make, **recorded}) if name.startswith(prefixes or "")]
    moved = []
    with progress() as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bar.update(task, description=name)
            digest = hashlib.sha256(make[name]()).hexdigest() if name in make else None
            if digest != recorded.get(name):
                moved.append(name)
                results.print(f"{name} is not what was recorded")
            if record and digest:
                recorded[name] = digest
                with replacing(RECORDED) as path:
                    path.write_text(json.dumps(recorded, indent=1) + "\n")
            bar.advance(task)
    results.print(f"{len(names)} files, {len(moved)} not as recorded")
    return 1 if moved and not record else 0


if __name__ == "__main__":
    sys.exit(main())
