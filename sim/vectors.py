"""Golden vectors of the units, for RTL that others write (docs/vectors.md)."""

from __future__ import annotations

from pathlib import Path

from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import UNITS
from intarsia.sim.units import check_of
from intarsia.sim.vector_files import Summary, write_files
from intarsia.sim.vector_manifest import About


def write_vectors(name: str, machine: Machine, folder: Path, *, vectors: int, seed: int) -> Summary:
    """What the bench of a unit plays and expects, as files in `folder`; see `write_files`."""
    kind = UNITS[name]
    core = kind.core(machine)
    Fragment.get(core, None)  # Amaranth warns of components that were made for nothing.
    check = check_of(name)
    about = About(name, kind.purpose, check.equals, check.section, machine.document())
    return write_files(check.bench(core), about, folder, vectors=vectors, seed=seed)
