"""One HTML page about a simulation: no network, no scripts, plots as SVG inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from intarsia.arch.timeline import Timeline
from intarsia.emu.charts import bars, roofline_plot, stacks, utilization
from intarsia.emu.energy import SOURCE
from intarsia.emu.html import cards, page, plot, section, table
from intarsia.emu.next_step import sentence
from intarsia.emu.plots import Activity, Strip, detail, kind_colours, overview, strips
from intarsia.emu.roofline import Roofline
from intarsia.emu.svg import short
from intarsia.model.files import replacing

NO_WORK = "#c9d0d8"
"""Idle time: of no unit, and paler than all causes."""


def write_report(report: Mapping[str, Any], timeline: Timeline, roofline: Roofline, path: Path) -> None:
    """Write the page of a simulation: `report` is `Report.to_dict` with `over_time` and `more_memory`."""
    text = render(report, timeline, roofline)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def render(report: Mapping[str, Any], timeline: Timeline, roofline: Roofline) -> str:
    """The page as text."""
    model, machine = report["model"], report["machine"]
    height, width = model["image"]
    title = f"{model['size'] or 'model'} at {height} x {width} on {machine['name']}"
    shape = f"{machine['lanes']} x {machine['depth']} MACs at {machine['clock_mhz']} MHz"
    shape += f", {machine['on_chip_bytes'] / 2**20:.2f} MiB on chip"
    activities = activities_of(report["layers"], timeline)
    paint = kind_colours([layer["op"] for layer in report["layers"]] + list(activities[0].kinds))
    begin, end = window(timeline)
    array = [{**x, "cycles": x["busy"], "utilization": x["busy_utilization"]} for x in report["layers"]]
    units = unit_bars(report["units"])
    energy = {name: uj / 1000 for name, uj in report["energy"]["uj"].items()}
    parts = [
        f"<p>{escape(shape)}. {model['tokens']} tokens, {short(model['macs'])}MAC per image.</p>",
        cards(_cards(report)),
        section("Timeline", "Share of time that each unit is busy, over the whole run, by kind of layer."),
        plot(lambda sheet: overview(activities, timeline.cycles, paint, sheet)),
        f"<p>In detail, from cycle {begin:,}: every instruction; its layer stands under the pointer.</p>",
        plot(lambda sheet: detail(activities, begin, end, paint, sheet)),
        section(
            "DRAM and scratchpad over time",
            "Means over bins of time. The line on top is the limit: what the memory port moves per cycle "
            "and direction, the size of the scratchpad. Live bytes were written and will still be read.",
        ),
        plot(lambda sheet: strips("Over time", _strips(report["over_time"]), timeline.cycles, sheet)),
        section(
            "Units",
            "Idle: no work, before the unit's first and behind its last instruction of a block of the "
            "network. Stalled: waiting in between, by the unit that was waited for.",
        ),
        plot(lambda sheet: stacks("Units", units, "cycles", {"idle": NO_WORK}, sheet)),
        _unit_table(report["units"], report["cycles"]),
        section(
            "Layers",
            "Share of the array that a layer uses while its products run; 16-bit operands take two passes, "
            "so that mix reaches at most 50 % with 16-bit probabilities.",
        ),
        plot(lambda sheet: utilization(array, paint, sheet)),
        kind_table(report["layers"], report["cycles"]),
        section("Roofline", "Layers that multiply, under the bounds of the array and of the memory port."),
        plot(lambda sheet: roofline_plot(roofline, paint, sheet)),
        section(
            "Traffic",
            "Bits read and written per memory and class of tensors. One scale for all bars, logarithmic: "
            "every line is ten times the one before it, or more where there is little room.",
        ),
        plot(lambda sheet: bars("Traffic", traffic_bars(report["traffic_by_class"]), "bits", sheet)),
        _dram(report),
        section(
            "Energy",
            f"In mJ: counts times a table that follows {SOURCE}; left out: {report['energy']['left_out']}.",
        ),
        plot(lambda sheet: stacks("Energy", {"energy": _largest(energy)}, "mJ", sheet=sheet)),
        _energy_table(report["energy"]["table"], energy),
        section("Machine", "Its description, and what follows from it."),
        table(("key", "value"), _machine(machine)),
        section("Definitions"),
        table(("key", "meaning"), list(report["definitions"].items())),
        _details(report["layers"]),
    ]
    return page(title, parts)


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


def unit_bars(units: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Per unit: busy cycles, those of stalls in mid-work by cause, idle ones. They add up to the run."""
    return {
        name: {"busy": unit["busy"]}
        | {
            "issuing waits" if cause == "wait" else f"stalled: {cause}": cycles
            for cause, cycles in unit["mid_work_causes"].items()
        }
        | {"idle": unit["idle"]}
        for name, unit in units.items()
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
    return table(head, rows)


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


def largest_causes(causes: Mapping[str, int], cycles: int, most: int = 3) -> str:
    """The causes that take most of a run, with their shares."""
    largest = sorted(causes.items(), key=lambda item: -item[1])[:most]
    return ", ".join(f"{cause} {count / cycles:.1%}" for cause, count in largest if count >= cycles / 2000)


def _unit_table(units: Mapping[str, Mapping[str, Any]], cycles: int) -> str:
    rows = [
        (name, *(f"{unit[key] / cycles:.1%}" for key in ("busy", "mid_work", "idle")),
         largest_causes(unit["mid_work_causes"], cycles), largest_causes(unit["idle_causes"], cycles))
        for name, unit in units.items()
    ]  # fmt: skip
    return table(("unit", "busy", "stalled", "idle", "stalled for", "idle until"), rows)


def _strips(over_time: Mapping[str, Any]) -> list[Strip]:
    read, written, live = (
        np.array(over_time[key], np.float64)
        for key in ("dram_read_bytes", "dram_write_bytes", "scratchpad_live_bytes")
    )
    # The last bin may be shorter: its bytes over a whole bin would look like fewer.
    cycles = np.full(len(read), float(over_time["bin_cycles"]))
    cycles[-1] = over_time["cycles"] - (len(read) - 1) * over_time["bin_cycles"]
    port, size = over_time["port_bytes_per_cycle"], over_time["scratchpad_bytes"]
    mean = [float(moved.sum() / cycles.sum()) for moved in (read, written)]
    peak = over_time["scratchpad_peak_bytes"]
    words = f"bytes, at most {short(peak)} ({peak / size:.0%} of it)"
    return [
        Strip("DRAM read", read / cycles, port, f"bytes per cycle, {mean[0]:.3g} in the mean"),
        Strip("DRAM write", written / cycles, port, f"bytes per cycle, {mean[1]:.3g} in the mean"),
        Strip("scratchpad live", live, size, words),
    ]


def _largest(parts: Mapping[str, float], least: float = 0.005) -> dict[str, float]:
    """Parts of at least this share of the sum, and the others as one."""
    total = sum(parts.values())
    large = {name: value for name, value in parts.items() if value >= least * total}
    return large | {"others": total - sum(large.values())}


def _cards(report: Mapping[str, Any]) -> dict[str, str]:
    moved, fused = report["dram_bytes"]["moved"], report["dram_bytes"]["fused"]
    return {
        "cycles": f"{report['cycles']:,}",
        "latency": f"{report['latency_ms']:.2f} ms",
        "frames/s": f"{report['fps']:.1f}",
        "MAC utilization": f"{report['mac_utilization']:.1%}",
        "array busy with work": f"{report['array_utilization']:.1%}",
        "DRAM": f"{moved / 1e6:.1f} MB ({moved / fused:.2f} x fused)" if fused else f"{moved / 1e6:.1f} MB",
        "energy": f"{report['energy']['total_uj'] / 1e3:.2f} mJ",
    }


def _energy_table(entries: Sequence[Mapping[str, Any]], mj: Mapping[str, float]) -> str:
    rows = [
        (row["name"], short(row["count"]), f"{row['pj']:.3g}", row["unit"], f"{mj[row['name']]:.4f}",
         row["source"].removeprefix(f"{SOURCE}: "))
        for row in entries
    ]  # fmt: skip
    return table(("part", "count", "pJ", "per", "mJ", "from"), rows)


def _machine(machine: Mapping[str, Any]) -> list[tuple[str, str]]:
    def text(value: Any) -> str:
        return (
            f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else value
        )

    return [(key, text(value)) for key, value in {**machine["parameters"], **machine["derived"]}.items()]


def _dram(report: Mapping[str, Any]) -> str:
    text = ", ".join(f"{name} {value / 1e6:.2f} MB" for name, value in report["dram_bytes"].items())
    reasons = [
        f"{stack}: {reason}" for stack, found in report["short_of_memory"].items() for reason in found
    ]
    lines = [f"<p>DRAM: {text}.</p>"]
    if reasons:
        lines.append(f"<p>For lack of memory on chip: {escape('; '.join(reasons))}.</p>")
    if report["more_memory"]:
        steps = "".join(f"<li>{escape(sentence(step))}.</li>" for step in report["more_memory"])
        lines.append(f"<p>With more memory, each key alone:</p><ul>{steps}</ul>")
    if report["spills"]:
        rows = [
            (spill["tensor"], f"{spill['bytes']:,}", f"{spill['write'] // 8:,}", f"{spill['read'] // 8:,}")
            for spill in report["spills"]
        ]
        lines.append(table(("spilled tensor", "bytes", "bytes written", "bytes read"), rows))
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
    return f"<details><summary>All {len(layers)} layers</summary>{table(head, rows)}</details>"
