"""The plots of the report over time: what units did, DRAM bandwidth, live bytes of the scratchpad."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.emu.svg import LETTER, WIDE, Sheet, Svg, colours, short, ticks

ROW = 34.0
IDLE = "#eceff3"
"""Behind units that do nothing."""
KINDS = (
    "linear", "scores", "mix", "shiftmax", "layernorm", "gelu", "residual", "matmul", "pixels", "prepend",
    "append", "argmax",
)  # fmt: skip
"""Layers that keep their colour, whatever else a network has."""


@dataclass(frozen=True)
class Activity:
    """What one unit did: start and end of every instruction in cycles, index into `kinds`, its name."""

    unit: str
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    kind: NDArray[np.int64]
    kinds: tuple[str, ...]
    names: Sequence[str] = ()


@dataclass(frozen=True)
class Strip:
    """A quantity over time: `values` per bin, drawn from 0 to `top`; `peak` and its unit in words."""

    name: str
    values: NDArray[np.float64]
    top: float
    words: str


def kind_colours(kinds: Iterable[str]) -> dict[str, str]:
    """A colour for each kind of layer, no two alike."""
    wanted = set(kinds)
    known = colours(KINDS)
    others = colours(sorted(wanted - set(KINDS)), known.values())
    return {kind: colour for kind, colour in {**known, **others}.items() if kind in wanted}


def used_colours(kinds: Iterable[str], paint: Mapping[str, str]) -> dict[str, str]:
    """The entries of a legend: those of `paint` that occur, in its order."""
    seen = set(kinds)
    return {kind: colour for kind, colour in paint.items() if kind in seen}


def _covered(start: NDArray[np.int64], end: NDArray[np.int64], edges: NDArray[np.float64]) -> NDArray[Any]:
    """Cycles of the intervals inside each bin between two edges."""

    def before(points: NDArray[np.int64]) -> NDArray[Any]:
        points = np.sort(points)
        count = np.searchsorted(points, edges)
        sums = np.concatenate([[0.0], np.cumsum(points, dtype=np.float64)])
        return count * edges - sums[count]

    return np.diff(before(start) - before(end))


def overview(
    activities: Sequence[Activity], cycles: int, paint: Mapping[str, str] | None = None, sheet: Sheet = WIDE
) -> str:
    """The whole run: a row per unit, the share of time that it was busy, coloured by kind of layer."""
    kinds = [a.kinds[i] for a in activities for i in np.unique(a.kind).tolist()]
    paint = used_colours(kinds, kind_colours(kinds) if paint is None else paint)
    svg = Svg(sheet.width, 0, "Timeline")
    top = svg.legend(paint)
    bins = int(sheet.span)
    edges = np.linspace(0, max(cycles, 1), bins + 1)
    step = sheet.span / bins
    for row, activity in enumerate(activities):
        y = top + row * ROW
        height = ROW - 8
        svg.text(sheet.left - 8, y + height / 2 + 4, activity.unit, "end")
        svg.rect(sheet.left, y, sheet.span, height, IDLE)
        base = np.zeros(bins)
        for index, kind in enumerate(activity.kinds):
            chosen = activity.kind == index
            if not chosen.any():
                continue
            share = _covered(activity.start[chosen], activity.end[chosen], edges) / np.diff(edges)
            data = [
                f"M{sheet.left + i * step:.1f} {y + height * (1 - base[i]):.1f}"
                f"h{step:.2f}v{-height * share[i]:.2f}h{-step:.2f}z"
                for i in np.flatnonzero(share > 1e-3)
            ]
            svg.path("".join(data), paint[kind])
            base += share
    svg.height = top + ROW * len(activities) + 24
    _cycle_axis(svg, sheet, 0, cycles, svg.height - 24)
    return svg.render()


def detail(
    activities: Sequence[Activity],
    start: int,
    end: int,
    paint: Mapping[str, str] | None = None,
    sheet: Sheet = WIDE,
    limit: int = 1500,
) -> str:
    """Every instruction between two cycles, at most `limit` per unit; names under the pointer."""
    inside = [np.flatnonzero((a.end > start) & (a.start < end))[:limit] for a in activities]
    shown = [
        a.kinds[i]
        for a, rows in zip(activities, inside, strict=True)
        for i in np.unique(a.kind[rows]).tolist()
    ]
    paint = used_colours(shown, kind_colours(shown) if paint is None else paint)
    svg = Svg(sheet.width, 0, "Timeline, detail")
    top = svg.legend(paint)
    scale = sheet.span / max(end - start, 1)
    for row, (activity, rows) in enumerate(zip(activities, inside, strict=True)):
        y, height = top + row * ROW, ROW - 8
        svg.text(sheet.left - 8, y + height / 2 + 4, activity.unit, "end")
        svg.rect(sheet.left, y, sheet.span, height, IDLE)
        for i in rows:
            a, b = max(int(activity.start[i]), start), min(int(activity.end[i]), end)
            kind = activity.kinds[int(activity.kind[i])]
            name = activity.names[int(i)] if len(activity.names) else kind
            tip = f"{name}: {int(activity.start[i])} to {int(activity.end[i])}"
            edge = "#ffffff" if (b - a) * scale > 3 else ""
            svg.rect(sheet.left + (a - start) * scale, y, (b - a) * scale, height, paint[kind], tip, edge)
    svg.height = top + ROW * len(activities) + 24
    _cycle_axis(svg, sheet, start, end, svg.height - 24)
    return svg.render()


def strips(title: str, rows: Sequence[Strip], cycles: int, sheet: Sheet = WIDE) -> str:
    """Quantities over the whole run, one above the other; the line on top of each is its limit."""
    high, gap = 70.0, 26.0
    svg = Svg(sheet.width, (high + gap) * len(rows) + 24, title)
    paint = colours([strip.name for strip in rows])
    for row, strip in enumerate(rows):
        y = row * (high + gap) + gap - 6
        words = f"{strip.name}: {strip.words}"
        svg.text(max(2, min(sheet.left, sheet.width - LETTER * len(words))), y - 6, words)
        svg.rect(sheet.left, y, sheet.span, high, IDLE)
        step = sheet.span / max(len(strip.values), 1)
        scale = high / (strip.top or 1)
        data = "".join(
            f"V{y + high - min(value * scale, high):.1f}h{step:.3f}" for value in strip.values.tolist()
        )
        svg.path(f"M{sheet.left:.1f} {y + high:.1f}{data}V{y + high:.1f}z", paint[strip.name])
        svg.line([(sheet.left, y), (sheet.left + sheet.span, y)])
        svg.text(sheet.left - 8, y + 8, short(strip.top), "end")
        svg.text(sheet.left - 8, y + high, "0", "end")
    _cycle_axis(svg, sheet, 0, cycles, svg.height - 24)
    return svg.render()


def _cycle_axis(svg: Svg, sheet: Sheet, start: int, end: int, y: float) -> None:
    scale = sheet.span / max(end - start, 1)
    for tick in ticks(end - start, max(4, int(sheet.span // 110))):
        x = sheet.left + tick * scale
        text = short(start + tick) if start == 0 else f"+{short(tick)}"
        svg.line([(x, y), (x, y + 5)])
        svg.text(x, y + 17, text, "end" if x > svg.width - 3 * len(text) else "middle")
    svg.text(sheet.left - 24, y + 17, "cycles", "end", "unit")
