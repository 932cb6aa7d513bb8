"""A look inside a component: induction needs assertions about registers that have no port."""

from __future__ import annotations

from collections import Counter

from amaranth.hdl import Elaboratable, Fragment, Signal
from amaranth.hdl._ast import SignalSet


def opened(component: Elaboratable) -> tuple[Fragment, dict[str, Signal]]:
    """The elaborated component, to take as a submodule in its place, and what it drives, by path.

    Paths are names of submodules and of the signal, joined by dots. Where a module gives several signals
    one name, the later ones have $1, $2 and so on behind it, in the order of their first assignments.
    """
    fragment = Fragment.get(component, platform="formal")
    found: dict[str, Signal] = {}
    _collect(fragment, "", found)
    return fragment, found


def _collect(fragment: Fragment, path: str, found: dict[str, Signal]) -> None:
    driven = SignalSet()
    for statements in fragment.statements.values():
        driven.update(statements._lhs_signals())  # there is no public way
    seen: Counter[str] = Counter()
    for signal in driven:
        number = seen[signal.name]
        seen[signal.name] += 1
        found[path + signal.name + (f"${number}" if number else "")] = signal
    for below, name, _ in fragment.subfragments:
        _collect(below, f"{path}{name}.", found)
