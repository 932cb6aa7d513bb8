"""The JSON header of an artifact: read within limits, and held against the dataclasses of the graph.

What an entry may be is said once, by the fields of `Graph`, `Node`, `Tensor` and the options; the schema
is made of them. Every refusal is one sentence with the entry's place, what it must be and its value.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph
from intarsia.model.messages import one_line, shortened
from intarsia.model.networks import DEFAULT, find

MAX_DEPTH = 16
"""Lists and objects inside each other; a header needs 6."""

MAX_TEXT = 256
"""Characters of a name or another text."""

MAX_DIGITS = 19
"""Of an integer: those of 2^63."""

_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_EXPECTED = re.compile(r"Expected `(?P<wanted>.*?)`, got `(?P<found>.*?)`")
_FIELD = re.compile(r"Object (?P<what>missing required|contains unknown) field `(?P<name>.*)`", re.DOTALL)
_WORDS = {
    "int": "an integer",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
}


class _Number(str):
    """A number of the header that no entry may be."""


def read_json(text: str) -> Any:
    """The value of a JSON text; too deep, doubled and endless parts raise InputError."""
    depth = deepest = 0
    for found in _BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH:
        raise InputError(f"its header must be nested at most {MAX_DEPTH} deep, not {deepest}")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_Number
        )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"its header is not JSON: {one_line(error)}") from None
    if any(map(_wrong, _values(value))):
        # Their places are looked for only now: they take longer than everything else.
        raise next(
            InputError(f"{place or 'its header'} {wrong}") for place, wrong in _places(value) if wrong
        )
    return value


def check_header(value: object) -> None:
    """Refuse a header that is not `version`, `sha256` and a `graph` of the fields and types of `Graph`.

    The graph's `config` has those of its network's configuration.
    """
    graph = value.get("graph") if isinstance(value, dict) else None
    network = graph.get("network") if isinstance(graph, dict) else None
    try:
        # Where there is no name, or what is none, that is refused below, whatever the configuration.
        msgspec.convert(value, _header(network if isinstance(network, str) else DEFAULT))
    except msgspec.ValidationError as error:
        raise InputError(_sentence(str(error), value)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise InputError(f"its header must have the entry {shortened(twice)} once in an object, not twice")
    return found


def _integer(text: str) -> int | _Number:
    return int(text) if len(text.lstrip("-")) <= MAX_DIGITS else _Number(text)


def _real(text: str) -> float | _Number:
    value = float(text)
    return value if math.isfinite(value) else _Number(text)


def _values(value: Any) -> Iterator[Any]:
    """Every value inside, keys too."""
    left = [value]
    while left:
        part = left.pop()
        yield part
        if isinstance(part, dict):
            left += part
            left += part.values()
        elif isinstance(part, list):
            left += part


def _places(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """The place of every value inside, and what is wrong with it."""
    yield place, _wrong(value)
    if isinstance(value, dict):
        for key, part in value.items():
            yield f"a key of {place or 'its header'}", _wrong(key)
            yield from _places(part, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield from _places(part, f"{place}[{i}]")


def _wrong(value: Any) -> str:
    """What an entry must be and not this value; empty where it may be this one."""
    if isinstance(value, _Number):
        kind = f"a number of {len(value)} characters" if len(value) > MAX_DIGITS else str(value)
        return f"must be a finite number of at most {MAX_DIGITS} digits, not {kind}"
    if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
        return f"must be at most {MAX_TEXT} printable characters, not {shortened(value)}"
    return ""


@cache
def _header(network: str) -> type[msgspec.Struct]:
    graph = _record(Graph, config=find(network).config)
    parts = [("version", int), ("sha256", str), ("graph", graph)]
    return msgspec.defstruct("Header", parts, forbid_unknown_fields=True, kw_only=True)


def _record(kind: type, **narrower: type) -> type[msgspec.Struct]:
    """What JSON holds of a dataclass. Arrays are not JSON, and records by name are a list of records.

    narrower: types of fields that are known better than the class says.
    """
    hints = get_type_hints(kind) | narrower
    parts: list[Any] = []
    for field in fields(kind):
        if kind is Graph and field.name == "constants":
            continue
        default = () if field.default is MISSING else (field.default,)
        parts.append((field.name, _written(hints[field.name]), *default))
    return msgspec.defstruct(kind.__name__, parts, forbid_unknown_fields=True, kw_only=True)


def _written(hint: Any) -> Any:
    parts = get_args(hint)
    if is_dataclass(hint):
        return _record(hint)  # type: ignore[arg-type]
    if get_origin(hint) is Mapping and is_dataclass(parts[1]):
        return tuple[_record(parts[1]), ...]  # type: ignore[arg-type, misc]
    if get_origin(hint) is tuple and is_dataclass(parts[0]):
        return tuple[_record(parts[0]), ...]  # type: ignore[arg-type, misc]
    return hint


def _sentence(text: str, header: Any) -> str:
    """The library's message with the place as we write it, and the value found there."""
    message, at, steps = text.removesuffix("`").rpartition(" - at `$")
    message, steps = (message, steps) if at else (text, "")
    expected, field = _EXPECTED.search(message), _FIELD.search(message)
    place, value = "", header
    for key, index, other in _STEP.findall(steps):
        step: str | int = int(index) if index else key
        if other:  # some value of an object with free keys: the first that is of the type found
            found = expected["found"] if expected else ""
            step = next((k for k, v in value.items() if _kind(v) == found), next(iter(value)))
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break  # a name in the message that looks like a place
        place += f"[{step}]" if index else f".{step}"
    place = place.lstrip(".") or "the header"
    if field:
        what = "lacks the entry" if field["what"].startswith("missing") else "has the unknown entry"
        return f"{place} {what} {shortened(field['name'])}"
    if expected:
        wanted = " or ".join(_WORDS.get(word, word) for word in expected["wanted"].split(" | "))
        return f"{place} must be {wanted}, not {shortened(value)}"
    return f"{place} is {shortened(value)}: {message[:1].lower()}{message[1:]}"


def _kind(value: object) -> str:
    kinds = {bool: "bool", int: "int", float: "float", str: "str", list: "array", dict: "object"}
    return kinds.get(type(value), "null")
