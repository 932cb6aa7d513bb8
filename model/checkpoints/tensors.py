"""Tensors of a file, checked before they are used, and the names that messages list."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from intarsia.model.errors import InputError
from intarsia.model.messages import printable

State = dict[str, object]
"""Names to tensors, or to what a file has in their place."""

LISTED = 32
"""Names that a message lists before it only counts, numbered ones as one."""

MAX_NAME = 120
"""Characters of a name that a message shows."""


def checked(key: str, value: object, source: Path) -> Tensor:
    """A dense tensor of finite numbers, as FP32; anything else is refused by its name."""
    if not isinstance(value, Tensor):
        raise InputError(f"{source}: {key} must be a tensor, not a {type(value).__name__}")
    dense = value.layout == torch.strided and value.device.type == "cpu"
    if not (dense and value.is_floating_point()):
        raise InputError(
            f"{source}: {key} must be a dense floating-point tensor, not {value.dtype} "
            f"({value.layout}, {value.device})"
        )
    tensor = value.detach().to(torch.float32)
    if not bool(tensor.isfinite().all()):
        raise InputError(f"{source}: {key} holds NaN or infinity")
    return tensor


def fitting(
    tensors: Mapping[str, object], wanted: Mapping[str, Sequence[int]], source: Path
) -> dict[str, Tensor]:
    """All `wanted` tensors (names to shapes) in FP32; what does not fit is refused, all of it by name."""
    shapes = {key: shape_of(value) for key, value in tensors.items()}
    problems = {
        "unknown": [key for key in tensors if key not in wanted],
        "missing": [key for key in wanted if key not in tensors],
        "misshapen": [
            f"{key} {shapes[key]} instead of {list(shape)}"
            for key, shape in wanted.items()
            if isinstance(tensors.get(key), Tensor) and shapes[key] != list(shape)
        ],
    }
    found = [f"{kind}: {some(names)}" for kind, names in problems.items() if names]
    if found:
        raise InputError(f"{source} does not fit the model; {'; '.join(found)}")
    return {key: checked(key, tensors[key], source) for key in wanted}


def check_size(tensors: Mapping[str, object], source: Path, size: int) -> None:
    """Refuse tensors that have more numbers than the `size` bytes of their files.

    A view can have more elements than there are numbers behind it.
    """
    asked = sum(v.numel() * v.element_size() for v in tensors.values() if isinstance(v, Tensor))
    if asked > size:
        raise InputError(f"{source} describes tensors of {asked} bytes, but has {size}")


def shape_of(value: object) -> list[int]:
    """Shape of a tensor, [] of anything else."""
    return list(value.shape) if isinstance(value, Tensor) else []


def some(names: Sequence[str]) -> str:
    """Names as a message lists them: where they are many, `blocks.0.x, blocks.1.x` as `blocks.0..1.x`."""
    if len(names) > LISTED:
        names = _numbered(names)
    rest = len(names) - LISTED
    return ", ".join(printable(name[:MAX_NAME]) for name in names[:LISTED]) + (
        f" and {rest} more" if rest > 0 else ""
    )


_NUMBER = re.compile(r"(?<=\.)(\d{1,9})(?=\.)")


def _numbered(names: Sequence[str]) -> list[str]:
    """Names that differ in their first number alone as one, with the smallest and the largest number."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name in names:
        number = _NUMBER.search(name)
        key = (name, "") if number is None else (name[: number.start()], name[number.end() :])
        groups.setdefault(key, []).extend([] if number is None else [int(number[0])])
    return [f"{before}{_range(numbers)}{after}" for (before, after), numbers in groups.items()]


def _range(numbers: Sequence[int]) -> str:
    if len(numbers) < 2:
        return "".join(map(str, numbers))
    low, high = min(numbers), max(numbers)
    if high - low + 1 == len(set(numbers)):
        return f"{low}..{high}"
    return f"{{{','.join(map(str, sorted(set(numbers))[:LISTED]))}}}"
