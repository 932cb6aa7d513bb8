"""The manifest of golden vectors: what every file, stream, field and transaction is (docs/vectors.md)."""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from intarsia.sim.payload import Field, Payload
from intarsia.sim.plan import Plan
from intarsia.sim.transaction import Bench

VERSION = 1
CONVENTIONS = (
    "A line of a .hex file is one beat: the first field, and of an array lane 0, in the lowest bits.",
    "Negative numbers are two's complement of the field's width.",
    "Element k of a row is in lane k mod lanes of the row's beat k // lanes; every row begins a beat.",
    "Lanes behind the end of a row hold noise on inputs, to be ignored, and zeros on o.",
    "Array S.F of the .npz is field F of stream S; array S is the payload of a stream without fields. "
    "Its shape is [beats], or [beats, lanes] where `lanes` is not null.",
    "A transaction is one command with its data and results. Array beats.S of the .npz says how many "
    "beats of stream S belong to each, in order, as the list of transactions does here.",
    "In `documentation` the stream o is called result.",
)
MEANINGS = {
    "rows": "rows of the command, beats where it has no length; at least 1",
    "length": "elements of a row, at least 1",
    "classes": "scores of a patch, at least 1",
    "factor": "copies of every label, at least 1",
    "b": "multiplier",
    "c": "shift, 0..63",
    "b1": "multiplier of i",
    "c1": "shift after b1, 0..63",
    "b2": "multiplier of identity",
    "c2": "shift after b2, 0..63",
    "bias": "added to the accumulator",
    "offset": "B, added to the product; at most 2^62 on both sides of 0",
    "wide": "1: results of 16 bits; 0: of 8",
    "narrow": "1: results of 8 bits; 0: of 16",
    "shared": "1: the constants of lane 0 are those of all lanes",
    "i0": "the integer that stands for 1.0, 1..2^23",
    "n": "bits of an exponential behind the point, 1..31",
    "reciprocal_bits": "R, bits of the reciprocal, 15..46",
    "bound": "lam * n of the left bound",
    "lam": "of the left bound, 0: none",
    "scaled": "1: I_p = x + (x>>1) + (x>>3) + (x>>4); 0: I_p = x",
    "element": "1: the reference point is the element's own; 0: the row's maximum",
    "fill": "1: the table follows and nothing leaves; 0: rows follow",
    "inner": "tiles of an output, two for every 16-bit one; at least 1",
    "outer": "outputs, each of all rows; at least 1",
    "depth_major": "1: a beat of y is one place of every lane; 0: one lane of a tile",
    "x16": "1: x has 16 bits, its high bytes meet one tile, its low bytes the next; 0: 8 bits",
}
"""Of fields, by name; a unit's own documentation says more."""


@dataclass(frozen=True)
class About:
    """What the manifest says of a unit beside its streams.

    equals : what its results equal;  section : of docs/numerics.md;  machine : its document
    """

    unit: str
    purpose: str
    equals: str
    section: str
    machine: dict[str, Any]


def manifest_text(
    bench: Bench,
    about: About,
    plan: Plan,
    payloads: dict[str, Payload],
    beats: dict[str, list[int]],
    checksums: dict[str, str],
) -> str:
    """JSON; `beats` are counted by stream and transaction, `checksums` are SHA-256 by file."""
    name, core, covered = about.unit, plan.core, plan.bins()
    parameters = inspect.signature(type(core)).parameters
    document = {
        "format": "intarsia vectors",
        "version": VERSION,
        "unit": name,
        "purpose": about.purpose,
        "equals": about.equals,
        "section": f"docs/numerics.md, {about.section}",
        "usage": [f"iverilog -g2005 -o {name}.vvp {name}_tb.v {name}.v", f"vvp {name}.vvp +stall=30"],
        "machine": about.machine,
        "parameters": {parameter: getattr(core, parameter) for parameter in parameters},
        "documentation": (inspect.getdoc(type(core)) or "").splitlines(),
        "conventions": CONVENTIONS,
        "seed": plan.seed,
        "values": sum(t.values for t in plan.transactions),
        "streams": {
            stream: {
                "direction": "out" if stream == "o" else "in",
                "bits": payload.bits,
                "beats": sum(beats[stream]),
                "file": f"{name}.{stream}.hex",
                "fields": _fields(stream, payload),
            }
            for stream, payload in payloads.items()
        },
        "covers": [bin_ for bin_ in bench.BINS if bin_ in covered],
        "sha256": checksums,
    }
    lines = (
        json.dumps({"name": t.name, "values": t.values, "beats": {s: beats[s][k] for s in payloads}})
        for k, t in enumerate(plan.transactions)
    )
    # One transaction is one line: there are hundreds.
    head, listed = json.dumps(document, indent=2).removesuffix("\n}"), ",\n    ".join(lines)
    return f'{head},\n  "transactions": [\n    {listed}\n  ]\n}}\n'


def array_name(stream: str, field: Field) -> str:
    """Of a field in the .npz."""
    return f"{stream}.{field.name}" if field.name else stream


def narrowest(field: Field) -> np.dtype[Any]:
    """The narrowest type of NumPy that holds a field."""
    bits = next(bits for bits in (8, 16, 32, 64) if field.width <= bits)
    return np.dtype(f"{'int' if field.signed else 'uint'}{bits}")


def _fields(stream: str, payload: Payload) -> list[dict[str, Any]]:
    fields, at = [], 0
    for field in payload.fields:
        entry = {
            "name": field.name,
            "array": array_name(stream, field),
            "type": narrowest(field).name,
            "lowest_bit": at,
            "width": field.width,
            "signed": field.signed,
            "lanes": None if field.scalar else field.count,
        }
        if field.name in MEANINGS:
            entry["meaning"] = MEANINGS[field.name]
        fields.append(entry)
        at += field.bits
    return fields
