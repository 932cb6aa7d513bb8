"""What is proven of real cores, at small sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Value

from intarsia.hw.interfaces.stream import Core
from intarsia.hw.units.affine.core import Affine
from intarsia.hw.units.argmax.core import Argmax
from intarsia.hw.units.expand.core import Expand
from intarsia.hw.units.layernorm.core import Layernorm
from intarsia.hw.units.mac_array.core import MacArray
from intarsia.hw.units.requantize.core import Requantizer
from intarsia.hw.units.residual.core import Residual
from intarsia.hw.units.shift_exp.core import ShiftExpVector
from intarsia.hw.units.shiftgelu.core import Shiftgelu
from intarsia.hw.units.shiftgelu_table.core import ShiftgeluTable
from intarsia.hw.units.shiftmax.core import Shiftmax
from intarsia.hw.units.upsample.core import Upsample
from intarsia.sim.formal.cores import AccumulatorDistance, CoreBalance, RingFill
from intarsia.sim.formal.proof import Proof, always, bounded
from intarsia.sim.formal.streams import UnitHeld, UnitQuiet

CORES: dict[str, tuple[Callable[[], Core], int]] = {
    "argmax": (lambda: Argmax(lanes=2), 16),
    "expand": (lambda: Expand(lanes=2), 16),
    "upsample": (lambda: Upsample(lanes=2, max_length=4), 30),
    "requantizer": (lambda: Requantizer(lanes=1, multiplier_bits=16), 16),
    "affine": (lambda: Affine(lanes=1), 20),
    "residual": (lambda: Residual(lanes=1), 20),
    "shift-exp": (lambda: ShiftExpVector(lanes=1), 20),
    "mac-array": (lambda: MacArray(lanes=4, depth=4, accumulator_rows=16), 40),
    "shiftgelu-table": (lambda: ShiftgeluTable(lanes=2), 16),
    "shiftgelu": (lambda: Shiftgelu(lanes=1, max_length=4), 60),
    "shiftmax": (lambda: Shiftmax(lanes=1, max_length=4), 70),
    "layernorm": (lambda: Layernorm(lanes=1, max_length=4), 110),
}
"""Real cores at small sizes, and cycles within which the first result of a small command is out."""


def _protocols() -> dict[str, Proof]:
    proofs = {}
    for name, (make, reach) in CORES.items():
        proofs[f"held-{name}"] = always(
            f"a result waits at the output of {name} unchanged",
            partial(UnitHeld, make),
            2,
            reach,
        )
    for name, (make, reach) in CORES.items():
        proofs[f"quiet-{name}"] = always(
            f"a reset leaves nothing behind in {name}",
            partial(UnitQuiet, make),
            reach,
            6,
        )
    return proofs


def _balance(
    name: str,
    make: Callable[[], Core],
    limits: Mapping[str, int],
    results: Callable[[SimpleNamespace], Value],
    beats: Mapping[str, Callable[[SimpleNamespace], Value]],
    cycles: int,
    **how: Any,
) -> dict[str, Proof]:
    sizes = ", ".join(f"{field} <= {most}" for field, most in limits.items())
    return {
        f"balance-{name}": bounded(
            f"{name} takes and gives as many beats as it should ({sizes})",
            partial(CoreBalance, make, limits, results=results, beats=beats, **how),
            cycles,
        )
    }


def _rows(c: SimpleNamespace) -> Value:
    rows: Value = c.rows
    return rows


def _pairs(c: SimpleNamespace) -> Value:
    """Beats of rows on two lanes."""
    return c.rows * ((c.length + 1) >> 1)


def _pairs_of_copies(c: SimpleNamespace) -> Value:
    return c.rows * ((c.length * c.factor + 1) >> 1)


def _balances() -> dict[str, Proof]:
    rows, row_pairs = {"rows": 3}, {"rows": 2, "length": 3}
    return {
        **_balance("argmax", lambda: Argmax(lanes=2), row_pairs, _rows, {"i": _pairs}, 24),
        **_balance(
            "expand",
            lambda: Expand(lanes=2),
            {**row_pairs, "factor": 3},
            _pairs_of_copies,
            {"i": _pairs},
            24,
        ),
        **_balance(
            "upsample",
            lambda: Upsample(lanes=2, max_length=4),
            {"rows": 2, "length": 2, "classes": 3, "factor": 2},
            lambda c: c.rows * c.factor * ((c.length * c.factor + 1) >> 1),
            {"i": lambda c: c.rows * c.length * ((c.classes + 1) >> 1)},
            60,
            at_once=True,
        ),
        **_balance(
            "requantizer",
            lambda: Requantizer(lanes=1, multiplier_bits=16),
            rows,
            _rows,
            {"i": _rows},
            24,
            settle=10,
        ),
        **_balance("affine", lambda: Affine(lanes=1), rows, _rows, {"i": _rows, "constants": _rows}, 24),
        **_balance(
            "residual", lambda: Residual(lanes=2), row_pairs, _pairs, {"i": _pairs, "identity": _pairs}, 24
        ),
        **_balance("shift-exp", lambda: ShiftExpVector(lanes=1), rows, _rows, {"i": _rows}, 24),
        **_balance(
            "mac-array",
            lambda: MacArray(lanes=4, depth=4, accumulator_rows=16),
            {"rows": 2, "inner": 2, "outer": 2},
            lambda c: c.rows * c.outer,
            {"x": lambda c: c.rows * c.inner * c.outer, "y": lambda c: 4 * c.inner * c.outer},
            44,
            at_once=True,
        ),
        **_balance(
            "shiftgelu",
            lambda: Shiftgelu(lanes=2, max_length=4),
            row_pairs,
            _pairs,
            {"i": _pairs},
            60,
            at_once=True,
        ),
        **_balance(
            "shiftmax",
            lambda: Shiftmax(lanes=2, max_length=4),
            row_pairs,
            _pairs,
            {"i": _pairs},
            90,
            at_once=True,
        ),
        **_balance(
            "layernorm",
            lambda: Layernorm(lanes=2, max_length=4),
            row_pairs,
            _pairs,
            {"i": _pairs, "constants": _pairs},
            130,
            at_once=True,
        ),
    }


def _rings() -> dict[str, Proof]:
    shiftmax, shiftgelu = partial(Shiftmax, lanes=1), partial(Shiftgelu, lanes=1)
    layernorm = partial(Layernorm, lanes=1)
    rings: dict[str, tuple[Callable[..., Core], int, tuple[str, str], int]] = {
        "shiftmax-scores": (shiftmax, 20, ("scores.written", "scores.taken"), 70),
        "shiftmax-exponentials": (shiftmax, 20, ("exponentials.written", "exponentials.taken"), 90),
        "shiftgelu-first-reader": (shiftgelu, 20, ("rows.$signal", "rows.$signal$1"), 60),
        "shiftgelu-second-reader": (shiftgelu, 20, ("rows.$signal", "rows.at_again"), 80),
        "layernorm": (layernorm, 4, ("address", "address$1"), 115),
    }
    return {
        f"ring-{name}": bounded(
            f"reader and writer of {name} keep their distance (length <= {length})",
            partial(
                RingFill,
                partial(make, max_length=length),
                {"rows": 65535, "length": length},
                pointers=pointers,
            ),
            cycles,
        )
        for name, (make, length, pointers, cycles) in rings.items()
    }


CORE_PROOFS: dict[str, Proof] = {
    **_protocols(),
    **_balances(),
    **_rings(),
    "accumulator-distance": bounded(
        "MacArray leaves every accumulator its 4 cycles (rows <= 6, inner <= 3, outer <= 2)",
        partial(AccumulatorDistance, {"rows": 6, "inner": 3, "outer": 2}),
        60,
    ),
}
