"""Machines that the compiler's tests write programs for."""

from __future__ import annotations

from typing import Any

from intarsia.arch.machine import Machine


def machine(**changes: Any) -> Machine:
    """A small machine."""
    values: dict[str, Any] = {
        "name": "small",
        "clock_mhz": 100,
        "lanes": 8,
        "depth": 8,
        "accumulator_rows": 64,
        "shiftmax_lanes": 4,
        "layernorm_lanes": 4,
        "gelu_lanes": 4,
        "elementwise_lanes": 8,
        "banks": 512,
        "bank_kib": 1,
        "stationary_kib": 64,
        "memory_width": 8,
        "memory_latency": 20,
    }
    return Machine(**{**values, **changes})
