"""SCALE-Sim files as input, and its compute cycles.

SCALE-Sim 3 describes a workload as a CSV of matrix products (`-i gemm`) and an array as a `.cfg`.
Its compute cycles are a closed form (no memory stalls), which is reproduced here to the cycle.
"""

from __future__ import annotations

import configparser
import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emu.duration import cycles as duration
from emu.isa import Matmul
from emu.machine import Machine
from model.errors import InputError
from model.files import existing_file

SECTION = "architecture_presets"
HEADER = ("layer", "m", "n", "k")
LARGEST = 2**31 - 1


@dataclass(frozen=True)
class Product:
    """[m, k] times [k, n]."""

    name: str
    m: int
    n: int
    k: int

    @property
    def macs(self) -> int:
        """Multiplications, each with its addition."""
        return self.m * self.n * self.k


@dataclass(frozen=True)
class Systolic:
    """SCALE-Sim's array: rows R x columns C, "ws" (weight stationary) or "os" (output stationary)."""

    name: str
    rows: int
    columns: int
    dataflow: str

    def __post_init__(self) -> None:
        for key in ("rows", "columns"):
            if getattr(self, key) < 1:
                raise InputError(f"{key} of the array must be positive, not {getattr(self, key)}")
        if self.dataflow not in ("ws", "os"):
            raise InputError(f"Dataflow must be ws or os, not {self.dataflow!r}")


