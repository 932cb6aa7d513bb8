"""Masks and overlays with a legend: the classes that occur, their colours and shares of the pixels.

An overlay has it as a picture under itself. A mask is a label map that other tools read, so its
pixels stay alone, and the legend is text in the file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from intarsia.model.colours import hexadecimal
from intarsia.model.data.images import overlay, write_mask, write_png

TEXT, EDGE, PAPER = (29, 39, 51), (120, 128, 136), (255, 255, 255)
LETTERS = 32
"""Longer names go on in another line."""
SMALLEST, LARGEST = 13, 36
"""Pixels of the letters; in between they grow with the picture, which viewers scale down."""


@dataclass(frozen=True)
class Entry:
    """A class that occurs: index, name, colour (red, green, blue), share of the pixels (0 to 1)."""

    index: int
    name: str
    colour: tuple[int, int, int]
    share: float


def write_segmented(
    mask: Path,
    blend: Path,
    picture: NDArray[np.uint8],
    label: NDArray[np.unsignedinteger[Any]],
    names: Sequence[str],
    palette: NDArray[np.uint8],
) -> None:
    """Write mask and overlay of labels [H, W] on a picture uint8 [H, W, 3]; names [K], palette [K, 3]."""
    found = entries(label, names, palette)
    write_mask(mask, label, palette, in_words(found))
    write_png(blend, with_legend(overlay(picture, label, palette), found))


def in_words(found: Sequence[Entry]) -> str:
    """A line per class: its index, colour, share and name."""
    return "\n".join(
        f"{one.index} {hexadecimal(one.colour)} {percent(one.share)} {one.name}" for one in found
    )


def entries(
    label: NDArray[np.unsignedinteger[Any]], names: Sequence[str], palette: NDArray[np.uint8]
) -> list[Entry]:
    """The classes in labels [H, W], the largest first; names [K], palette uint8 [K, 3]."""
    counts = np.bincount(label.reshape(-1), minlength=len(names))
    order = [index for index in np.argsort(-counts, kind="stable").tolist() if counts[index]]
    colours = palette.tolist()
    return [Entry(i, names[i], tuple(colours[i]), float(counts[i] / label.size)) for i in order]


def with_legend(picture: NDArray[np.uint8], found: Sequence[Entry]) -> NDArray[np.uint8]:
    """The picture uint8 [H, W, 3] in the upper left, unchanged, and its legend below, on white.

    The result is as wide as the picture, or as the legend where that needs more.
    """
    if not found:
        return picture
    height, width = picture.shape[:2]
    font = ImageFont.load_default(min(max(SMALLEST, round(width / 60)), LARGEST))
    texts = [textwrap.wrap(f"{one.name} {percent(one.share)}", LETTERS) for one in found]
    line = round(font.getbbox("Ag")[3]) + 2
    gap = line // 2
    column = round(max(font.getlength(part) for text in texts for part in text)) + line + 2 * gap
    rows = [line * len(text) + gap // 2 for text in texts]

    count = max(1, (width - gap) // column)
    while (columns := _columns(rows, count)) and _height(rows, columns) > max(height, count * column):
        count += 1  # a tall, narrow list: rather wider than the picture
    canvas = Image.new(
        "RGB",
        (max(width, len(columns) * column + gap), height + _height(rows, columns) + 2 * gap),
        PAPER,
    )
    canvas.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(canvas)
    for number, chosen in enumerate(columns):
        x, y = gap + number * column, height + gap + gap // 2
        for i in chosen:
            draw.rectangle((x, y, x + line - 3, y + line - 3), fill=found[i].colour, outline=EDGE)
            for part, text in enumerate(texts[i]):
                draw.text((x + line + gap // 2, y + part * line - 1), text, TEXT, font)
            y += rows[i]
    return np.array(canvas)


def percent(share: float) -> str:
    """A share for people: what occurs is never nothing."""
    return f"{share:.1%}" if share >= 0.0005 else "<0.1%"


def _columns(rows: Sequence[int], count: int) -> list[list[int]]:
    """Entries in at most `count` columns from top to bottom, as many in each but the last."""
    each = -(-len(rows) // count)
    return [list(range(first, min(first + each, len(rows)))) for first in range(0, len(rows), each)]


def _height(rows: Sequence[int], columns: Sequence[Sequence[int]]) -> int:
    return max(sum(rows[i] for i in column) for column in columns)
