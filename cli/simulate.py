"""`intarsia simulate`: cycles, traffic and energy of a model on a machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from intarsia.cli.options import Image, Network, parse_size
from intarsia.cli.output import Json, emit_json, progress, results

if TYPE_CHECKING:
    from intarsia.emu.simulation import Report


def simulate(
    network: Network = None,
    size: Annotated[
        str | None,
        typer.Option(
            help="tiny, small, base or large, without weights; default: the network's smallest published."
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="ade20k, cityscapes or scenes: window and classes of a size; vit: imagenet."),
    ] = None,
    image: Image = None,
    model: Annotated[Path | None, typer.Option(help="An artifact instead of a size.")] = None,
    machine: Annotated[
        str, typer.Option(help="edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "mobile",
    softmax_bits: Annotated[
        int | None, typer.Option(help="Width of the probabilities, 8 or 16; default: 16.")
    ] = None,
    gelu: Annotated[str | None, typer.Option(help="shift, lambda-shift or lambda-shift-elem.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Timeline for ui.perfetto.dev.", metavar="FILE.json")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="A page with plots.", metavar="FILE.html")] = None,
    program: Annotated[
        Path | None, typer.Option(help="The compiled program, for disassemble.", metavar="FILE.prog")
    ] = None,
    compat: Annotated[
        str | None, typer.Option(help="scalesim: that tool's cycles for its own files.", metavar="TOOL")
    ] = None,
    topology: Annotated[
        Path | None, typer.Option(help="SCALE-Sim's matrix products.", metavar="FILE.csv")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="SCALE-Sim's array.", metavar="FILE.cfg")] = None,
    json: Json = False,
) -> None:
    """Emulate a model on a machine: exact cycles, utilization, stalls, traffic, energy.

    Example: intarsia simulate --size base --machine mobile --report base.html
    """
    from intarsia.model.errors import InputError

    if compat is not None or topology is not None or config is not None:
        if compat != "scalesim":
            raise InputError(f"--topology and --config need --compat scalesim, not {compat!r}")
        if topology is None or config is None:
            raise InputError("--compat scalesim needs --topology FILE.csv and --config FILE.cfg")
        given = {
            "--network": network, "--size": size, "--dataset": dataset, "--image": image, "--model": model,
            "--gelu": gelu, "--softmax-bits": softmax_bits, "--trace": trace, "--report": report,
            "--program": program,
        }  # fmt: skip
        if foreign := [name for name, value in given.items() if value is not None]:
            raise InputError(f"--compat scalesim does not go with {', '.join(foreign)}")
        _scalesim(topology, config, machine, json)
        return

    if model is not None:
        given = {
            "--network": network, "--size": size, "--dataset": dataset, "--gelu": gelu,
            "--softmax-bits": softmax_bits,
        }  # fmt: skip
        if foreign := [name for name, value in given.items() if value is not None]:
            raise InputError(f"--model does not go with {', '.join(foreign)}: an artifact has its own")

    from intarsia.arch.machine import Machine
    from intarsia.emu.layer_table import write_layers
    from intarsia.emu.report import write_report
    from intarsia.emu.simulation import network as graph_of
    from intarsia.emu.simulation import simulate_graph
    from intarsia.emu.trace import write_trace
    from intarsia.model.files import output_file
    from intarsia.model.integer.graph import QuantizeOptions
    from intarsia.model.kinds import PAGE, PROGRAM, TABLE, TRACE
    from intarsia.model.networks import DEFAULT, find

    for path, kind in ((trace, TRACE), (report, PAGE), (program, PROGRAM)):
        if path is not None:
            output_file(path, kind)
    table = None if report is None else output_file(report.with_suffix(".csv"), TABLE)
    description = Machine.load(machine)
    defaults = QuantizeOptions()
    options, name = None, DEFAULT if network is None else network
    if model is None:
        bits = defaults.softmax_bits if softmax_bits is None else softmax_bits
        options = QuantizeOptions(defaults.gelu if gelu is None else gelu, bits)
        size = find(name).default_size if size is None else size
    window = parse_size(image)
    with progress(json=json) as bar:
        bar.add_task("emulating", total=None)
        graph = graph_of(size, dataset, window, model, options, name)
        found = simulate_graph(graph, description, size)
        plain = found.to_dict()
        if trace is not None:
            write_trace(found.over_time, trace)
            plain["trace"] = trace
        if report is not None and table is not None:
            plain |= {"over_time": found.over_time.to_dict(), "more_memory": found.more_memory}
            write_report(plain, found.timeline, found.roofline, report)
            write_layers(plain["layers"], table)
            plain |= {"report": report, "csv": table}
        if program is not None:
            found.program.save(program)
            plain["program"] = program
    if json:
        emit_json(plain)
        return
    _print(found, plain)


def _print(found: "Report", plain: dict[str, Any]) -> None:
    from intarsia.emu.next_step import sentence
    from intarsia.emu.report import kinds_of, largest_causes

    cycles, machine, model = plain["cycles"], plain["machine"], plain["model"]
    height, width = model["image"]
    summary = Table.grid(padding=(0, 2))
    dram = plain["dram_bytes"]
    energy = plain["energy"]
    for name, value in {
        "model": f"{model['network']}, {model['size'] or 'artifact'}, {height} x {width}, "
        f"{model['tokens']} tokens, "
        f"{model['macs'] / 1e9:.2f} G MACs",
        "machine": f"{machine['name']}, {machine['lanes']} x {machine['depth']}, "
        f"{machine['clock_mhz']} MHz, {machine['on_chip_bytes'] / 2**20:.2f} MiB on chip",
        "cycles": f"{cycles:,} = {plain['latency_ms']:.2f} ms = {plain['fps']:.2f} frames/s",
        "MAC utilization": f"{plain['mac_utilization']:.1%}; "
        f"with second passes {plain['array_utilization']:.1%}",
        "DRAM": f"{dram['moved'] / 1e6:.2f} MB; bounds: fused {dram['fused'] / 1e6:.2f} MB, "
        f"compulsory {dram['compulsory'] / 1e6:.2f} MB",
        "energy": f"{energy['total_uj'] / 1e3:.2f} mJ, {energy['average_mw']:.0f} mW (without "
        f"{energy['left_out']})",
    }.items():
        summary.add_row(name, value)
    results.print(summary)

    units = Table("unit", "busy cycles", "busy", "stalled", "idle", "stalled for", title="Units")
    for name, unit in plain["units"].items():
        shares = (f"{unit[key] / cycles:.1%}" for key in ("busy", "mid_work", "idle"))
        units.add_row(name, f"{unit['busy']:,}", *shares, largest_causes(unit["mid_work_causes"], cycles))
    kinds = Table(
        "layers", "count", "busy cycles", "of the run", "array used", "DRAM bytes", title="Layers"
    )
    for name, row in kinds_of(plain["layers"]).items():
        used = f"{row['utilization']:.1%}" if row["macs"] else ""
        share = f"{row['busy'] / cycles:.1%}"
        kinds.add_row(name, str(row["layers"]), f"{row['busy']:,}", share, used, f"{row['dram_bytes']:,}")
    moved = Table("memory", "bits read", "bits written", "energy", title="Traffic and energy")
    for level, both in plain["traffic_bits"].items():
        uj = energy["uj"].get(level)
        price = "" if uj is None else f"{uj / 1e3:.3f} mJ"
        moved.add_row(level, f"{both['read']:,}", f"{both['write']:,}", price)
    for name, uj in energy["uj"].items():
        if name not in plain["traffic_bits"]:
            moved.add_row(f"({name})", "", "", f"{uj / 1e3:.3f} mJ")
    for table in (units, kinds, moved):
        results.print(table)
    roof = found.roofline
    bound = [point for point in roof.points if point.limit == "memory"]
    results.print(
        f"Roofline: {roof.peak} MAC/cycle, {roof.bandwidth} byte/cycle, ridge {roof.ridge:g} MAC/byte; "
        f"{len(roof.points) - len(bound)} layers bound by the array, {len(bound)} by memory"
    )
    for spill in plain["spills"]:
        results.print(
            f"spilled: {spill['tensor']}, {spill['bytes']:,} bytes, "
            f"{spill['write'] // 8:,} written, {spill['read'] // 8:,} read"
        )
    for stack, reasons in plain["short_of_memory"].items():
        for reason in reasons:
            results.print(f"short of memory: {stack}: {reason}")
    for step in plain.get("more_memory", ()):
        results.print(f"more memory: {sentence(step)}")
    if any(plain["short_of_memory"].values()) and "more_memory" not in plain:
        results.print("--report FILE.html says how much more memory changes something")
    for key in ("trace", "report", "csv", "program"):
        if key in plain:
            results.print(f"{key}: {plain[key]}")


def _scalesim(topology: Path, config: Path, machine: str, json: bool) -> None:
    from intarsia.arch.machine import Machine
    from intarsia.emu.scalesim import compare, read_config
    from intarsia.emu.topology import read_topology

    report = compare(read_topology(topology), read_config(config), Machine.load(machine))
    if json:
        emit_json(report)
        return
    array, ours = report["array"], report["machine"]
    title = f"SCALE-Sim, {array['rows']} x {array['columns']} {array['dataflow']}, beside {ours['name']}"
    table = Table("layer", "M", "N", "K", "cycles", "utilization", f"cycles on {ours['name']}", title=title)
    for layer in report["layers"]:
        sides = (str(layer[key]) for key in "mnk")
        share = f"{layer['utilization']:.1%}"
        table.add_row(layer["name"], *sides, f"{layer['cycles']:,}", share, f"{layer['machine_cycles']:,}")
    share = f"{report['mac_utilization']:.1%}"
    table.add_row("sum", "", "", "", f"{report['cycles']:,}", share, f"{ours['cycles']:,}")
    results.print(table)
