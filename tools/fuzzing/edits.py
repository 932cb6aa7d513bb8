"""Random edits: of bytes, of text, and of JSON values at any depth. A seed makes the same one each time."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Place = tuple[Any, Any]
"""A list or object and an index or key of it."""

_RAW = "@raw:"
_RAW_TEXTS = {
    "digits": "9" * 5000,
    "deep": "[" * 100_000 + "]" * 100_000,
    "nan": "NaN",
    "infinity": "-Infinity",
    "large": "1e999",
    "float": "8.0",
}
VALUES: tuple[Any, ...] = (
    0, 1, -1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 16, 31, 32, 46, 47, 63, 64, 127, 128, 255, 256, 257, 1023,
    1024, 4096, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32, 2**62, 2**62 + 1, 2**63, 2**64, -8,
    -(2**31), -(2**31) + 1, -(2**62), -(2**63), 10**9, 10**18, 10**25, 0.5, -0.0, 1e308, 1e-300, None,
    True, False, "", "x", "8", "8.0", " ", "\x1b[31m", "\ud800", "\0", "a" * 300, "../../x", "encoder",
    "image",    "labels", [], {}, [[]], [None], {"a": 1}, [1, 2, 3], *(_RAW + name for name in _RAW_TEXTS),
)  # fmt: skip
"""Values at borders and of the wrong type."""


def dumps(value: Any) -> str:
    """JSON of an edited value; some of its parts are no JSON."""
    text = json.dumps(value)
    for name, raw in _RAW_TEXTS.items():
        text = text.replace(json.dumps(_RAW + name), raw)
    return text


def places(value: Any) -> list[Place]:
    """Every value inside `value` that can be replaced."""
    found: list[Place] = []
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        found.append((value, key))
        found += places(value[key])
    return found


def edit_json(value: Any, rng: random.Random) -> str:
    """What was done to one place of a list or object: another value, one less, one more, two swapped."""
    holder, key = rng.choice(places(value))
    kind = rng.choice(("value", "value", "value", "near", "copy", "delete", "insert", "swap", "double"))
    old = holder[key]
    if kind == "near" and type(old) is int:
        holder[key] = rng.choice((old - 1, old + 1, old * 2, -old, old + 2**16, float(old), str(old)))
    elif kind == "near" and isinstance(old, str):
        holder[key] = rng.choice((old + "x", old[:-1], old.upper(), old[::-1], [old], None))
    elif kind == "copy":
        other, at = rng.choice(places(value))
        holder[key] = copy.deepcopy(other[at])
    elif kind == "delete":
        del holder[key]
    elif kind == "insert":
        new = copy.deepcopy(rng.choice((*VALUES, old)))
        if isinstance(holder, list):
            holder.insert(key, new)
        else:
            holder[rng.choice(("x", "name", "shape", "bias", "n", "\x1b]0;x\x07", "B", f"{key}x"))] = new
    elif kind == "swap":
        other_key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        holder[key], holder[other_key] = holder[other_key], holder[key]
    elif kind == "double" and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(old))
    else:
        kind = "value"
        holder[key] = copy.deepcopy(rng.choice(VALUES))
    return f"{kind} at {key!r}"


def double_a_key(text: str, rng: random.Random) -> str:
    """JSON in which one object has an entry twice."""
    starts = [i for i, c in enumerate(text) if c == "{"]
    at = rng.choice(starts) + 1
    key = rng.choice(("name", "op", "graph", "version", "x"))
    return f'{text[:at]}"{key}": 1, "{key}": 2, {text[at:]}'


def edit_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes flipped, cut out, put in, doubled, moved, or numbers at borders written over them."""
    edited = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = (
            rng.randrange(len(edited) + 1)
            if rng.random() < 0.6
            else rng.randrange(min(64, len(edited)) + 1)
        )
        width = rng.choice((1, 2, 4, 8))
        size = rng.choice((1, 4, 16, 100, len(edited)))
        kind = rng.randrange(6)
        if kind == 0 and at < len(edited):
            edited[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del edited[at : at + size]
        elif kind == 2:
            edited[at:at] = rng.randbytes(min(size, 200))
        elif kind == 3:
            edited[at : at + size] = edited[at : at + size] * 2
        else:
            number = rng.choice(
                (0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1)
            )
            order = rng.choice(("little", "big"))
            edited[at : at + width] = (number % 256**width).to_bytes(width, order)
    return bytes(edited)


def edit_text(text: str, rng: random.Random, words: Sequence[str]) -> str:
    """Lines or words doubled, deleted, swapped or replaced, by `words` or by numbers at borders."""
    lines = text.splitlines(keepends=True)
    steps: list[Callable[[], None]] = []

    def at() -> int:
        return rng.randrange(len(lines))

    def double() -> None:
        lines.insert(at(), lines[at()])

    def delete() -> None:
        del lines[at()]

    def swap() -> None:
        i, j = at(), at()
        lines[i], lines[j] = lines[j], lines[i]

    def word() -> None:
        i = at()
        parts = lines[i].split(" ") if " " in lines[i] else lines[i].split(",")
        new = str(rng.choice((*VALUES[:50], *words)))
        parts[rng.randrange(len(parts))] = _RAW_TEXTS.get(new.removeprefix(_RAW), new)
        lines[i] = (" " if " " in lines[i] else ",").join(parts)
        lines[i] = lines[i] if lines[i].endswith("\n") or rng.random() < 0.1 else lines[i] + "\n"

    steps += [double, delete, swap, word, word, word, word]
    for _ in range(rng.choice((1, 1, 2, 4))):
        if lines:
            rng.choice(steps)()
    return "".join(lines)
