"""`intarsia verilog`: the hardware as Verilog, with its area and speed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from rich.progress import Progress

    from intarsia.synth.synthesis import Area, Speed

    Measured = tuple[Area, Speed | None]


ACCELERATOR = "accelerator"


def verilog(
    out: Annotated[Path, typer.Option(help="Folder for NAME.v of every unit.", metavar="DIR")],
    unit: Annotated[
        list[str] | None,
        typer.Option(help="A unit, accelerator, or all; may be given again; default: all."),
    ] = None,
    machine: Annotated[
        str, typer.Option(help="Whose: edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "edge",
    instructions: Annotated[
        int, typer.Option(help="That the accelerator holds for each of its units.", min=1, max=32768)
    ] = 2048,
    segments: Annotated[int, typer.Option(help="That the accelerator holds.", min=1, max=256)] = 64,
    prefix: Annotated[
        str,
        typer.Option(help="In front of the name of every module and file.", metavar="NAME_"),
    ] = "",
    stats: Annotated[
        bool,
        typer.Option(
            "--stats",
            help="Synthesize for an ECP5-85F and place: area and speed. Takes minutes; the accelerator,"
            " only if named, half an hour.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Write the Verilog of units and of the accelerator: lint-clean, for any simulator and synthesis.

    Example: intarsia verilog --unit accelerator --machine mobile --out rtl
    """
    from intarsia.arch.machine import Machine
    from intarsia.hw.accelerator import Accelerator
    from intarsia.hw.units.registry import make_unit, unit_names
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file, output_folder
    from intarsia.model.kinds import VERILOG
    from intarsia.synth.verilog import write_verilog

    description = Machine.load(machine)
    if prefix and not (prefix.isascii() and prefix.isidentifier()):
        raise InputError(
            f"--prefix must be letters, digits and _, no digit first, such as left_, not {prefix!r}"
        )
    # Synthesis of a whole preset takes long or fails: only for who asks for it by name.
    whole = () if stats and ACCELERATOR not in (unit or []) else (ACCELERATOR,)
    names = unit_names(unit or [], whole)
    folder = output_folder(out)
    for name in names:
        output_file(folder / f"{prefix}{name}.v", VERILOG)
    with progress(json=json) as bar:
        task = bar.add_task("", total=len(names))
        for name in names:
            bar.update(task, description=f"writing {name}")
            if name == ACCELERATOR:
                whole = Accelerator(description, depth=instructions, segments=segments)
                write_verilog({name: whole}, folder, share=True, prefix=prefix)
            else:
                write_verilog({name: make_unit(name, description)}, folder, prefix=prefix)
            bar.advance(task)
        files = {name: folder / f"{prefix}{name}.v" for name in names}
        measured = _measured(files, bar) if stats else {}
    if json:
        units = [_entry(name, file, measured.get(name)) for name, file in files.items()]
        emit_json({"machine": description.name, "units": units})
        return
    if stats:
        _print(measured)
    results.print(f"{len(names)} files in {folder}")


def _measured(files: dict[str, Path], bar: "Progress") -> "dict[str, Measured]":
    import os

    from intarsia.synth.process import SimulatorError, threads
    from intarsia.synth.synthesis import area, speed

    def measure(name: str) -> "Measured":
        text, top = files[name].read_text(), files[name].stem
        whole = name == ACCELERATOR
        cells = area(text, top, by_module=whole)
        try:
            found: Measured = cells, speed(text, top, by_module=whole) if cells.fits else None
        except SimulatorError:  # no room for the wires either, or no end of it
            found = cells, None
        bar.update(task, advance=1, description=f"{name} placed")
        return found

    task = bar.add_task("synthesizing and placing", total=len(files))
    with threads(os.cpu_count()) as pool:
        return dict(zip(files, pool.map(measure, files), strict=True))


def _entry(name: str, file: Path, measured: "Measured | None") -> dict[str, object]:
    entry: dict[str, object] = {"name": name, "file": file}
    if measured is not None:
        area, speed = measured
        entry |= {
            "area": vars(area),
            "fmax_mhz": speed and speed.mhz,
            "critical_path": speed and speed.path,
        }
    return entry


def _number(count: int | None) -> str:
    return "-" if count is None else f"{count:,}"


def _print(measured: "dict[str, Measured]") -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("unit", "LUT4", "FF", "DSP", "BRAM", "generic cells", "fmax MHz", "limited by"):
        table.add_column(column, justify="left" if column in ("unit", "limited by") else "right")
    for name, (area, speed) in measured.items():
        table.add_row(
            name, *map(_number, (area.lut, area.ff, area.dsp, area.bram, area.gates)),
            f"{speed.mhz:.0f}" if speed else "-", speed.path if speed else "is not placed in an ECP5-85F",
        )  # fmt: skip
    results.print(table)
