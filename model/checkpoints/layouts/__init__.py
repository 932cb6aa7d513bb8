"""Layouts of state dicts, one file each: how to recognize the names, and what they are called here.

A file of this folder with a `LAYOUT` is one; nothing else lists them.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from intarsia.model.checkpoints.layouts.layout import Layout


@cache
def layouts() -> tuple[Layout, ...]:
    """All layouts, in the order of their files' names."""
    modules = (import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__))
    return tuple(module.LAYOUT for module in modules if hasattr(module, "LAYOUT"))


def recognized(names: Collection[str]) -> Layout | None:
    """The layout that a state dict's names are of; None for a foreign network."""
    return next((layout for layout in layouts() if layout.recognizes(names)), None)
