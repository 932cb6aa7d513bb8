"""The state dict inside of what a file holds, and a word on which was taken."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from intarsia.model.checkpoints.tensors import State, some
from intarsia.model.errors import InputError

USUAL = ("model", "state_dict", "state_dict_ema", "model_state_dict", "model_ema", "teacher")
"""Entries that trainers keep a state dict in; the first that a file has is taken."""

DEEPEST = 4
"""Mappings inside each other that are looked through."""


def find_state(data: object, source: Path) -> tuple[State, list[str]]:
    """The mapping of names to tensors in what a file holds, and notes on what was taken.

    It is the mapping itself where a network's tensors lie in it; else what one of the USUAL entries holds;
    else the only entry that is one. What lies beside its tensors, under a name without parts, is left out.
    Raises InputError where there is no such mapping, or several and none is usual.
    """
    path: list[str] = []
    note = ""
    for _ in range(DEEPEST):
        inside = _holding(data)
        usual = [key for key in USUAL if key in inside]
        if not usual and _tensors(data) >= max(inside.values(), default=0):
            break
        if not usual and len(inside) > 1:
            raise InputError(
                f"{source} must hold one state dict, or one under a usual name ({', '.join(USUAL)}), "
                f"not {len(inside)}: {some(list(inside))}"
            )
        assert isinstance(data, Mapping)
        taken = (usual or list(inside))[0]
        others = [key for key in inside if key != taken]
        path.append(taken)
        note = f"{'.'.join(path)} was taken" + (f", not {some(others)}" if others else "")
        data = data[taken]
    if not isinstance(data, Mapping) or not all(isinstance(key, str) for key in data):
        raise InputError(f"{source} must hold a state dict (names to tensors), not a {type(data).__name__}")
    beside = [key for key, value in data.items() if "." not in key and not _is_array(value)]
    state = {key: value for key, value in data.items() if key not in set(beside)}
    notes = [note] if note else []
    if not state:
        return dict(data), notes
    return state, notes + ([f"not used: {some(beside)}"] if beside else [])


def _holding(data: object) -> dict[str, int]:
    """Entries that are, or hold, a mapping of names to tensors, and the most tensors in one."""
    if not isinstance(data, Mapping):
        return {}
    seen: set[int] = set()
    counts = {key: _most(value, DEEPEST, seen) for key, value in data.items() if isinstance(key, str)}
    return {key: count for key, count in counts.items() if count}


def _most(data: object, depth: int, seen: set[int]) -> int:
    """The most tensors in a mapping that is, or lies in, `data`; each mapping is looked at once."""
    if not isinstance(data, Mapping) or depth == 0 or id(data) in seen:
        return 0
    seen.add(id(data))
    inner = (_most(value, depth - 1, seen) for key, value in data.items() if isinstance(key, str))
    return max(_tensors(data), max(inner, default=0))


def _tensors(data: object) -> int:
    """Tensors of numbers in a mapping itself; a scalar such as a loss is none of a network."""
    if not isinstance(data, Mapping):
        return 0
    return sum(isinstance(key, str) and _is_array(value) for key, value in data.items())


def _is_array(value: object) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0
