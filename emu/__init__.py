"""The emulator: what a machine does with an integer network, to the bit and to the cycle.

from intarsia.emu import simulate
simulate("tiny", machine="mobile").cycles
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from intarsia.emu.simulation import simulate

__all__ = ["simulate"]


def __getattr__(name: str) -> Any:
    # On demand: the instruction set and the machine are useful without what simulating needs.
    if name == "simulate":
        from intarsia.emu.simulation import simulate

        return simulate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
