"""What is known of one layout: by which names it is recognized, and how they are translated."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from intarsia.model.checkpoints.tensors import State, some
from intarsia.model.errors import InputError


def _unchanged(state: State, _: Path) -> State:
    return state


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A naming of tensors by some library.

    name: for messages;  network: "vit" (translated to timm's names) or "segmenter" (to the published ones)
    signs: patterns of names;  needed: how many of them must be found, each in some name
    required, absent: a pattern that some name must match, and one that no name may match
    renames: (pattern, replacement), the first that matches a whole name renames it; others stay
    refused: (pattern, what it means) of names that make it a network that is not run
    unused: pattern of translated names that take no part in the network; dropped, and said
    convert: what is left to do on the renamed tensors, (state, source) to state
    normalization: of the pixels, a name of NORMALIZATIONS, where all networks of the layout have one
    proofs: (pattern, normalization, whose) of names that only networks of one normalization have
    head_width: channels of an attention head, where all networks of the layout have the same
    """

    name: str
    network: Literal["vit", "segmenter"]
    signs: tuple[str, ...]
    needed: int = 2
    required: str | None = None
    absent: str | None = None
    renames: tuple[tuple[str, str], ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    unused: str | None = None
    convert: Callable[[State, Path], State] = _unchanged
    normalization: str | None = None
    proofs: tuple[tuple[str, str, str], ...] = ()
    head_width: int | None = None

    def recognizes(self, names: Collection[str]) -> bool:
        """Whether a state dict's names are of this layout."""
        if sum(_any(pattern, names) for pattern in self.signs) < self.needed:
            return False
        if self.required is not None and not _any(self.required, names):
            return False
        return self.absent is None or not _any(self.absent, names)

    def translate(self, state: Mapping[str, object], source: Path) -> tuple[State, list[str]]:
        """The same tensors by the names of here, and notes on what was dropped.

        Names that are not of the layout stay. Raises InputError for two names that become one, and for a
        network that is not run.
        """
        for pattern, meaning in self.refused:
            found = [name for name in state if re.match(pattern, name)]
            if found:
                raise InputError(f"{source} holds {meaning}, which is not run: {some(found)}")
        renamed: State = {}
        for name, value in state.items():
            target = self._renamed(name)
            if target in renamed:
                raise InputError(f"{source} holds {target} twice, once as {some([name])}")
            renamed[target] = value
        unused = [name for name in renamed if self.unused and re.match(self.unused, name)]
        for name in unused:
            del renamed[name]
        notes = [f"not used: {some(sorted({name.split('.', 1)[0] for name in unused}))}"] if unused else []
        return self.convert(renamed, source), notes

    def pixels(self, names: Collection[str]) -> tuple[str, str] | None:
        """The normalization of pixels that names prove, and whose it is; None without a proof."""
        for pattern, normalization, whose in self.proofs:
            if _any(pattern, names):
                return normalization, whose
        return None if self.normalization is None else (self.normalization, self.name)

    def _renamed(self, name: str) -> str:
        for pattern, replacement in self.renames:
            if found := re.fullmatch(pattern, name):
                return found.expand(replacement)
        return name


def _any(pattern: str, names: Collection[str]) -> bool:
    find = re.compile(pattern).match
    return any(find(name) for name in names)
