"""Random instructions, whatever they would do, as strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from intarsia.arch.isa import INSTRUCTIONS, Instruction
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.instruction import fields_of


def values(field: Field) -> st.SearchStrategy[Any]:
    """The values that a field may hold; its ends are likely."""
    numbers = st.integers(field.low // field.scale, field.high // field.scale)
    ends = st.sampled_from([field.low, field.high])
    return (ends | numbers.map(lambda number: number * field.scale)).map(field.type)


def instructions(*kinds: type[Instruction]) -> st.SearchStrategy[Any]:
    """Instructions of these kinds, by default of all."""
    return st.one_of(
        [
            st.builds(kind, **{field.name: values(field) for field in fields_of(kind)})
            for kind in kinds or INSTRUCTIONS
        ]
    )
