"""`intarsia rtl-run`: a whole inference in the RTL."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from intarsia.cli.options import Network
from intarsia.cli.output import Json, console, emit_json, progress, results

if TYPE_CHECKING:
    from intarsia.model.integer.graph import Graph
    from intarsia.sim.rtl.network import Inference
    from intarsia.sim.rtl.waves import Waves


def rtl_run(
    model: Annotated[
        Path | None, typer.Option(help="Artifact; default: the shipped model for street scenes.")
    ] = None,
    image: Annotated[
        Path | None,
        typer.Option(
            help="PNG or JPEG; its middle is taken if it is no window. Default: one of pictures/."
        ),
    ] = None,
    network: Network = None,
    size: Annotated[
        str | None, typer.Option(help="tiny, small, base or large, with random weights, on a made picture.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="ade20k, cityscapes or scenes: window and classes of a size.")
    ] = None,
    machine: Annotated[
        str, typer.Option(help="edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "mobile",
    out: Annotated[Path, typer.Option(help="Folder for mask and overlay.")] = Path("segmented"),
    waves: Annotated[
        Path | None,
        typer.Option(help="All signals of some cycles of the RTL, .fst or .vcd.", metavar="FILE.fst"),
    ] = None,
    waves_from: Annotated[
        int | None, typer.Option(help="First cycle of the waves, as trace and report count.", min=0)
    ] = None,
    waves_to: Annotated[int | None, typer.Option(help="Last cycle of the waves.", min=0)] = None,
    waves_at: Annotated[
        str | None,
        typer.Option(
            help="Waves of an instruction and 16 cycles around it; SEGMENT is a name or number, INDEX"
            " counts waits.",
            metavar="UNIT:SEGMENT:ITERATION:INDEX",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Run a whole inference in the RTL: every tensor and every cycle against the emulator.

    With a model, mask and overlay are made of the RTL's own labels. The first run on a machine compiles
    its simulator, which takes minutes; the first one with --waves compiles another.

    Example: intarsia rtl-run --image street.jpg --machine mobile
    """
    from intarsia.arch.machine import Machine
    from intarsia.model.data.images import read_image
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file
    from intarsia.model.kinds import PNG
    from intarsia.model.networks import DEFAULT
    from intarsia.model.predict import DEFAULT_ARTIFACT, load_executor
    from intarsia.sim.rtl.network import compare_network, middle_window, random_network
    from intarsia.synth.process import SimulatorError

    description = Machine.load(machine)
    shown = _waves(waves, waves_from, waves_to, waves_at)
    files: dict[str, Path] = {}
    if size is None:
        for name, value in {"--dataset": dataset, "--network": network}.items():
            if value is not None:
                raise InputError(f"{name} goes with --size: an artifact has its own")
        graph = load_executor(model or DEFAULT_ARTIFACT).graph
        path = image or _default_picture()
        window = middle_window(read_image(path), graph.config)
        if graph.of_kind("labels"):
            files = {kind: out / f"{path.stem}_{kind}.png" for kind in ("mask", "overlay")}
        for file in files.values():
            output_file(file, PNG)
            if file.resolve() == path.resolve():
                raise InputError(f"{file} is the picture, a mask or overlay would replace it")
    elif foreign := [name for name, value in {"--model": model, "--image": image}.items() if value]:
        raise InputError(f"--size does not go with {', '.join(foreign)}: its weights are random")
    with progress(json=json) as bar:
        task = bar.add_task("", total=None)

        def show(what: str, done: int = 0, total: int | None = None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        if size is not None:
            show("making random weights")
            graph, window = random_network(size, dataset, DEFAULT if network is None else network)
        try:
            found = compare_network(graph, description, window, waves=shown, on_progress=show)
        except SimulatorError as error:
            console.print(f"intarsia: {error}")
            raise typer.Exit(1) from None
    if files:
        _write(found, window, graph, files)
    report = {"size": size, "machine": description.name, **_report(found), **files}
    if found.comparison.waves:
        report |= {"waves": waves, "waves_cycles": found.comparison.waves}
    if json:
        emit_json(report)
    else:
        _print(report)
    if not found.ok:
        raise typer.Exit(1)


def _waves(path: Path | None, first: int | None, last: int | None, at: str | None) -> "Waves | None":
    """What the four options ask for."""
    from intarsia.model.errors import InputError
    from intarsia.model.files import output_file
    from intarsia.sim.rtl.waves import Waves

    given = (first is not None, last is not None, at is not None)
    if path is None:
        if any(given):
            raise InputError("--waves-from, --waves-to and --waves-at say of which cycles --waves FILE is")
        return None
    if given not in ((True, True, False), (False, False, True)):
        raise InputError("--waves wants its cycles: --waves-from and --waves-to, or --waves-at")
    found = Waves(path, first or 0, last or 0, at or "")
    found.check()
    output_file(path)
    return found


def _default_picture() -> Path:
    """One that is just a window of the shipped model: in the repository, or where it was installed."""
    import sys

    places = (Path(__file__).parents[2], Path(sys.prefix) / "share" / "intarsia")
    found = [place / "pictures" / "crossing.png" for place in places]
    return next((path for path in found if path.exists()), found[0])


def _write(found: "Inference", window: Any, graph: "Graph", files: dict[str, Path]) -> None:
    from intarsia.model.data.legend import legend
    from intarsia.model.data.picture_legend import write_segmented
    from intarsia.model.networks.segmenter.config import SegmenterConfig

    (output,) = graph.of_kind("labels")
    labels, config = found.outputs[output.name], graph.config
    assert isinstance(config, SegmenterConfig), "no other network makes labels"
    write_segmented(files["mask"], files["overlay"], window, labels, *legend(config))


def _report(found: "Inference") -> dict[str, Any]:
    run = found.comparison
    problems = list(run.problems)
    for name, count in found.wrong.items():
        problems.append(f"{count:,} values of {name} differ from those of the integer executor")
    return {
        "rtl_cycles": run.rtl_cycles,
        "emulated_cycles": run.emulated_cycles,
        "mismatched_values": run.mismatched_values,
        "compared_values": run.compared_values,
        "instructions": run.instructions,
        "wall_seconds": run.wall_seconds,
        "cycles_per_second": run.cycles_per_second,
        "compile_seconds": run.compile_seconds,
        "units": {
            unit.name.lower(): {"busy": busy, "emulated_busy": emulated}
            for unit, (busy, emulated) in run.busy.items()
        },
        "problems": problems,
        "ok": found.ok,
    }


def _print(report: dict[str, Any]) -> None:
    table = Table.grid(padding=(0, 2))
    for name, text in {
        "cycles": f"{report['rtl_cycles']:,} in the RTL, {report['emulated_cycles']:,} emulated",
        "values": f"{report['compared_values']:,} compared, {report['mismatched_values']:,} differ",
        "instructions": f"{report['instructions']:,}, start and end of each compared",
        "simulated": f"{report['wall_seconds']:.1f} s, {report['cycles_per_second']:,.0f} cycles/s",
        "compiled": f"{report['compile_seconds']:.1f} s",
    }.items():
        table.add_row(name, text)
    results.print(table)
    for problem in report["problems"]:
        results.print(f"wrong: {problem}")
    if "waves" in report:
        first, last = report["waves_cycles"]
        results.print(f"waves: {report['waves']}, cycles {first:,} to {last:,}, 10 ns each")
    for kind in ("mask", "overlay"):
        if kind in report:
            results.print(f"{kind}: {report[kind]}")
    results.print("equal, to the bit and the cycle" if report["ok"] else "not equal")
