"""The frame of a page and its tables: text in, escaped HTML out, nothing from a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from intarsia.emu.svg import NARROW, WIDE, Sheet

STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1d2733; background: #fff; margin: 24px auto;
  max-width: 1112px; padding: 0 16px; overflow-wrap: anywhere }
h1 { font-size: 22px; margin-bottom: 2px }
h2 { font-size: 16px; margin: 28px 0 6px }
p { margin: 4px 0 8px; color: #55606d }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 14px 0 }
.card { border: 1px solid #d8dee6; border-radius: 6px; padding: 8px 14px }
.card b { font-size: 19px; display: block }
.scroll { overflow-x: auto; margin: 6px 0 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid #e4e8ee; vertical-align: top; text-align: left;
  white-space: nowrap }
td.n, th.n { text-align: right }
td.w { min-width: 14em; white-space: normal }
svg { max-width: 100%; height: auto; font: 11px system-ui, sans-serif; display: block; margin: 4px 0 }
svg text { fill: #1d2733 } svg .unit { fill: #55606d } svg polyline { fill: none }
svg .axis { stroke: #55606d } svg .grid { stroke: #e4e8ee } svg .roof { stroke: #1d2733; stroke-width: 1.5 }
svg .dot { fill-opacity: .75; stroke: #fff; stroke-width: .6 }
details { margin: 10px 0 }
.narrow { display: none }
@media (max-width: 700px) {
  body { margin: 12px auto; padding: 0 12px }
  .wide { display: none } .narrow { display: block }
  .card { padding: 6px 10px; flex: 1 1 40% } .card b { font-size: 16px }
}
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(title: str, parts: Sequence[str]) -> str:
    """A whole page; `title` is text, `parts` are HTML."""
    return PAGE.format(title=escape(title), style=STYLE, body="\n".join(parts))


def plot(draw: Callable[[Sheet], str]) -> str:
    """A plot twice, for screens and for phones; the page shows the one that fits."""
    return f'<div class="wide">{draw(WIDE)}</div><div class="narrow">{draw(NARROW)}</div>'


def section(title: str, text: str = "") -> str:
    """A heading and a sentence under it."""
    return f"<h2>{escape(title)}</h2>" + (f"<p>{escape(text)}</p>" if text else "")


def cards(values: Mapping[str, str]) -> str:
    """Figures with their names."""
    inside = "".join(
        f'<div class="card"><b>{escape(value)}</b>{escape(name)}</div>' for name, value in values.items()
    )
    return f'<div class="cards">{inside}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table that scrolls where it is too wide; columns of numbers are set to the right."""
    texts = [[str(value) for value in row] for row in rows]
    numeric = [
        any(row[i] for row in texts) and all(row[i][:1].isdigit() or not row[i] for row in texts)
        for i in range(len(head))
    ]
    wide = [max((len(row[i]) for row in texts), default=0) > 40 for i in range(len(head))]
    kinds = [
        ' class="n"' if number else ' class="w"' if long else ""
        for number, long in zip(numeric, wide, strict=True)
    ]

    def line(cells: Sequence[str], tag: str) -> str:
        inside = "".join(
            f"<{tag}{kind}>{escape(text)}</{tag}>" for text, kind in zip(cells, kinds, strict=True)
        )
        return f"<tr>{inside}</tr>"

    body = "".join(line(row, "td") for row in texts)
    return f'<div class="scroll"><table>{line(head, "th")}{body}</table></div>'
