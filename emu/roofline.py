"""Roofline: what bounds each layer, the array or the memory port.

The port has one direction for reads and one for writes, so the intensity of a layer is its MACs per
DRAM byte of the busier direction, and the roof min(lanes * depth, intensity * width) MACs per cycle
is a bound that no schedule of this layer alone can exceed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from intarsia.arch.duration import bytes_per_cycle
from intarsia.arch.machine import Machine


@dataclass(frozen=True)
class Point:
    """One layer: `intensity` MACs per DRAM byte (infinite without DRAM), MACs per cycle and their roof."""

    name: str
    op: str
    macs: int
    intensity: float
    achieved: float
    roof: float
    limit: str

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; a layer that moves nothing to or from DRAM has intensity null."""
        intensity = self.intensity if math.isfinite(self.intensity) else None
        return {
            "name": self.name,
            "op": self.op,
            "intensity": intensity,
            "macs_per_cycle": self.achieved,
            "roof": self.roof,
            "limit": self.limit,
        }


@dataclass(frozen=True)
class Roofline:
    """`peak` MACs per cycle, `bandwidth` bytes per cycle and direction, their `ridge` in MACs per byte."""

    peak: int
    bandwidth: int
    points: tuple[Point, ...]

    @property
    def ridge(self) -> float:
        """Intensity from which the array is the bound."""
        return self.peak / self.bandwidth

    def roof(self, intensity: float) -> float:
        """Most MACs per cycle at this intensity."""
        return min(float(self.peak), intensity * self.bandwidth)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "peak_macs_per_cycle": self.peak,
            "bytes_per_cycle": self.bandwidth,
            "ridge_macs_per_byte": self.ridge,
            "layers": [point.to_dict() for point in self.points],
        }


def roofline(machine: Machine, layers: Iterable[Mapping[str, Any]]) -> Roofline:
    """The roofline of layers with name, op, macs, cycles and dram_bits{read, write}.

    Layers without MACs have no place in it. `achieved` is over the cycles that the array was busy with
    the layer.
    """
    peak, bandwidth = machine.lanes * machine.depth, bytes_per_cycle(machine)
    points = []
    for layer in layers:
        if not layer["macs"] or not layer["cycles"]:
            continue
        moved = max(layer["dram_bits"]["read"], layer["dram_bits"]["write"]) / 8
        intensity = layer["macs"] / moved if moved else math.inf
        roof = min(float(peak), intensity * bandwidth)
        limit = "array" if roof == peak else "memory"
        achieved = layer["macs"] / layer["cycles"]
        points.append(Point(layer["name"], layer["op"], layer["macs"], intensity, achieved, roof, limit))
    return Roofline(peak, bandwidth, tuple(points))
