"""How much more memory it takes until a machine moves less to and from DRAM.

Tensors stay on chip or leave it, weights are read once or twice: between such steps more memory
changes nothing. Where the next one is, the compiler itself says: it compiles for other sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from intarsia.arch.isa import Load, Store, Unit
from intarsia.arch.machine import KEYS, Machine, Range
from intarsia.arch.program import Program
from intarsia.emu.compile import Compiler
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph

TRIED = ("scratchpad.banks", "stationary.kib")
"""The keys of the machine that decide what stays on chip, each tried alone."""
SECONDS = 30.0
"""Of searching per key."""
FACTORS = (2, 4, 8)
"""Times the machine's own value: the smallest that changes something is then searched below."""


def dram_bytes(program: Program) -> int:
    """Bytes that a program moves to and from DRAM."""
    moved = 0
    for segment in program.segments:
        for unit in (Unit.LOAD, Unit.STORE):
            for one in segment.queues[unit]:
                if isinstance(one, Load | Store):
                    moved += one.size * one.count1 * one.count2 * segment.repeat
    return moved


def next_steps(
    graph: Graph, program: Program, short: Mapping[str, Sequence[str]], seconds: float = SECONDS
) -> list[dict[str, Any]]:
    """Per key of TRIED the next value with which `graph` moves fewer DRAM bytes than `program` does.

    short: what the program has too little memory for.  seconds: after so long no other size is tried
    for a key.  Each: key, value (the machine's), next (None where nothing up to `up_to` moves less), exact
    (whether nothing below `next` does), dram_bytes, next_dram_bytes, short_of_memory (what leaves the chip
    then). About a dozen compilations per key.
    """
    now = _Attempt(dram_bytes(program), short)
    return [_search(graph, program.machine, key, now, monotonic() + seconds) for key in TRIED]


@dataclass(frozen=True)
class _Attempt:
    """What a compiled machine moves, and what it has too little memory for."""

    moved: int
    short: Mapping[str, Sequence[str]]


def _search(graph: Graph, machine: Machine, key: str, now: _Attempt, until: float) -> dict[str, Any]:
    field, allowed = next((field, allowed) for name, field, allowed in KEYS if name == key)
    assert allowed is not None
    value, step = getattr(machine, field), 2 if allowed.kind == "even" else 1

    def attempt(size: int) -> _Attempt | None:
        """What so much memory gives, if that is less traffic."""
        try:
            changes: dict[str, Any] = {field: size}
            compiler = Compiler(graph, replace(machine, **changes))
            found = _Attempt(dram_bytes(compiler.program()), compiler.spills())
        except InputError:
            return None  # a machine that cannot be, or another that this network does not fit
        return found if found.moved < now.moved else None

    low, tried, best = value, value, None
    for size in _sizes(value, allowed, step):
        if best or monotonic() > until:
            break
        tried, best = size, attempt(size)
        low = low if best else size
    high = tried
    while best and high - low > step and monotonic() < until:
        middle = low + (high - low) // (2 * step) * step
        if found := attempt(middle):
            high, best = middle, found
        else:
            low = middle
    return {
        "key": key,
        "value": value,
        "next": high if best else None,
        "exact": bool(best) and high - low <= step,
        "up_to": tried,
        "dram_bytes": now.moved,
        "next_dram_bytes": best.moved if best else None,
        "short_of_memory": best.short if best else now.short,
    }


def _sizes(value: int, allowed: Range, step: int) -> list[int]:
    """The larger sizes to begin with, inside the range, each once."""
    top = allowed.high // step * step
    return list(dict.fromkeys(min(value * factor, top) for factor in FACTORS if value < top))


def sentence(found: Mapping[str, Any]) -> str:
    """What `next_steps` found for one key, for people."""
    key, value = found["key"], found["value"]
    if found["next"] is None:
        return f"{key} = {value}: nothing up to {found['up_to']} moves less"
    before, after = found["dram_bytes"], found["next_dram_bytes"]
    left = [
        f"{stack}: {reason}" for stack, reasons in found["short_of_memory"].items() for reason in reasons
    ]
    still = f"; still short: {', '.join(left)}" if left else "; then nothing is short"
    return (
        f"{key} = {value}: the next step is at {found['next']}{'' if found['exact'] else ' or below'}, "
        f"{before / 1e6:.2f} MB of DRAM traffic become {after / 1e6:.2f} MB{still}"
    )
