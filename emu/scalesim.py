"""SCALE-Sim's array as a `.cfg`, and its compute cycles.

SCALE-Sim 3 reads a workload (`emu.topology`) and an array. Its compute cycles are a closed form
(no memory stalls), which is reproduced here to the cycle.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.arch.duration import cycles as duration
from intarsia.arch.isa import Matmul
from intarsia.arch.machine import Machine
from intarsia.emu.topology import MAX_BYTES, Product, positive
from intarsia.model.errors import InputError
from intarsia.model.messages import one_line
from intarsia.model.text import read_text

SECTION = "architecture_presets"
DATAFLOWS = ("ws", "os", "is")
"""What stays in the array: weights, outputs or inputs."""


@dataclass(frozen=True)
class Systolic:
    """SCALE-Sim's array: rows R x columns C, and one of `DATAFLOWS`."""

    name: str
    rows: int
    columns: int
    dataflow: str

    def __post_init__(self) -> None:
        for key in ("rows", "columns"):
            if getattr(self, key) < 1:
                raise InputError(f"{key} of the array must be positive, not {getattr(self, key)}")
        if self.dataflow not in DATAFLOWS:
            raise InputError(f"Dataflow must be one of {', '.join(DATAFLOWS)}, not {self.dataflow!r}")


def read_config(path: Path) -> Systolic:
    """ArrayHeight, ArrayWidth and Dataflow of a `.cfg`; its other entries do not change compute cycles."""
    text = read_text(path, MAX_BYTES, encoding="utf-8-sig", what="a SCALE-Sim config")
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text, source=path.name)
    except configparser.Error as error:
        raise InputError(f"{path} is not a SCALE-Sim config: {one_line(error)}") from None
    if not parser.has_section(SECTION):
        raise InputError(f"{path} must be a SCALE-Sim config with a section [{SECTION}], not one without")
    values = parser[SECTION]
    for key in ("ArrayHeight", "ArrayWidth", "Dataflow"):
        if key not in values:
            raise InputError(f"{path}: {key} is missing in [{SECTION}]")
    if parser.get("sparsity", "SparsitySupport", fallback="false").strip().lower() == "true":
        raise InputError(f"{path}: SparsitySupport must be false, sparse products are not modelled")
    rows, columns = (positive(f"{path}: {key}", values[key]) for key in ("ArrayHeight", "ArrayWidth"))
    name = parser.get("general", "run_name", fallback=path.stem).strip()
    try:
        return Systolic(name, rows, columns, values["Dataflow"].strip().lower())
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def compute_cycles(product: Product, array: Systolic) -> int:
    """Compute cycles that SCALE-Sim 3 reports for one product, without stalls for memory.

    What stays in the array takes R * C of its elements at a time; the third side streams through:

    - weight stationary: ceil(K/R) * ceil(N/C) * (M + 2R + C - 2) - 1,
    - input stationary: ceil(K/R) * ceil(M/C) * (N + 2R + C - 2) - 1,
    - output stationary: ceil(M/R) * ceil(N/C) * (K + R + C - 2) - 1.
    """
    R, C = array.rows, array.columns
    down, across, streamed, loading = {
        "ws": (product.k, product.n, product.m, R),
        "is": (product.k, product.m, product.n, R),
        "os": (product.m, product.n, product.k, 0),
    }[array.dataflow]
    return -(-down // R) * -(-across // C) * (streamed + loading + R + C - 2) - 1


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
                "op": product.op,
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


def _share(part: int, whole: int) -> float:
    """part / whole; one multiplication on a 1x1 output-stationary array takes 0 of SCALE-Sim's cycles."""
    return part / whole if whole else 0.0
