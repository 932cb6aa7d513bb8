"""RTL as a simulator takes it: a unit's own, or that of others in its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from intarsia.sim.runner import NOTHING, Included


@dataclass(frozen=True)
class Design:
    """Verilog and what goes with it.

    verilog : its text, of which `top` is the top module;  included : what the text includes;  place : where
    the RTL looks for files that it reads while it runs, None where it reads none;  ours : it is our own,
    whose cycles are known
    """

    verilog: str
    top: str
    included: Included = NOTHING
    place: Path | None = None
    ours: bool = True
