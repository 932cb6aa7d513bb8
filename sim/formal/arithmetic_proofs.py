"""What is proven of dividers, roots, rounding and products."""

from __future__ import annotations

from functools import partial

from amaranth.hdl import Shape, signed, unsigned

from intarsia.hw.lib.divide import SerialDivider
from intarsia.hw.lib.root import SerialRoot
from intarsia.sim.formal.division import PipelinedQuotient, SerialQuotient, SerialSquareRoot
from intarsia.sim.formal.proof import Proof, always
from intarsia.sim.formal.rounding import LimbProduct, RoundedShift
from intarsia.sim.formal.steps import PipelinedStep, QuotientStep, RootStep, SerialTiming


def _divisions() -> dict[str, Proof]:
    proofs = {}
    for bits, digit_bits in ((6, 1), (6, 2), (6, 3), (8, 1), (8, 2), (8, 3)):
        proofs[f"quotient-{bits}-{digit_bits}"] = always(
            f"SerialDivider divides {bits} by {bits} bits, {digit_bits} per cycle",
            partial(SerialQuotient, dividend_bits=bits, divisor_bits=bits, digit_bits=digit_bits),
            3 * bits if digit_bits == 1 else 14,
            24,
        )
    for digit_bits in (1, 2, 3):
        proofs[f"pipelined-quotient-{digit_bits}"] = always(
            f"PipelinedDivider divides 255 by 8 bits, {digit_bits} per stage",
            partial(PipelinedQuotient, dividend=255, divisor_bits=8, digit_bits=digit_bits),
            10,
            12,
        )
    for bits in (8, 10):
        proofs[f"root-{bits}"] = always(
            f"SerialRoot takes the root of {bits} bits", partial(SerialSquareRoot, bits=bits), bits + 4, 12
        )
    for dividend_bits, divisor_bits, digit_bits in ((46, 31, 3), (28, 13, 2), (31, 21, 2)):
        sizes = {"dividend_bits": dividend_bits, "divisor_bits": divisor_bits, "digit_bits": digit_bits}
        proofs[f"quotient-step-{dividend_bits}"] = always(
            f"each step of SerialDivider, {dividend_bits} by {divisor_bits} bits, {digit_bits} per cycle",
            partial(QuotientStep, **sizes),
            2,
            24,
        )
        proofs[f"quotient-timing-{dividend_bits}"] = always(
            f"steps of SerialDivider, {dividend_bits} bits, {digit_bits} per cycle",
            partial(SerialTiming, partial(SerialDivider, **sizes)),
            40,
            24,
        )
    proofs["root-step-42"] = always("each step of SerialRoot, 42 bits", partial(RootStep, bits=42), 3, 24)
    proofs["root-timing-42"] = always(
        "steps of SerialRoot, 42 bits", partial(SerialTiming, partial(SerialRoot, bits=42)), 60, 24
    )
    proofs["pipelined-step-31"] = always(
        "each stage of PipelinedDivider, 2^31 - 1 by 31 bits",
        partial(PipelinedStep, dividend=2**31 - 1, divisor_bits=31),
        2,
        20,
    )
    return proofs


def _rounding() -> dict[str, Proof]:
    proofs = {}
    for width, bits in ((8, None), (12, None), (48, None), (47, 16), (48, 16), (64, 16)):
        proofs[f"round-shift-{width}" + (f"-{bits}" if bits else "")] = always(
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
        proofs[f"product-{name}"] = always(
            f"Multiplier, {a!r} by {b!r}{plus}: limbs and their sum",
            partial(LimbProduct, a, b, addend),
            4,
            6,
        )
    return proofs


ARITHMETIC_PROOFS: dict[str, Proof] = {**_divisions(), **_rounding()}
