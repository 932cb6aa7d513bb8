"""The charts of the report without an axis of time: roofline, utilization, traffic, units, energy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from intarsia.emu.plots import kind_colours, used_colours
from intarsia.emu.roofline import Roofline
from intarsia.emu.svg import LETTER, WIDE, Sheet, Svg, colours, short


def roofline_plot(roofline: Roofline, paint: Mapping[str, str] | None = None, sheet: Sheet = WIDE) -> str:
    """MACs per cycle over MACs per DRAM byte, both logarithmic, one dot per layer."""
    svg = Svg(sheet.width, 0, "Roofline")
    kinds = [point.op for point in roofline.points]
    paint = used_colours(kinds, kind_colours(kinds) if paint is None else paint)
    first = svg.legend(paint) + 22
    right, bottom = sheet.width - 50, first + max(0.33 * sheet.width, 220)
    left = min(sheet.left, 70)
    finite = [p.intensity for p in roofline.points if math.isfinite(p.intensity)]
    low = min([roofline.ridge / 8, *finite]) / 1.5
    high = max([roofline.ridge * 8, *finite]) * 1.5
    top = roofline.peak * 1.6
    least = min([roofline.roof(low), *(p.achieved for p in roofline.points)]) / 1.5

    def x(value: float) -> float:
        share = math.log(min(max(value, low), high) / low) / math.log(high / low)
        return left + share * (right - left)

    def y(value: float) -> float:
        return bottom - math.log(value / least) / math.log(top / least) * (bottom - first)

    powers = [2.0**p for p in range(math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1)]
    powers = [power for power in powers if low <= power <= high]
    # As many labels as have room.
    every = max(2, math.ceil(len(powers) * 5.5 * LETTER / (right - left)))
    for power in powers:
        if int(math.log2(power)) % every == 0:
            svg.line([(x(power), first), (x(power), bottom)], "grid")
            svg.text(x(power), bottom + 16, short(power), "middle")
    powers = [2.0**p for p in range(math.floor(math.log2(least)), math.ceil(math.log2(top)) + 1)]
    powers = [power for power in powers if least <= power <= top]
    every = max(1, math.ceil(len(powers) * 16 / (bottom - first)))
    for power in powers:
        if int(math.log2(power)) % every == 0:
            svg.line([(left, y(power)), (right, y(power))], "grid")
            svg.text(left - 8, y(power) + 4, f"{power:g}", "end")
    svg.line([(x(v), y(roofline.roof(v))) for v in (low, roofline.ridge, high)], "roof")
    for point in roofline.points:
        moved = f"{point.intensity:.4g} MAC/byte" if math.isfinite(point.intensity) else "nothing moved"
        tip = f"{point.name} ({point.op}): {point.achieved:.1f} of {point.roof:.1f} MAC/cycle, {moved}"
        place = sheet.width - 26 if math.isinf(point.intensity) else x(point.intensity)
        svg.circle(place, y(point.achieved), 4, paint[point.op], tip)
    if len(finite) < len(roofline.points):
        svg.text(sheet.width - 1, bottom + 16, "no DRAM", "end")
    svg.text(
        (left + right) / 2, bottom + 34, "MACs per DRAM byte of the busier direction", "middle", "unit"
    )
    svg.text(2, first - 8, "MACs per cycle", kind="unit")
    svg.height = bottom + 42
    return svg.render()


def utilization(
    layers: Sequence[Mapping[str, Any]], paint: Mapping[str, str] | None = None, sheet: Sheet = WIDE
) -> str:
    """A column per layer that multiplies: as wide as its cycles, as high as its share of the array."""
    layers = [layer for layer in layers if layer["macs"] and layer["cycles"]]
    kinds = [layer["op"] for layer in layers]
    paint = used_colours(kinds, kind_colours(kinds) if paint is None else paint)
    svg = Svg(sheet.width, 0, "Utilization of the array per layer")
    high, left = 190.0, 44.0
    bottom, span = svg.legend(paint) + 8 + high, sheet.width - left - sheet.right
    total = sum(layer["cycles"] for layer in layers) or 1
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * high
        svg.line([(left, y), (left + span, y)], "grid")
        svg.text(left - 8, y + 4, f"{share:.0%}", "end")
    x = left
    for layer in layers:
        width = layer["cycles"] / total * span
        tip = f"{layer['name']} ({layer['op']}): {layer['utilization']:.1%} in {layer['cycles']} cycles"
        part = layer["utilization"] * high
        svg.rect(x, bottom - part, max(width - 0.4, 0.2), part, paint[layer["op"]], tip)
        x += width
    svg.text(left, bottom + 20, "in order, as wide as their cycles of the array", kind="unit")
    svg.height = bottom + 28
    return svg.render()


def bars(title: str, rows: Mapping[str, Mapping[str, float]], unit: str, sheet: Sheet = WIDE) -> str:
    """rows[label][part]: a bar per part, all on one logarithmic scale whose lines are powers of ten."""
    parts = list(dict.fromkeys(part for row in rows.values() for part in row if row[part] > 0))
    values = [value for row in rows.values() for value in row.values() if value > 0]
    paint = colours(parts)
    svg = Svg(sheet.width, 0, title)
    top = svg.legend(paint) + 18
    low = math.floor(math.log10(min(values, default=1)) - 1e-9)
    decades = max(math.ceil(math.log10(max(values, default=1))) - low, 1)
    left = max([LETTER * len(name) + 10 for name in rows], default=0.0)
    span = sheet.width - left - 60
    height = sum(max(sum(value > 0 for value in row.values()), 1) * 13 + 8 for row in rows.values())
    every = max(1, math.ceil(decades * 7 * LETTER / span))
    for power in range(0, decades + 1, every):
        x = left + power / decades * span
        svg.line([(x, top), (x, top + height)], "grid")
        svg.text(x, top - 5, f"{short(10.0 ** (low + power))}", "middle")
    svg.text(sheet.width - 1, top - 5, unit, "end", "unit")
    y = top + 4
    for name, row in rows.items():
        mine = {part: value for part, value in row.items() if value > 0}
        svg.text(left - 8, y + 6.5 * max(len(mine), 1) + 4, name, "end")
        for part, value in mine.items():
            length = (math.log10(value) - low) / decades * span
            svg.rect(left, y, length, 11, paint[part], f"{name}, {part}: {value:,.0f} {unit}")
            svg.text(left + length + 5, y + 10, short(value))
            y += 13
        if not mine:
            svg.text(left + 5, y + 10, "0")
            y += 13
        y += 8
    svg.height = top + height + 6
    return svg.render()


def stacks(
    title: str,
    rows: Mapping[str, Mapping[str, float]],
    unit: str,
    fixed: Mapping[str, str] | None = None,
    sheet: Sheet = WIDE,
) -> str:
    """Horizontal bars of parts: rows[bar][part], on one scale; fixed: colours of some parts."""
    parts = list(dict.fromkeys(part for bar in rows.values() for part in bar if bar[part] > 0))
    fixed = {part: colour for part, colour in (fixed or {}).items() if part in parts}
    paint = fixed | colours([part for part in parts if part not in fixed], fixed.values())
    svg = Svg(sheet.width, 0, title)
    top_y = svg.legend({part: paint[part] for part in [*(p for p in parts if p not in fixed), *fixed]})
    left, span = sheet.left, sheet.span - 76
    top = max((sum(bar.values()) for bar in rows.values()), default=1) or 1
    for row, (name, bar) in enumerate(rows.items()):
        y, total = top_y + 4 + 26 * row, sum(bar.values())
        svg.text(left - 8, y + 14, name, "end")
        x = left
        for part, value in bar.items():
            if value <= 0:
                continue
            tip = f"{name}, {part}: {short(value)} {unit} ({value / total:.1%})"
            svg.rect(x, y, value * span / top, 20, paint[part], tip)
            x += value * span / top
        svg.text(x + 6, y + 14, f"{short(total)} {unit}")
    svg.height = top_y + 4 + 26 * len(rows)
    return svg.render()
