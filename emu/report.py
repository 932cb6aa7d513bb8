"""One HTML page about a simulation: no network, no scripts, plots as SVG inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from emu.plots import Activity, detail, overview, roofline_plot, stacks, utilization
from emu.roofline import Roofline
from emu.svg import short
from emu.timing import Timeline
from model.files import replacing

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1d2733; margin: 24px auto; max-width: 1120px;
  padding: 0 16px }
h1 { font-size: 22px; margin-bottom: 2px }
h2 { font-size: 16px; margin: 28px 0 6px }
p { margin: 4px 0 8px; color: #55606d }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 }
.card { border: 1px solid #d8dee6; border-radius: 6px; padding: 8px 14px }
.card b { font-size: 19px; display: block }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 6px 0 }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid #e4e8ee; vertical-align: top; text-align: left }
td.n, th.n { text-align: right }
svg { max-width: 100%; height: auto; font: 11px system-ui, sans-serif }
svg text { fill: #1d2733 } svg .unit { fill: #55606d } svg polyline { fill: none }
svg .axis { stroke: #55606d } svg .grid { stroke: #e4e8ee } svg .roof { stroke: #1d2733; stroke-width: 1.5 }
svg .dot { fill-opacity: .75; stroke: #fff; stroke-width: .6 }
details { margin: 10px 0 }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def write_report(report: Mapping[str, Any], timeline: Timeline, roofline: Roofline, path: Path) -> None:
    """Write the page of a simulation: `report` as `Report.to_dict` gives it."""
    page = render(report, timeline, roofline)
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def render(report: Mapping[str, Any], timeline: Timeline, roofline: Roofline) -> str:
    """The page as text."""
    model, machine = report["model"], report["machine"]
    height, width = model["image"]
    name = model["size"] or "model"
    title = f"{name} at {height} x {width} on {machine['name']}"
    shape = f"{machine['lanes']} x {machine['depth']} MACs at {machine['clock_mhz']} MHz"
    if machine.get("on_chip_bytes"):
        shape += f", {machine['on_chip_bytes'] / 2**20:.2f} MiB on chip"
    activities = activities_of(report["layers"], timeline)
    begin, end = window(timeline)
    parts = [
        f"<p>{escape(shape)}. {model['tokens']} tokens, {short(model['macs'])}MAC per image.</p>",
        _cards(report),
        _section("Timeline", "Share of time that each unit is busy, over the whole run, by kind of layer."),
        overview(activities, timeline.cycles),
        f"<p>In detail, from cycle {begin:,}: every instruction; its layer stands under the pointer.</p>",
        detail(activities, begin, end),
        _section("Units", "Busy and stalled cycles; a stall counts for the unit that was waited for."),
        stacks("Busy and stalled", _unit_bars(report["units"]), "cycles"),
        _section(
            "Layers",
            "Share of the array that a layer uses while its products run; 16-bit operands take two passes, "
            "so that mix reaches at most 50 % with 16-bit probabilities.",
        ),
        utilization(_array_layers(report["layers"])),
        kind_table(report["layers"], report["cycles"]),
        _section("Roofline", "Layers that multiply, under the bounds of the array and of the memory port."),
        roofline_plot(roofline),
        _section("Traffic", "Bits read and written per memory, in shares of the tensor classes."),
        stacks("Traffic", traffic_bars(report["traffic_by_class"]), "bits", share=True),
        _dram(report),
        _section("Energy", f"A table times counts; left out: {report['energy']['left_out']}."),
        stacks("Energy", {"energy": _largest(report["energy"]["uj"])}, "µJ"),
        _table(
            ("part", "count", "pJ", "per", "µJ", "source"),
            [
                (
                    row["name"],
                    short(row["count"]),
                    f"{row['pj']:.3g}",
                    row["unit"],
                    f"{report['energy']['uj'][row['name']]:.1f}",
                    row["source"],
                )
                for row in report["energy"]["table"]
            ],
        ),
        _section("Definitions", ""),
        _table(("key", "meaning"), list(report.get("definitions", {}).items())),
        _details(report["layers"]),
    ]
    return PAGE.format(title=escape(title), style=STYLE, body="\n".join(parts))


def activities_of(layers: Sequence[Mapping[str, Any]], timeline: Timeline) -> list[Activity]:
    """What every unit did, by kind of layer."""
    op = {layer["name"]: layer["op"] for layer in layers}
    kinds = tuple(dict.fromkeys(op.get(name, "other") for name in timeline.names)) or ("other",)
    of_label = np.array([kinds.index(op.get(name, "other")) for name in timeline.names], np.int64)
    found = []
    for unit in timeline.units:
        names = [timeline.names[label] for label in unit.label.tolist()]
        kind = of_label[unit.label] if len(unit.label) else np.zeros(0, np.int64)
        found.append(Activity(unit.unit.name.lower(), unit.start, unit.end, kind, kinds, names))
    return found


def window(timeline: Timeline, most: int = 300) -> tuple[int, int]:
    """A stretch of the longest segment, from its middle, short enough to show every instruction."""
    if not timeline.segments:
        return 0, max(timeline.cycles, 1)
    longest = max(timeline.segments, key=lambda span: span.end - span.start)
    middle = (longest.start + longest.end) // 2
    length = longest.end - longest.start
    while length > 64:
        count = sum(int(((u.end > middle) & (u.start < middle + length)).sum()) for u in timeline.units)
        if middle + length <= longest.end and count <= most:
            break
        length //= 2
    return middle, middle + max(length, 1)


def traffic_bars(by_class: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """ "LEVEL read" and "LEVEL write" by tensor class."""
    return {
        f"{level} {way}": {name: float(part[way]) for name, part in classes.items() if part[way]}
        for level, classes in by_class.items()
        for way in ("read", "write")
    }


def kind_table(layers: Sequence[Mapping[str, Any]], cycles: int) -> str:
    """Sums over all layers of one kind."""
    rows = [
        (kind, row["layers"], f"{row['busy']:,}", f"{row['busy'] / cycles:.1%}" if cycles else "",
         short(row["macs"]) if row["macs"] else "", f"{row['utilization']:.1%}" if row["macs"] else "",
         f"{row['dram_bytes']:,}")
        for kind, row in kinds_of(layers).items()
    ]  # fmt: skip
    head = ("kind", "layers", "busy cycles", "of the run", "MACs", "of the array", "DRAM bytes")
    return _table(head, rows)


def kinds_of(layers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per kind of layer: layers, busy cycles, macs, utilization of the array while busy, DRAM bytes."""
    kinds: dict[str, dict[str, Any]] = {}
    for layer in layers:
        row = kinds.setdefault(
            layer["op"], {"layers": 0, "busy": 0, "macs": 0, "peak": 0.0, "dram_bytes": 0}
        )
        row["layers"] += 1
        row["busy"] += layer["busy"]
        row["macs"] += layer["macs"]
        row["dram_bytes"] += (layer["dram_bits"]["read"] + layer["dram_bits"]["write"]) // 8
        if layer["busy_utilization"]:
            row["peak"] += layer["macs"] / layer["busy_utilization"]
    for row in kinds.values():
        peak = row.pop("peak")
        row["utilization"] = row["macs"] / peak if peak else 0.0
    return kinds


