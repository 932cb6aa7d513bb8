"""SCALE-Sim's topologies: a CSV of convolutions, its default, or of matrix products (`-i gemm`)."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from intarsia.model.errors import InputError
from intarsia.model.text import read_text

MAX_BYTES = 1 << 20
"""Of a file of SCALE-Sim."""

GEMM = ("m", "n", "k")
CONVOLUTION = (
    "ifmap height", "ifmap width", "filter height", "filter width", "channels", "num filter", "strides",
)  # fmt: skip
"""Columns after the name of the layer, as the first line of SCALE-Sim's own files calls them."""

SPARSITY, BATCH, STRIDE_WIDTH = "sparsity", "batch", "stride width"
_SYNONYMS = {
    "num filters": "num filter",
    "stride": "strides",
    "stride height": "strides",
    "batch size": BATCH,
    "sparsity ratio": SPARSITY,
}
LARGEST = 2**31 - 1
MOST_PRODUCTS = 1_000_000
"""Of one file, depthwise layers taken apart."""


@dataclass(frozen=True)
class Product:
    """[m, k] times [k, n]; `op` is "conv" for a convolution that became one by im2col."""

    name: str
    m: int
    n: int
    k: int
    op: str = "matmul"

    @property
    def macs(self) -> int:
        """Multiplications, each with its addition."""
        return self.m * self.n * self.k


def read_topology(path: Path) -> tuple[Product, ...]:
    """The products of a topology file.

    The first line names the columns. Matrix products have `Layer, M, N, K,`. Convolutions have
    `Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,`
    and become products by im2col, without padding (the IFMAP includes it):

        M = ceil((H - R + s) / s) * ceil((W - S + s) / s),  K = R * S * C,  N = filters

    As in SCALE-Sim a layer with DP in its name is depthwise: as many layers of one channel as it has
    channels. A first line of other words is passed over; the number of fields then tells the form.

    A further field is the sparsity N:M, which must be dense; of a convolution the stride across, where it
    is a number; or what the first line calls it: a batch multiplies M, anything else changes no cycle.
    SCALE-Sim ends every line with a comma; lines without one are read too. Anything else is refused with
    its line.
    """
    text = read_text(path, MAX_BYTES, encoding="utf-8-sig", what="a SCALE-Sim topology")
    try:
        lines_of_text = StringIO(text, newline="")
        rows = [[field.strip() for field in row] for row in csv.reader(lines_of_text, strict=True)]
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV text file: {error}") from None
    lines = [(number, _without_end(row)) for number, row in enumerate(rows, 1) if any(row)]
    if not lines:
        raise InputError(f"{path} must have a first line and a line for each layer, not none")
    header = [_column(field) for field in lines[0][1][1:]]
    sides = _form(path, header, lines)
    products: list[Product] = []
    for number, line in lines[1:]:
        layer = _Layer(f"{path}, line {number}", line, sides, header[len(sides) :])
        for product in layer.products():
            products.append(product)
            if len(products) > MOST_PRODUCTS:
                raise InputError(f"{path} must have at most {MOST_PRODUCTS} products, not more")
    if not products:
        raise InputError(f"{path} must have at least one line after the first, not none")
    return tuple(products)