def read_topology(path: Path) -> tuple[Product, ...]:
    """Products of a GEMM topology: a header `Layer, M, N, K,`, then one product per line.

    SCALE-Sim ends every line with a comma; lines without one are read too. A fifth field, its
    sparsity N:M, must be dense. Anything else is refused with its line.
    """
    path = existing_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [[field.strip() for field in row] for row in csv.reader(file, strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV text file: {error}") from None
    lines = [(number, row) for number, row in enumerate(rows, 1) if any(row)]
    seen = [field.lower() for field in lines[0][1][:4]] if lines else []
    if seen[:1] == ["layer name"]:  # as its files of convolutions have it
        seen[0] = HEADER[0]
    if tuple(seen) != HEADER:
        raise InputError(
            f"{path}: the first line must be 'Layer, M, N, K,' (the GEMM form), "
            f"not {(', '.join(lines[0][1][:4]) if lines else 'nothing')!r}"
        )
    products = [_product(path, number, line) for number, line in lines[1:]]
    if not products:
        raise InputError(f"{path} has no products, at least one line NAME, M, N, K is wanted")
    return tuple(products)


def read_config(path: Path) -> Systolic:
    """ArrayHeight, ArrayWidth and Dataflow of a `.cfg`; its other entries do not change compute cycles."""
    path = existing_file(path)
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(path.read_text(encoding="utf-8-sig"), source=path.name)
    except (UnicodeDecodeError, configparser.Error) as error:
        raise InputError(f"{path} is not a SCALE-Sim config: {error}") from None
    if not parser.has_section(SECTION):
        raise InputError(f"{path} has no section [{SECTION}], a SCALE-Sim config is wanted")
    values = parser[SECTION]
    for key in ("ArrayHeight", "ArrayWidth", "Dataflow"):
        if key not in values:
            raise InputError(f"{path}: {key} is missing in [{SECTION}]")
    if parser.get("sparsity", "SparsitySupport", fallback="false").strip().lower() == "true":
        raise InputError(f"{path}: SparsitySupport must be false, sparse products are not modelled")
    rows, columns = (_positive(f"{path}: {key}", values[key]) for key in ("ArrayHeight", "ArrayWidth"))
    dataflow = values["Dataflow"].strip().lower()
    if dataflow not in ("ws", "os"):
        raise InputError(f"{path}: Dataflow must be ws or os, not {values['Dataflow']!r}")
    name = parser.get("general", "run_name", fallback=path.stem).strip()
    return Systolic(name, rows, columns, dataflow)


def compute_cycles(product: Product, array: Systolic) -> int:
    """Compute cycles that SCALE-Sim 3 reports for one product, without stalls for memory.

    Weight stationary: ceil(K/R) * ceil(N/C) * (M + 2R + C - 2) - 1.
    Output stationary: ceil(M/R) * ceil(N/C) * (K + R + C - 2) - 1.
    """
    R, C = array.rows, array.columns
    if array.dataflow == "ws":
        return -(-product.k // R) * -(-product.n // C) * (product.m + 2 * R + C - 2) - 1
    return -(-product.m // R) * -(-product.n // C) * (product.k + R + C - 2) - 1


def machine_cycles(product: Product, machine: Machine) -> int:
    """Cycles of the same product as MATMUL instructions of `machine`, one per filled accumulator bank."""
    whole, rest = divmod(product.m, machine.accumulator_rows)
    blocks = [(machine.accumulator_rows, whole), (rest, int(rest > 0))]
    return sum(
        count * (duration(Matmul(0, 0, 0, rows, product.k, product.n, 0, 0, 0), machine) + 1)
        for rows, count in blocks
        if count
    )


def compare(
    products: tuple[Product, ...], array: Systolic, machine: Machine | None = None
) -> dict[str, Any]:
    """SCALE-Sim's figures per product and in sum, as plain JSON values.

    With a machine: `machine_cycles` beside them, what the same products take on it.
    """
    layers: list[dict[str, Any]] = []
    start = 0
    for product in products:
        cycles = compute_cycles(product, array)
        layers.append(
            {
                "name": product.name,
                "op": "matmul",
                "m": product.m,
                "n": product.n,
                "k": product.k,
                "start": start,
                "end": start + cycles,
                "cycles": cycles,
                "macs": product.macs,
                "utilization": _share(product.macs, cycles * array.rows * array.columns),
            }
        )
        if machine is not None:
            layers[-1]["machine_cycles"] = machine_cycles(product, machine)
        start += cycles
    macs = sum(product.macs for product in products)
    report: dict[str, Any] = {
        "compat": "scalesim",
        "array": {
            "name": array.name,
            "rows": array.rows,
            "columns": array.columns,
            "dataflow": array.dataflow,
        },
        "cycles": start,
        "macs": macs,
        "mac_utilization": _share(macs, start * array.rows * array.columns),
        "layers": layers,
    }
    if machine is not None:
        total = sum(layer["machine_cycles"] for layer in layers)
        report["machine"] = {"name": machine.name, "lanes": machine.lanes, "depth": machine.depth}
        report["machine"] |= {"clock_mhz": machine.clock_mhz, "cycles": total}
        report["machine"]["mac_utilization"] = macs / (total * machine.lanes * machine.depth)
    return report


def _product(path: Path, number: int, line: list[str]) -> Product:
    place = f"{path}, line {number}"
    fields = list(line)
    while fields and fields[-1] == "":
        fields.pop()
    if len(fields) not in (4, 5):
        raise InputError(f"{place} has {len(fields)} fields, NAME, M, N, K are wanted")
    name, *sides = fields[:4]
    if not name:
        raise InputError(f"{place}: the name of the layer is missing")
    if len(fields) == 5:
        ratio = fields[4].split(":")
        if len(ratio) != 2 or ratio[0].strip() != ratio[1].strip() or not ratio[0].strip().isdecimal():
            raise InputError(f"{place}: sparsity must be dense (1:1), not {fields[4]!r}")
    m, n, k = (_positive(f"{place}: {key}", text) for key, text in zip("MNK", sides, strict=True))
    return Product(name, m, n, k)


def _positive(thing: str, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 12 and 1 <= int(text) <= LARGEST):
        raise InputError(f"{thing} must be a positive integer, not {text!r}")
    return int(text)


def _share(part: int, whole: int) -> float:
    """part / whole; one multiplication on a 1x1 output-stationary array takes 0 of SCALE-Sim's cycles."""
    return part / whole if whole else 0.0
