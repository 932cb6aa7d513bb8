"""The plots of the report: timeline, roofline, utilization per layer, traffic, stalls."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emu.roofline import Roofline
from emu.svg import Svg, colours, short, ticks

WIDTH, LEFT, RIGHT = 1080.0, 110.0, 12.0
ROW, BINS = 34.0, 900
IDLE = "#eceff3"
KINDS = ("linear", "scores", "mix", "shiftmax", "layernorm", "gelu", "residual", "matmul", "pixels")
"""Layers with a colour of their own, the same in every plot."""


@dataclass(frozen=True)
class Activity:
    """What one unit did: start and end of every instruction in cycles, index into `kinds`, its name."""

    unit: str
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: tuple[str, ...]
    names: Sequence[str] = ()


def kind_colours(kinds: Sequence[str]) -> dict[str, str]:
    """A colour for each kind of layer; the rare ones are grey."""
    own = colours(list(KINDS))
    seen = set(kinds)
    common = {kind: own[kind] for kind in KINDS if kind in seen}
    return common | {kind: "#9aa5b1" for kind in dict.fromkeys(kinds) if kind not in own}


def _covered(start: NDArray[np.int64], end: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[Any]:
    """Cycles of the intervals inside each bin between two edges."""

    def before(points: NDArray[np.int64]) -> NDArray[Any]:
        points = np.sort(points)
        count = np.searchsorted(points, edges)
        sums = np.concatenate([[0.0], np.cumsum(points, dtype=np.float64)])
        return count * edges - sums[count]

    return np.diff(before(start) - before(end))


def overview(activities: Sequence[Activity], cycles: int) -> str:
    """The whole run: a row per unit, the share of time that it was busy, coloured by kind of layer."""
    kinds = list(dict.fromkeys(kind for activity in activities for kind in activity.kinds))
    paint = kind_colours(kinds)
    svg = Svg(WIDTH, 48 + ROW * len(activities) + 24, "Timeline")
    svg.legend(LEFT, 16, paint)
    edges = np.linspace(0, max(cycles, 1), BINS + 1)
    step = (WIDTH - LEFT - RIGHT) / BINS
    for row, activity in enumerate(activities):
        y = 30 + row * ROW
        height = ROW - 8
        svg.text(LEFT - 8, y + height / 2 + 4, activity.unit, "end")
        svg.rect(LEFT, y, WIDTH - LEFT - RIGHT, height, IDLE)
        base = np.zeros(BINS)
        for index, kind in enumerate(activity.kinds):
            chosen = activity.kind == index
            if not chosen.any():
                continue
            share = _covered(activity.start[chosen], activity.end[chosen], edges) / np.diff(edges)
            data = [
                f"M{LEFT + i * step:.2f} {y + height * (1 - base[i]):.2f}"
                f"h{step:.2f}v{-height * share[i]:.2f}h{-step:.2f}z"
                for i in np.flatnonzero(share > 1e-4)
            ]
            svg.path("".join(data), paint[kind])
            base += share
    _cycle_axis(svg, 0, cycles, 30 + ROW * len(activities))
    return svg.render()


def detail(activities: Sequence[Activity], start: int, end: int, limit: int = 1500) -> str:
    """Every instruction between two cycles, at most `limit` per unit; names under the pointer."""
    kinds = list(dict.fromkeys(kind for activity in activities for kind in activity.kinds))
    paint = kind_colours(kinds)
    svg = Svg(WIDTH, 24 + ROW * len(activities) + 24, "Timeline, detail")
    scale = (WIDTH - LEFT - RIGHT) / max(end - start, 1)
    for row, activity in enumerate(activities):
        y, height = 6 + row * ROW, ROW - 8
        svg.text(LEFT - 8, y + height / 2 + 4, activity.unit, "end")
        svg.rect(LEFT, y, WIDTH - LEFT - RIGHT, height, IDLE)
        inside = np.flatnonzero((activity.end > start) & (activity.start < end))[:limit]
        for i in inside:
            a, b = max(int(activity.start[i]), start), min(int(activity.end[i]), end)
            kind = activity.kinds[int(activity.kind[i])]
            name = activity.names[int(i)] if len(activity.names) else kind
            tip = f"{name}: {int(activity.start[i])} to {int(activity.end[i])}"
            edge = "#ffffff" if (b - a) * scale > 3 else ""
            svg.rect(LEFT + (a - start) * scale, y, (b - a) * scale, height, paint[kind], tip, edge)
    _cycle_axis(svg, start, end, 6 + ROW * len(activities))
    return svg.render()


def _cycle_axis(svg: Svg, start: int, end: int, y: float) -> None:
    scale = (WIDTH - LEFT - RIGHT) / max(end - start, 1)
    for tick in ticks(end - start, 8):
        svg.line([(LEFT + tick * scale, y), (LEFT + tick * scale, y + 5)])
        svg.text(
            LEFT + tick * scale, y + 17, short(start + tick) if start == 0 else f"+{short(tick)}", "middle"
        )
    svg.text(LEFT - 8, y + 17, "cycles", "end", "unit")


def roofline_plot(roofline: Roofline) -> str:
    """MACs per cycle over MACs per DRAM byte, both logarithmic, one dot per layer."""
    height, bottom = 420.0, 380.0
    svg = Svg(WIDTH, height, "Roofline")
    finite = [p.intensity for p in roofline.points if math.isfinite(p.intensity)]
    low = min([roofline.ridge / 8, *finite]) / 1.5
    high = max([roofline.ridge * 8, *finite]) * 1.5
    top = roofline.peak * 1.6
    least = min([roofline.roof(low), *(p.achieved for p in roofline.points)]) / 1.5

    def x(value: float) -> float:
        share = math.log(min(max(value, low), high) / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - 60)

    def y(value: float) -> float:
        return bottom - math.log(value / least) / math.log(top / least) * (bottom - 30)

    for power in range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1):
        if power % 2 == 0 and low <= 2.0**power <= high:
            svg.line([(x(2.0**power), 30), (x(2.0**power), bottom)], "grid")
            svg.text(x(2.0**power), bottom + 16, short(2.0**power), "middle")
    for power in range(math.floor(math.log2(least)), math.ceil(math.log2(top)) + 1):
        if least <= 2.0**power <= top:
            svg.line([(LEFT, y(2.0**power)), (WIDTH - 60, y(2.0**power))], "grid")
            svg.text(LEFT - 8, y(2.0**power) + 4, f"{2.0**power:g}", "end")
    svg.line([(x(v), y(roofline.roof(v))) for v in (low, roofline.ridge, high)], "roof")
    paint = kind_colours([point.op for point in roofline.points])
    for point in roofline.points:
        moved = f"{point.intensity:.4g} MAC/byte" if math.isfinite(point.intensity) else "nothing moved"
        tip = f"{point.name} ({point.op}): {point.achieved:.1f} of {point.roof:.1f} MAC/cycle, {moved}"
        place = WIDTH - 40 if math.isinf(point.intensity) else x(point.intensity)
        svg.circle(place, y(point.achieved), 4, paint[point.op], tip)
    if len(finite) < len(roofline.points):
        svg.text(WIDTH - 40, bottom + 30, "no DRAM", "middle")
    svg.legend(LEFT, 16, paint)
    svg.text((LEFT + WIDTH) / 2, height - 6, "MACs per DRAM byte of the busier direction", "middle", "unit")
    svg.text(LEFT, 28, "MACs per cycle", "end", "unit")
    return svg.render()


def utilization(layers: Sequence[Mapping[str, Any]]) -> str:
    """A column per layer that multiplies: as wide as its cycles, as high as its share of the array."""
    layers = [layer for layer in layers if layer["macs"] and layer["cycles"]]
    svg = Svg(WIDTH, 300, "Utilization of the array per layer")
    bottom, span = 262.0, WIDTH - LEFT - RIGHT
    total = sum(layer["cycles"] for layer in layers) or 1
    paint = kind_colours([layer["op"] for layer in layers])
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * 225
        svg.line([(LEFT, y), (WIDTH - RIGHT, y)], "grid")
        svg.text(LEFT - 8, y + 4, f"{share:.0%}", "end")
    x = LEFT
    for layer in layers:
        width = layer["cycles"] / total * span
        high = layer["utilization"] * 225
        tip = f"{layer['name']} ({layer['op']}): {layer['utilization']:.1%} in {layer['cycles']} cycles"
        svg.rect(x, bottom - high, max(width - 0.4, 0.2), high, paint[layer["op"]], tip)
        x += width
    svg.legend(LEFT, 16, paint)
    svg.text(
        LEFT,
        bottom + 20,
        "layers in the order of execution, as wide as the cycles of the array",
        kind="unit",
    )
    return svg.render()


def stacks(title: str, rows: Mapping[str, Mapping[str, float]], unit: str, *, share: bool = False) -> str:
    """Horizontal bars of parts: rows[bar][part]; each bar in percent of itself when `share`."""
    parts = list(dict.fromkeys(part for bar in rows.values() for part in bar if bar[part] > 0))
    paint = colours(parts)
    svg = Svg(WIDTH, 34 + 26 * len(rows), title)
    svg.legend(LEFT + 40, 16, paint)
    left, span = LEFT + 40, WIDTH - LEFT - 40 - 90
    top = max((sum(bar.values()) for bar in rows.values()), default=1) or 1
    for row, (name, bar) in enumerate(rows.items()):
        y, total = 28 + 26 * row, sum(bar.values())
        scale = span / ((total or 1) if share else top)
        svg.text(left - 8, y + 14, name, "end")
        x = left
        for part, value in bar.items():
            if value <= 0:
                continue
            tip = f"{name}, {part}: {short(value)} {unit} ({value / total:.1%})"
            svg.rect(x, y, value * scale, 20, paint[part], tip)
            x += value * scale
        svg.text(x + 6, y + 14, f"{short(total)} {unit}")
    return svg.render()
