"""Modules of RTLIL that are alike become one, such as the lanes of a unit."""

from __future__ import annotations

import re

MODULE = re.compile(r"^module (\S+)\n(.*?)^end\n", re.M | re.S)
CELL = re.compile(r"^  cell (\S+) ", re.M)


def shared(rtlil: str) -> str:
    """The same design; of modules with the same text, up to modules in them that are alike, only the
    first is kept."""
    bodies = dict(MODULE.findall(rtlil))
    names: dict[str, str] = {}
    first: dict[str, str] = {}

    def kept(name: str) -> str:
        """The module that stands for this one; of operations and memories their own name."""
        if name not in bodies:
            return name
        if name not in names:
            body = CELL.sub(lambda cell: f"  cell {kept(cell[1])} ", bodies[name])
            names[name] = first.setdefault(body, name)
        return names[name]

    for name in bodies:
        kept(name)
    return "".join(f"module {name}\n{body}end\n" for body, name in first.items())
