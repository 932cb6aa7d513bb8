"""Everything that is proven, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Shape, Value, signed, unsigned

from hw.affine import Affine
from hw.argmax import Argmax
from hw.divide import SerialDivider
from hw.expand import Expand
from hw.layernorm import Layernorm
from hw.mac_array import MacArray
from hw.requantize import Requantizer
from hw.residual import Residual
from hw.root import SerialRoot
from hw.shift_exp import ShiftExpVector
from hw.shiftgelu import Shiftgelu
from hw.shiftgelu_table import ShiftgeluTable
from hw.shiftmax import Shiftmax
from hw.stream import Core
from hw.upsample import Upsample
from sim.formal.cores import CoreBalance, RingFill
from sim.formal.division import PipelinedQuotient, SerialQuotient, SerialSquareRoot
from sim.formal.exponential import ShiftedExponential
from sim.formal.proof import Outcome, Proof, Spec, check
from sim.formal.rounding import LimbProduct, RequantizedLane, RoundedShift
from sim.formal.steps import PipelinedStep, QuotientStep, RootStep, SerialTiming
from sim.formal.streams import BufferHeld, BufferQueue, BufferRegistered, UnitHeld, UnitQuiet
from sim.formal.unit import UnitMoves, UnitOrder, UnitOwes

I31 = 2**31 - 1

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


def prove(name: str) -> Outcome:
    """The answer to one of PROOFS. SimulatorError if there is none: see `check`."""
    return check(name, PROOFS[name])


def _always(what: str, spec: Callable[[], Spec], k: int, reach: int) -> Proof:
    return Proof(what, spec, "prove", k, reach)


def _bounded(what: str, spec: Callable[[], Spec], cycles: int) -> Proof:
    return Proof(what, spec, "bmc", cycles, cycles)


def _streams() -> dict[str, Proof]:
    proofs = {
        "buffer-queue": _always("Buffer is a queue of two entries", BufferQueue, 3, 8),
        "buffer-held": _always("a beat waits at Buffer's output unchanged", BufferHeld, 3, 8),
        "buffer-registered": _always("Buffer's outputs depend on registers only", BufferRegistered, 3, 8),
        "unit-order": _always("Unit loses, doubles and reorders no beat", UnitOrder, 4, 20),
        "unit-owes": _always("Unit delivers what its commands ask for", UnitOwes, 4, 20),
        "unit-moves": _always("Unit never stands still without a reason", UnitMoves, 12, 20),
    }
    for name, (make, reach) in CORES.items():
        proofs[f"held-{name}"] = _always(
            f"a result waits at the output of {name} unchanged",
            partial(UnitHeld, make),
            2,
            reach,
        )
    for name, (make, reach) in CORES.items():
        proofs[f"quiet-{name}"] = _always(
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
        f"balance-{name}": _bounded(
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
        f"ring-{name}": _bounded(
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


def _divisions() -> dict[str, Proof]:
    proofs = {}
    for bits, digit_bits in ((6, 1), (6, 2), (6, 3), (8, 1), (8, 2), (8, 3)):
        proofs[f"quotient-{bits}-{digit_bits}"] = _always(
            f"SerialDivider divides {bits} by {bits} bits, {digit_bits} per cycle",
            partial(SerialQuotient, dividend_bits=bits, divisor_bits=bits, digit_bits=digit_bits),
            3 * bits if digit_bits == 1 else 14,
            24,
        )
    for digit_bits in (1, 2, 3):
        proofs[f"pipelined-quotient-{digit_bits}"] = _always(
            f"PipelinedDivider divides 255 by 8 bits, {digit_bits} per stage",
            partial(PipelinedQuotient, dividend=255, divisor_bits=8, digit_bits=digit_bits),
            10,
            12,
        )
    for bits in (8, 10):
        proofs[f"root-{bits}"] = _always(
            f"SerialRoot takes the root of {bits} bits", partial(SerialSquareRoot, bits=bits), bits + 4, 12
        )
    for dividend_bits, divisor_bits, digit_bits in ((46, 31, 3), (28, 13, 2), (31, 21, 2)):
        sizes = {"dividend_bits": dividend_bits, "divisor_bits": divisor_bits, "digit_bits": digit_bits}
        proofs[f"quotient-step-{dividend_bits}"] = _always(
            f"each step of SerialDivider, {dividend_bits} by {divisor_bits} bits, {digit_bits} per cycle",
            partial(QuotientStep, **sizes),
            2,
            24,
        )
        proofs[f"quotient-timing-{dividend_bits}"] = _always(
            f"steps of SerialDivider, {dividend_bits} bits, {digit_bits} per cycle",
            partial(SerialTiming, partial(SerialDivider, **sizes)),
            40,
            24,
        )
    proofs["root-step-42"] = _always("each step of SerialRoot, 42 bits", partial(RootStep, bits=42), 3, 24)
    proofs["root-timing-42"] = _always(
        "steps of SerialRoot, 42 bits", partial(SerialTiming, partial(SerialRoot, bits=42)), 60, 24
    )
    proofs["pipelined-step-31"] = _always(
        "each stage of PipelinedDivider, 2^31 - 1 by 31 bits",
        partial(PipelinedStep, dividend=2**31 - 1, divisor_bits=31),
        2,
        20,
    )
    return proofs


def _rounding() -> dict[str, Proof]:
    proofs = {}
    for width, bits in ((8, None), (12, None), (48, None), (47, 16), (48, 16), (64, 16)):
        proofs[f"round-shift-{width}" + (f"-{bits}" if bits else "")] = _always(
            f"RoundShift of {width} bits" + (f", saturated to {bits}" if bits else ""),
            partial(RoundedShift, width=width, bits=bits),
            5,
            8,
        )
    products: dict[str, tuple[Shape, Shape, Shape | None]] = {
        "16-28": (unsigned(16), unsigned(28), None),
        "17-31": (signed(17), unsigned(31), None),
        "31-31": (unsigned(31), unsigned(31), None),
        "15-32": (signed(15), signed(32), None),
        "16-32": (signed(16), signed(32), None),
        "32-16": (signed(32), signed(16), None),
        "32-32": (signed(32), signed(32), None),
        "31-32-64": (signed(31), signed(32), signed(64)),
        "32-32-64": (signed(32), signed(32), signed(64)),
    }
    for name, (a, b, addend) in products.items():
        plus = " plus 64" if addend else ""
        proofs[f"product-{name}"] = _always(
            f"Multiplier, {a!r} by {b!r}{plus}: limbs and their sum",
            partial(LimbProduct, a, b, addend),
            4,
            6,
        )
    proofs["requantize-10-8"] = _always(
        "RequantizeLane of 10 by 8 bits", partial(RequantizedLane, x_bits=10, b_bits=8), 9, 12
    )
    proofs["requantize-8-6-18"] = _always(
        "RequantizeLane of 8 by 6 bits plus 18",
        partial(RequantizedLane, x_bits=8, b_bits=6, offset_bits=18),
        9,
        12,
    )
    return proofs


def _exponentials() -> dict[str, Proof]:
    return {
        f"shift-exp-{'any' if positive else 'negative'}": _always(
            f"ShiftExp, 8-bit d{'' if positive else ' <= 0'}, i0 < 16, n < 8, every bound",
            partial(ShiftedExponential, d_bits=8, positive=positive, i0_bits=4, n_bits=3),
            9,
            12,
        )
        for positive in (False, True)
    }


PROOFS: dict[str, Proof] = {
    **_streams(),
    **_balances(),
    **_rings(),
    **_divisions(),
    **_rounding(),
    **_exponentials(),
}
