"""The layers of a report as CSV: a row each, with the keys of the JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from intarsia.model.files import replacing

COLUMNS = (
    "name", "op", "start", "end", "cycles", "macs", "utilization", "busy", "busy_utilization",
    "dram_bits.read", "dram_bits.write",
)  # fmt: skip
"""Keys of a layer; those inside of another key follow a dot."""


def write_layers(layers: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write the layers of `Report.to_dict`, in their order; integers and floats as in the JSON."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for layer in layers:
        writer.writerow([_value(layer, column) for column in COLUMNS])
    with replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")


def _value(layer: Mapping[str, Any], column: str) -> Any:
    value: Any = layer
    for key in column.split("."):
        value = value[key]
    return value
