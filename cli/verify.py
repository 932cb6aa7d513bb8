"""`intarsia verify`: the RTL's units against the reference, in Verilator."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from intarsia.sim.verify import Result

WAVES = Path("waves")


class Tool(StrEnum):
    """A simulator of the benches."""

    verilator = "verilator"
    icarus = "icarus"


def verify(
    units: Annotated[
        list[str] | None, typer.Argument(help="Units, or all; default: all.", metavar="[UNIT...|all]")
    ] = None,
    vectors: Annotated[
        int, typer.Option(help="Random output values to compare per unit, besides directed ones.", min=1)
    ] = 100_000,
    seed: Annotated[int, typer.Option(help="Of the random stimulus.", min=0)] = 1,
    machine: Annotated[
        str, typer.Option(help="Whose units: edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "edge",
    rtl: Annotated[
        list[Path] | None,
        typer.Option(
            help="Your RTL in the place of ours: Verilog or SystemVerilog with the unit's ports; may be"
            " given again. Its latency may be any.",
            metavar="FILE.v",
        ),
    ] = None,
    simulator: Annotated[Tool, typer.Option(help="What runs the benches.")] = Tool.verilator,
    waves: Annotated[
        bool,
        typer.Option(
            "--waves", help="Keep the waveform of a failing run as waves/UNIT.vcd, with Icarus UNIT.fst."
        ),
    ] = False,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write the results as JUnit XML, for CI.", metavar="FILE.xml"),
    ] = None,
    json: Json = False,
) -> None:
    """Hold the RTL's units, or your own, against the integer reference: cocotb benches.

    Example: intarsia verify shiftmax --rtl my_shiftmax.v --junit verify.xml
    """
    import os

    from intarsia.arch.machine import Machine
    from intarsia.hw.units.registry import unit_names
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file, output_folder, replacing
    from intarsia.model.kinds import TESTS
    from intarsia.sim.foreign import foreign_design
    from intarsia.sim.icarus import icarus_version
    from intarsia.sim.junit import junit_text
    from intarsia.sim.verify import Setup, verify_units

    description = Machine.load(machine)
    names = unit_names(units or [])
    if rtl and len(names) != 1:
        raise InputError(f"--rtl stands in for one unit, not {len(names)}: name it, as in verify shiftmax")
    if junit:
        output_file(junit, TESTS)
    if simulator == Tool.icarus:
        icarus_version()
    folder = output_folder(WAVES) if waves else None
    found: dict[str, Result] = {}
    with progress(json=json) as bar:
        task = bar.add_task("compiling and playing", total=len(names))
        design = foreign_design(rtl, names[0], description, simulator.value) if rtl else None
        setup = Setup(description, vectors, seed, folder, simulator.value, design)
        for result in verify_units(names, setup, os.cpu_count() or 1):
            found[result.name] = result
            bar.update(task, advance=1, description=f"{result.name} done")
    ordered = [found[name] for name in names]
    ok = all(result.ok for result in ordered)
    if junit:
        with replacing(junit, TESTS) as path:
            path.write_text(junit_text(ordered, f"intarsia.{description.name}"), encoding="utf-8")
    if json:
        report: dict[str, object] = {"machine": description.name, "simulator": simulator.value}
        if rtl:
            report["rtl"] = rtl
        emit_json({**report, "units": [_entry(result) for result in ordered], "ok": ok})
    else:
        _print(ordered, foreign=bool(rtl))
    if not ok:
        raise typer.Exit(1)


def _entry(result: "Result") -> dict[str, object]:
    return {
        "name": result.name,
        "vectors": result.vectors,
        "cycles": result.cycles,
        "mismatches": result.mismatches,
        "coverage": result.coverage,
        "bins": result.bins,
        "missed_bins": result.missed,
        "faults": result.faults,
        "waves": result.waves,
        "seconds": result.seconds,
        "command_cycles": result.measured[0],
        "our_command_cycles": result.measured[1],
    }


def _print(ordered: "list[Result]", *, foreign: bool) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("unit", "values", "cycles", "mismatches", "coverage"):
        table.add_column(column, justify="left" if column == "unit" else "right")
    for result in ordered:
        hit = result.bins - len(result.missed)
        table.add_row(
            result.name, f"{result.vectors:,}", f"{result.cycles:,}", f"{result.mismatches:,}",
            f"{hit}/{result.bins} bins",
        )  # fmt: skip
    results.print(table)
    for result in ordered:
        for line in "\n".join(result.faults).splitlines():
            results.print(f"{result.name}: {line}")
        if result.missed:
            results.print(f"{result.name}: not covered: {', '.join(result.missed)}")
        if foreign and result.measured[0]:
            theirs, ours = result.measured
            results.print(
                f"{result.name}: commands by themselves take {theirs:,} cycles, ours {ours:,};"
                " their number is not judged"
            )
