"""Golden vectors of the units, for RTL that others write (docs/vectors.md)."""

from __future__ import annotations

from pathlib import Path

from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import UNITS
from intarsia.sim.units import BENCHES
from intarsia.sim.vector_files import Summary, write_files
from intarsia.sim.vector_manifest import About

_ARITHMETIC = "intarsia.model.integer.arithmetic"
_REQUANTIZE = (f"{_ARITHMETIC}.requantize(x + bias, b, c)", "Requantization and residual")
EQUALS: dict[str, tuple[str, str]] = {
    "mac_array": (
        "numpy.matmul(x, y.T) in int32",
        "Linear layers, convolution, matrix products",
    ),
    "requantize": _REQUANTIZE,
    "requantize16": _REQUANTIZE,
    "residual": (f"{_ARITHMETIC}.residual", "Requantization and residual"),
    "affine": (f"{_ARITHMETIC}.saturate(rshift_rhe(x * b + offset, c), bits)", "I-LayerNorm"),
    "shift_exp": (f"{_ARITHMETIC}.shift_exp", "ShiftExp"),
    "shiftmax": (f"{_ARITHMETIC}.shiftmax", "Shiftmax"),
    "shiftgelu": (f"{_ARITHMETIC}.requantize of {_ARITHMETIC}.shiftgelu", "ShiftGELU"),
    "shiftgelu_table": (f"{_ARITHMETIC}.requantize of {_ARITHMETIC}.shiftgelu", "ShiftGELU"),
    "layernorm": (f"{_ARITHMETIC}.layernorm", "I-LayerNorm"),
    "argmax": ("numpy.argmax of every row", "The graph"),
    "expand": ("numpy.repeat of every row", "The graph"),
    "upsample": ("numpy.argmax of every patch, repeated both ways", "The graph"),
}
"""What a unit's results equal, and the section of docs/numerics.md that defines it."""


def write_vectors(name: str, machine: Machine, folder: Path, *, vectors: int, seed: int) -> Summary:
    """What the bench of a unit plays and expects, as files in `folder`; see `write_files`."""
    kind = UNITS[name]
    core = kind.core(machine)
    Fragment.get(core, None)  # Amaranth warns of components that were made for nothing.
    equals, section = EQUALS[name]
    about = About(name, kind.purpose, equals, section, machine.document())
    return write_files(BENCHES[name](core), about, folder, vectors=vectors, seed=seed)
