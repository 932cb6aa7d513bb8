"""`intarsia vectors`: golden vectors in open formats, for RTL that others write."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from intarsia.sim.vector_files import Summary


def vectors(
    unit: Annotated[str, typer.Argument(help="A unit, or all.", metavar="UNIT|all")],
    out: Annotated[Path, typer.Option(help="Folder for the files.", metavar="DIR")],
    count: Annotated[
        int,
        typer.Option("--vectors", help="Random output values, besides directed ones.", min=1),
    ] = 2000,
    seed: Annotated[int, typer.Option(help="Of the random stimulus.", min=0)] = 1,
    machine: Annotated[
        str, typer.Option(help="Whose units: edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "edge",
    json: Json = False,
) -> None:
    """Write what a unit is played and must answer: .npz, $readmemh files, a manifest, a Verilog bench.

    Example: intarsia vectors shiftmax --out vectors
    """
    from intarsia.arch.machine import Machine
    from intarsia.hw.units.registry import unit_names
    from intarsia.model.files import output_file, output_folder
    from intarsia.model.kinds import ARRAYS, MANIFEST, VERILOG
    from intarsia.sim.vectors import write_vectors

    description = Machine.load(machine)
    names = unit_names([unit])
    output_folder(out)
    for name in names:
        for file, kind in ((f"{name}.json", MANIFEST), (f"{name}.npz", ARRAYS), (f"{name}_tb.v", VERILOG)):
            output_file(out / file, kind)
    with progress(json=json) as bar:
        written = [
            write_vectors(name, description, out, vectors=count, seed=seed)
            for name in bar.track(names, description="writing")
        ]
    if json:
        emit_json({"machine": description.name, "units": [_entry(summary) for summary in written]})
        return
    table = Table(box=None, pad_edge=False)
    for column in ("unit", "transactions", "values", "manifest"):
        table.add_column(column, justify="right" if column in ("transactions", "values") else "left")
    for summary in written:
        counts = (f"{summary.transactions:,}", f"{summary.values:,}")
        table.add_row(summary.unit, *counts, str(summary.manifest))
    results.print(table)


def _entry(summary: "Summary") -> dict[str, object]:
    return {
        "name": summary.unit,
        "transactions": summary.transactions,
        "values": summary.values,
        "beats": summary.beats,
        "manifest": summary.manifest,
        "files": summary.files,
    }
