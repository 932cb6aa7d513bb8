"""What is mutated, and the tests that should notice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import wiring


@dataclass(frozen=True)
class Target:
    """A component, of which what the files `sources` (from `hw` on) say is mutated, or all.

    tests : files, of which those tests count that build the component with just these parameters
    """

    name: str
    make: Callable[[], wiring.Component]
    tests: tuple[str, ...]
    sources: tuple[str, ...] = ()

    @property
    def cells(self) -> str:
        """Yosys's selection of the cells that are mutated."""
        found = " ".join(f"a:src=*/hw/{source}:*" for source in self.sources)
        unions = " ".join(["%u"] * (len(self.sources) - 1))
        chosen = f"c:* {found} {unions} %i" if self.sources else "c:*"
        return f"{chosen} t:$meminit* %d"


def parameters(component: wiring.Component) -> dict[str, Any]:
    """What makes two components of a class alike: their attributes but for signals and parts."""
    members = component.signature.members
    return {
        name: value
        for name, value in vars(component).items()
        if not name.startswith("_") and name not in members and not _is_hardware(value)
    }


def _is_hardware(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_is_hardware, value))
    return isinstance(value, Value | wiring.Component)
