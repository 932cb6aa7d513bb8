"""Plots as text: just enough SVG for the report, which must work without a network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape

from intarsia.model.colours import distinct, hexadecimal

FONT = 11
LETTER = 6.3
"""Mean width of a letter at this size: SVG cannot measure text."""
PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#dd8452", "#8a6d55",
    "#1d1d8c", "#8edb3a", "#c77dff", "#00b894", "#b00000", "#ffb3d9", "#5a4500",
)  # fmt: skip
"""Told apart by most people with colour-vision deficiencies, at least in the first six."""


@dataclass(frozen=True)
class Sheet:
    """Pixels of a plot: its width, and what is left free beside the plot itself for labels."""

    width: float
    left: float
    right: float

    @property
    def span(self) -> float:
        """Width of the plot itself."""
        return self.width - self.left - self.right


WIDE = Sheet(1080, 110, 16)
NARROW = Sheet(360, 80, 16)
"""For a phone: letters keep their size, the plot does not."""


class Svg:
    """A drawing on a sheet, filled from the back to the front; `height` may be set until it is rendered."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self.width, self.height, self.title = width, height, title
        self._parts: list[str] = []

    def rect(
        self, x: float, y: float, width: float, height: float, fill: str, tip: str = "", stroke: str = ""
    ) -> None:
        """A filled rectangle; `tip` shows under the pointer."""
        body = f"<title>{escape(tip)}</title>" if tip else ""
        edge = f' stroke="{stroke}"' if stroke else ""
        box = f'x="{x:.2f}" y="{y:.2f}" width="{max(width, 0.1):.2f}" height="{height:.2f}"'
        self._parts.append(f'<rect {box} fill="{fill}"{edge}>{body}</rect>')

    def text(self, x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> None:
        """A line of text with its baseline at y."""
        style = f' class="{kind}"' if kind else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{escape(text)}</text>'
        )

    def line(self, points: list[tuple[float, float]], kind: str = "axis") -> None:
        """A line through points; kinds axis, grid, roof have their style in the page."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(f'<polyline points="{path}" class="{kind}"/>')

    def path(self, data: str, fill: str) -> None:
        """A filled path."""
        self._parts.append(f'<path d="{data}" fill="{fill}"/>')

    def circle(self, x: float, y: float, radius: float, fill: str, tip: str = "") -> None:
        """A dot."""
        body = f"<title>{escape(tip)}</title>" if tip else ""
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}" class="dot">{body}</circle>'
        )

    def legend(self, entries: Mapping[str, str], y: float = 0) -> float:
        """Names with their colours, in as many lines as the width needs; where the next thing may begin."""
        x = 2.0
        for name, colour in entries.items():
            wide = 14 + LETTER * len(name)
            if x > 2 and x + wide > self.width:
                x, y = 2.0, y + 17
            self._parts.append(
                f'<rect x="{x:.1f}" y="{y + 4:.1f}" width="10" height="10" fill="{colour}" class="key"/>'
            )
            self.text(x + 14, y + 13, name)
            x += wide + 12
        return y + 24 if entries else y

    def render(self) -> str:
        """The element, to be put into a page."""
        head = f'viewBox="0 0 {self.width:g} {self.height:g}" width="{self.width:g}" role="img"'
        name = escape(self.title, quote=True)
        return "\n".join([f'<svg {head} aria-label="{name}">', *self._parts, "</svg>"])


def ticks(top: float, wanted: int = 6) -> list[float]:
    """Round numbers from 0 to `top`, about as many as wanted."""
    if top <= 0:
        return [0.0]
    step = 10.0 ** math.floor(math.log10(top / wanted))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if top / (step * factor) <= wanted)
    return [step * i for i in range(math.floor(top / step + 1e-9) + 1)]


def short(value: float) -> str:
    """12_345_678 as "12.3 M"."""
    for scale, suffix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= scale:
            return f"{value / scale:.3g}{suffix}"
    return f"{value:.3g}"


def colours(names: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """A colour for each name, in order, no two alike and none of `taken` ("#rrggbb")."""
    names, used = list(dict.fromkeys(names)), set(taken)
    found = [colour for colour in PALETTE if colour not in used][: len(names)]
    if len(found) < len(names):
        known = [bytes.fromhex(colour[1:]) for colour in (*PALETTE, *sorted(used))]
        more = distinct(len(names) - len(found), [(one[0], one[1], one[2]) for one in known])
        found += [hexadecimal(colour) for colour in more.tolist()]
    return dict(zip(names, found, strict=True))
