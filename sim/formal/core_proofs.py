"""The proofs that cores have in common, each made from a core at a small size; `sim.units` calls these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Value

from intarsia.hw.interfaces.stream import Core
from intarsia.sim.formal.cores import CoreBalance, Count, RingFill
from intarsia.sim.formal.proof import Proof, always, bounded
from intarsia.sim.formal.streams import UnitHeld, UnitQuiet


def protocol(name: str, make: Callable[[], Core], reach: int) -> dict[str, Proof]:
    """A unit with this core keeps to the handshake, and a reset leaves nothing behind in it.

    reach: cycles within which the first result of a small command is out.
    """
    return {
        f"held-{name}": always(
            f"a result waits at the output of {name} unchanged", partial(UnitHeld, make), 2, reach
        ),
        f"quiet-{name}": always(
            f"a reset leaves nothing behind in {name}", partial(UnitQuiet, make), reach, 6
        ),
    }


def balance(
    name: str,
    make: Callable[[], Core],
    limits: Mapping[str, int],
    results: Count,
    beats: Mapping[str, Count],
    cycles: int,
    **how: Any,
) -> dict[str, Proof]:
    """A core takes and gives as many beats as its commands say, for so many cycles: see `CoreBalance`."""
    sizes = ", ".join(f"{field} <= {most}" for field, most in limits.items())
    return {
        f"balance-{name}": bounded(
            f"{name} takes and gives as many beats as it should ({sizes})",
            partial(CoreBalance, make, limits, results=results, beats=beats, **how),
            cycles,
        )
    }


def ring(
    name: str, make: Callable[..., Core], length: int, pointers: tuple[str, str], cycles: int
) -> dict[str, Proof]:
    """Writer and reader of a ring in a core of one lane keep their distance: see `RingFill`."""
    return {
        f"ring-{name}": bounded(
            f"reader and writer of {name} keep their distance (length <= {length})",
            partial(
                RingFill,
                partial(make, lanes=1, max_length=length),
                {"rows": 65535, "length": length},
                pointers=pointers,
            ),
            cycles,
        )
    }


def per_row(c: SimpleNamespace) -> Value:
    """Beats where each is a row."""
    count: Value = c.rows
    return count


def per_pair(c: SimpleNamespace) -> Value:
    """Beats of rows on two lanes."""
    return c.rows * ((c.length + 1) >> 1)