def _array_layers(layers: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**layer, "cycles": layer["busy"], "utilization": layer["busy_utilization"]} for layer in layers
    ]


def _unit_bars(units: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    return {
        name: {"busy": unit["busy"]} | {f"stalled: {cause}": n for cause, n in unit["stalls"].items()}
        for name, unit in units.items()
    }


def _largest(parts: Mapping[str, float], least: float = 0.005) -> dict[str, float]:
    """Parts of at least this share of the sum, and the others as one."""
    total = sum(parts.values())
    large = {name: value for name, value in parts.items() if value >= least * total}
    return large | {"others": total - sum(large.values())}


def _cards(report: Mapping[str, Any]) -> str:
    moved, fused = report["dram_bytes"]["moved"], report["dram_bytes"]["fused"]
    cards = {
        "cycles": f"{report['cycles']:,}",
        "latency": f"{report['latency_ms']:.2f} ms",
        "frames/s": f"{report['fps']:.1f}",
        "MAC utilization": f"{report['mac_utilization']:.1%}",
        "array busy with work": f"{report['array_utilization']:.1%}",
        "DRAM": f"{moved / 1e6:.1f} MB ({moved / fused:.2f} x fused)" if fused else f"{moved / 1e6:.1f} MB",
        "energy": f"{report['energy']['total_uj'] / 1e3:.2f} mJ",
    }
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b>{name}</div>' for name, value in cards.items()
    )
    return f'<div class="cards">{inside}</div>'


def _dram(report: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name} {value / 1e6:.2f} MB" for name, value in report["dram_bytes"].items())
    reasons = [
        f"{stack}: {reason}"
        for stack, found in report.get("short_of_memory", {}).items()
        for reason in found
    ]
    lines = [f"<p>DRAM: {text}.</p>"]
    if reasons:
        lines.append(f"<p>For lack of memory on chip: {escape('; '.join(reasons))}.</p>")
    if report["spills"]:
        rows = [
            (spill["tensor"], f"{spill['bytes']:,}", f"{spill['write'] // 8:,}", f"{spill['read'] // 8:,}")
            for spill in report["spills"]
        ]
        lines.append(_table(("spilled tensor", "bytes", "bytes written", "bytes read"), rows))
    else:
        lines.append("<p>No tensor is spilled.</p>")
    return "".join(lines)


def _details(layers: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (layer["name"], layer["op"], f"{layer['start']:,}", f"{layer['end']:,}", f"{layer['cycles']:,}",
         f"{layer['busy']:,}", f"{layer['macs']:,}", f"{layer['utilization']:.1%}")
        for layer in layers
    ]  # fmt: skip
    head = ("layer", "op", "start", "end", "cycles", "busy", "macs", "utilization")
    return f"<details><summary>All {len(layers)} layers</summary>{_table(head, rows)}</details>"


def _section(title: str, text: str) -> str:
    return f"<h2>{escape(title)}</h2>" + (f"<p>{escape(text)}</p>" if text else "")


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any, tag: str) -> str:
        text = str(value)
        number = ' class="n"' if text[:1].isdigit() else ""
        return f"<{tag}{number}>{escape(text)}</{tag}>"

    lines = ["".join(cell(value, "td") for value in row) for row in rows]
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<table><tr>{top}</tr>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
