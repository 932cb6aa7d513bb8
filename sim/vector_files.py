"""Golden vectors in open formats: what a bench plays and expects, as files (docs/vectors.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from intarsia.model.files import replacing
from intarsia.model.kinds import MANIFEST
from intarsia.sim.payload import Payload
from intarsia.sim.plan import Plan
from intarsia.sim.ports import stream_payloads
from intarsia.sim.transaction import Beats, Bench, Ints, Transaction
from intarsia.sim.vector_bench import example_bench
from intarsia.sim.vector_manifest import About, array_name, manifest_text, narrowest


@dataclass(frozen=True)
class Summary:
    """What was written.

    values : that the reference computed;  beats : by stream;  files : those that the manifest names
    """

    unit: str
    transactions: int
    values: int
    beats: dict[str, int]
    manifest: Path
    files: tuple[Path, ...]


def write_files(bench: Bench, about: About, folder: Path, *, vectors: int, seed: int) -> Summary:
    """What a `Plan` plays, all but exhaustive transactions, as files in `folder`.

    These are all directed transactions and random ones of at least `vectors` output values. The
    manifest takes its name last: where it is, all that it names is there.
    """
    plan = Plan(bench, vectors, seed, exhaustive=False)
    payloads = stream_payloads(plan.core)
    beats = {s: [_count(_of(t, s)) for t in plan.transactions] for s in payloads}
    totals = {s: sum(counts) for s, counts in beats.items()}
    name = about.unit
    hexes = {stream: f"{name}.{stream}.hex" for stream in payloads}
    files = (f"{name}.npz", *hexes.values(), f"{name}_tb.v")
    with ExitStack() as stack:
        manifest = stack.enter_context(replacing(folder / f"{name}.json", MANIFEST))
        places = {file: stack.enter_context(replacing(folder / file)) for file in files}
        arrays = _arrays(plan.transactions, payloads, beats)
        np.savez_compressed(places[f"{name}.npz"], allow_pickle=False, **arrays)
        for stream, payload in payloads.items():
            with places[hexes[stream]].open("w", encoding="ascii") as lines:
                for transaction in plan.transactions:
                    lines.writelines(hex_lines(payload, _of(transaction, stream)))
        places[f"{name}_tb.v"].write_text(example_bench(name, payloads, totals), encoding="ascii")
        sums = {file: hashlib.sha256(place.read_bytes()).hexdigest() for file, place in places.items()}
        manifest.write_text(manifest_text(bench, about, plan, payloads, beats, sums), encoding="utf-8")
    return Summary(
        unit=name,
        transactions=len(plan.transactions),
        values=sum(t.values for t in plan.transactions),
        beats=totals,
        manifest=folder / f"{name}.json",
        files=tuple(folder / file for file in files),
    )


def hex_lines(payload: Payload, beats: Beats) -> Iterator[str]:
    """Lines for $readmemh, one packed beat each, all of one length."""
    digits = -(-payload.bits // 4)
    for value in payload.pack(beats):
        yield f"{value:0{digits}x}\n"


def _of(transaction: Transaction, stream: str) -> Beats:
    return transaction.output if stream == "o" else transaction.inputs[stream]


def _count(beats: Beats) -> int:
    return len(next(iter(beats.values())))


def _arrays(
    transactions: list[Transaction], payloads: dict[str, Payload], beats: dict[str, list[int]]
) -> dict[str, Ints]:
    arrays: dict[str, Ints] = {}
    for stream, payload in payloads.items():
        arrays[f"beats.{stream}"] = np.array(beats[stream], np.int64)
        for field in payload.fields:
            columns = [np.asarray(_of(t, stream)[field.name]) for t in transactions]
            arrays[array_name(stream, field)] = np.concatenate(columns).astype(narrowest(field))
    return arrays
