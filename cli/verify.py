"""`intarsia verify`: the RTL's units against the reference, in Verilator."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from sim.verify import Result

WAVES = Path("waves")


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
    waves: Annotated[
        bool, typer.Option("--waves", help="Keep the waveform of a failing run as waves/UNIT.vcd.")
    ] = False,
    json: Json = False,
) -> None:
    """Hold the RTL's units against the integer reference: cocotb benches on Verilator.

    Example: intarsia verify shiftmax layernorm --vectors 20000
    """
    import os

    from emu.machine import Machine
    from hw.units import unit_names
    from model.files import output_folder
    from sim.verify import verify_units

    description = Machine.load(machine)
    names = unit_names(units or [])
    folder = output_folder(WAVES) if waves else None
    found: dict[str, Result] = {}
    with progress(json=json) as bar:
        task = bar.add_task("compiling and playing", total=len(names))
        for result in verify_units(names, description, vectors, seed, folder, os.cpu_count() or 1):
            found[result.name] = result
            bar.update(task, advance=1, description=f"{result.name} done")
    ordered = [found[name] for name in names]
    ok = all(result.ok for result in ordered)
    if json:
        emit_json({"machine": description.name, "units": [_entry(result) for result in ordered], "ok": ok})
    else:
        _print(ordered)
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
    }


def _print(ordered: "list[Result]") -> None:
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
        for fault in result.faults:
            results.print(f"{result.name}: {fault}")
        if result.missed:
            results.print(f"{result.name}: not covered: {', '.join(result.missed)}")
