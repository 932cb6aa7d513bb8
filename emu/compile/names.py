"""Labels of a repeated segment: the names of its nodes, whatever they are, by iteration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

Listed = tuple[tuple[str, tuple[str, ...]], ...]
"""As in `arch.program.Segment.names`."""


def labels_of_parts(names: Mapping[str, Sequence[str]]) -> tuple[dict[str, str], Listed]:
    """Per part of a block a label for its names in all iterations, and the names that "{i}" cannot tell.

    names: by part, one per iteration.
    """
    literal = any("{i}" in name for of_part in names.values() for name in of_part)
    labels: dict[str, str] = {}
    listed = []
    for part, of_part in names.items():
        label = None if literal else _numbered(of_part)
        labels[part] = of_part[0] if label is None else label
        if label is None and (literal or len(of_part) > 1):
            listed.append((of_part[0], tuple(of_part)))
    return labels, tuple(listed)


def _numbered(names: Sequence[str]) -> str | None:
    """The label that is `names` with 0, 1, ... for "{i}", if there is one."""
    for zero in re.finditer(r"(?<!\d)0(?!\d)", names[0]):
        label = names[0][: zero.start()] + "{i}" + names[0][zero.end() :]
        if all(label.replace("{i}", str(i)) == name for i, name in enumerate(names)):
            return label
    return None
