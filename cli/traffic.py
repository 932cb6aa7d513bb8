"""`intarsia traffic`: bits read and written: the paper's metric, lower bounds, and on a machine."""

from typing import Annotated, Any

import typer
from rich.table import Table

from intarsia.cli.output import Json, emit_json, progress, results

DEFINITIONS = {
    "table7_units": "operand_bytes / 1e11: the number in Table 7 of the I-Segmenter paper",
    "operand_bytes": "sum over matrix products of (MACs * bits of both operands + outputs * 32) / 8, no "
    "reuse counted; fp32: 32 + 32 bits; int8: 8 + 8, but 32 + 32 for P*V like the paper's runtime",
    "design": "the same metric with the integer types of this design: 8 + 8 bits, 16 + 8 for P*V",
    "compulsory_bytes": "every tensor of the graph, image, labels and constants moved once",
    "fused_bytes": "image, labels and constants once: every tensor stays on chip",
    "machine": "bits read from and written to each memory by the instructions of the compiled program",
    "classes": "the same by tensor class; what moves to or from DRAM has the class of its place there",
}


def traffic(
    size: Annotated[str, typer.Option(help="tiny, small, base, large or all.")] = "all",
    precision: Annotated[str, typer.Option(help="int8 or fp32: which row of Table 7.")] = "int8",
    machine: Annotated[
        str, typer.Option(help="edge, mobile, server or a file.", metavar="PRESET|FILE.toml")
    ] = "mobile",
    json: Json = False,
) -> None:
    """Count bits read and written at 512 x 512: Table 7 of the paper, lower bounds, every memory.

    Example: intarsia traffic --size all --precision fp32
    """
    from intarsia.arch.machine import Machine
    from intarsia.emu.metric import TABLE7_UNIT, compulsory_bytes, fused_bytes, macs, table7
    from intarsia.emu.simulation import network, simulate_graph
    from intarsia.model.errors import InputError
    from intarsia.model.networks.segmenter.config import PAPER_SIZES

    if size not in (*PAPER_SIZES, "all"):
        raise InputError(f"--size must be one of {', '.join(PAPER_SIZES)}, all, not {size!r}")
    if precision not in ("int8", "fp32"):
        raise InputError(f"--precision must be int8 or fp32, not {precision!r}")
    description = Machine.load(machine)
    sizes: dict[str, dict[str, Any]] = {}
    with progress(json=json) as bar:
        for name in bar.track(PAPER_SIZES if size == "all" else (size,), description="counting"):
            graph = network(name)
            found = simulate_graph(graph, description, name)
            operands, design = table7(graph, precision), table7(graph, "design")
            sizes[name] = {
                "table7_units": operands / TABLE7_UNIT,
                "macs": macs(graph),
                "operand_bytes": operands,
                "design": {"table7_units": design / TABLE7_UNIT, "operand_bytes": design},
                "compulsory_bytes": compulsory_bytes(graph),
                "fused_bytes": fused_bytes(graph),
                "machine": found.traffic,
                "classes": found.traffic_by_class,
                "spills": found.spills,
            }
    if json:
        about = {"name": description.name, "on_chip_bytes": description.on_chip_bytes}
        emit_json({"precision": precision, "machine": about, "sizes": sizes, "definitions": DEFINITIONS})
        return
    _print(sizes, precision, description.name)


def _print(sizes: dict[str, dict[str, Any]], precision: str, machine: str) -> None:
    table = Table(
        "size", "Table 7", "this design", "MACs", "operand bytes", title=f"Metric of Table 7, {precision}"
    )
    for name, row in sizes.items():
        design = f"{row['design']['table7_units']:.2f}"
        counts = (f"{row[key]:,}" for key in ("macs", "operand_bytes"))
        table.add_row(name, f"{row['table7_units']:.2f}", design, *counts)
    results.print(table)
    table = Table("size", "fused", "moved", "of fused", "compulsory", title=f"DRAM bytes, {machine}")
    for name, row in sizes.items():
        moved = sum(row["machine"]["dram"].values()) // 8
        fused, compulsory = row["fused_bytes"], row["compulsory_bytes"]
        table.add_row(name, f"{fused:,}", f"{moved:,}", f"{moved / fused:.2f}", f"{compulsory:,}")
    results.print(table)
    for name, row in sizes.items():
        table = Table("memory", "class", "bits read", "bits written", title=f"{name} on {machine}")
        for level, classes in row["classes"].items():
            for kind, both in classes.items():
                table.add_row(level, kind, f"{both['read']:,}", f"{both['write']:,}")
            total = row["machine"][level]
            table.add_row(level, "all", f"{total['read']:,}", f"{total['write']:,}", end_section=True)
        results.print(table)
    for key, meaning in DEFINITIONS.items():
        results.print(f"{key}: {meaning}")