def positive(thing: str, text: str) -> int:
    """The integer 1..LARGEST that `text` writes; `thing` is what a refusal names."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and 1 <= int(text) <= LARGEST):
        raise InputError(f"{thing} must be a positive integer, not {text!r}")
    return int(text)


def _without_end(row: Sequence[str]) -> list[str]:
    fields = list(row)
    while fields and fields[-1] == "":
        fields.pop()
    return fields


def _column(text: str) -> str:
    """The name of a column as it is compared: lower case, words by one blank."""
    words = " ".join(re.split(r"[\s_-]+", text.lower()))
    return _SYNONYMS.get(words, words)


def _form(path: Path, header: list[str], lines: list[tuple[int, list[str]]]) -> tuple[str, ...]:
    """The columns GEMM or CONVOLUTION that this file's layers have."""
    for sides in (GEMM, CONVOLUTION):
        named = header[: len(sides)]
        if tuple(named) == sides:
            return sides
        # Columns of this form in another order: to read them by place would exchange sides.
        if wrong := [name for place, name in enumerate(named) if name in sides and sides[place] != name]:
            raise InputError(
                f"{path}: the first line must be 'Layer, {', '.join(sides)},' in this order, "
                f"{wrong[0]!r} stands in another place"
            )
    first = lines[0][1]
    if len(first) > len(GEMM) and all(field.isdecimal() for field in first[1 : 1 + len(GEMM)]):
        raise InputError(
            f"{path}: the first line must name the columns, it is the layer {', '.join(first)!r}"
        )
    fields = len(lines[1][1]) if len(lines) > 1 else 0
    return CONVOLUTION if fields > len(CONVOLUTION) else GEMM


@dataclass(frozen=True)
class _Layer:
    """One line: where it stands, its fields, the columns of its form and the names of those after them."""

    place: str
    fields: list[str]
    sides: tuple[str, ...]
    further: list[str]

    def products(self) -> Iterator[Product]:
        wanted = 1 + len(self.sides)
        if len(self.fields) < wanted:
            names = ", ".join(name if self.sides is CONVOLUTION else name.upper() for name in self.sides)
            raise InputError(
                f"{self.place} must have the fields NAME, {names}, not {len(self.fields)} fields"
            )
        name = self.fields[0]
        if not name:
            raise InputError(f"{self.place}: the name of the layer is missing")
        label = str.upper if self.sides is GEMM else str
        values = [
            positive(f"{self.place}: {label(side)}", text)
            for side, text in zip(self.sides, self.fields[1:wanted], strict=True)
        ]
        extra = self._extra(self.fields[wanted:])
        batch = extra.get(BATCH, 1)
        if self.sides is GEMM:
            m, n, k = values
            yield Product(name, m * batch, n, k)
            return
        height, width, filter_height, filter_width, channels, filters, stride = values
        across = extra.get(STRIDE_WIDTH, stride)
        if filter_height > height or filter_width > width:
            raise InputError(
                f"{self.place}: a filter must be at most as large as its IFMAP of {height} x {width}, "
                f"not {filter_height} x {filter_width}"
            )
        m = batch * _outputs(height, filter_height, stride) * _outputs(width, filter_width, across)
        window = filter_height * filter_width
        if "DP" in name:
            for channel in range(channels):
                yield Product(f"{name}Channel_{channel}", m, filters, window, "conv")
        else:
            yield Product(name, m, filters, window * channels, "conv")

    def _extra(self, texts: list[str]) -> dict[str, int]:
        """The batch and the stride across of the fields after the usual ones; sparsity must be dense."""
        found: dict[str, int] = {}
        for number, text in enumerate(texts):
            name = self.further[number] if number < len(self.further) else ""
            if not text or text.startswith("#"):  # some files end lines in a remark
                continue
            if ":" in text or name == SPARSITY:
                above, _, below = text.partition(":")
                if not above.strip().isdecimal() or above.strip() != below.strip():
                    raise InputError(f"{self.place}: sparsity must be dense (1:1), not {text!r}")
            elif name in (BATCH, STRIDE_WIDTH):
                found[name] = positive(f"{self.place}: {name}", text)
            elif not name and number == 0 and self.sides is CONVOLUTION:
                found[STRIDE_WIDTH] = positive(f"{self.place}: {STRIDE_WIDTH}", text)
            elif not name and text != "1":
                raise InputError(
                    f"{self.place} must have {1 + len(self.sides) + len(self.further)} fields, as the "
                    f"first line has, not {1 + len(self.sides) + len(texts)}: what is {text!r}?"
                )
        return found


def _outputs(size: int, window: int, stride: int) -> int:
    """Places of a window on one side: ceil((size - window + stride) / stride)."""
    return -((window - size) // stride) + 1
