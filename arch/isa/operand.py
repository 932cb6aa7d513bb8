"""Operands: what an instruction reads and writes, as a function of its fields and of the machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from intarsia.arch.isa.access import Access
from intarsia.arch.isa.enums import Space
from intarsia.arch.isa.record import Record
from intarsia.arch.machine import PARAMETER_BYTES, Machine

Extent = int | str | tuple[str, ...] | Callable[[Any, Machine], int]
"""A number, a field, a product of fields, or a function of the instruction and the machine."""


def extent(of: Extent, op: Any, machine: Machine) -> int:
    """Its value for one instruction."""
    if isinstance(of, str):
        return getattr(op, of)
    if isinstance(of, int):
        return of
    if isinstance(of, tuple):
        found = 1
        for name in of:
            found *= getattr(op, name)
        return found
    return of(op, machine)


@dataclass(frozen=True)
class When:
    """Where `field` has one of `values`."""

    field: str
    values: tuple[Any, ...] = (True,)

    def holds(self, op: Any) -> bool:
        return getattr(op, self.field) in self.values


def unless(flag: str) -> When:
    """Where a flag is not set."""
    return When(flag, (False,))


@dataclass(frozen=True)
class Element:
    """The type of an operand's elements: `plain`, or `other` where `flag` is set; names of NumPy."""

    plain: str
    flag: str = ""
    other: str = ""

    def of(self, op: Any) -> str:
        """The type that an instruction has."""
        return self.other if self.flag and getattr(op, self.flag) else self.plain

    def bytes(self, op: Any) -> int:
        """The size of an element of it."""
        return _BYTES[self.other if self.flag and getattr(op, self.flag) else self.plain]

    @property
    def sizes(self) -> tuple[int, ...]:
        """All sizes, ascending."""
        return tuple(sorted({_BYTES[name] for name in (self.plain, self.other or self.plain)}))

    @property
    def plain_bytes(self) -> int:
        """The size where the flag is not set."""
        return _BYTES[self.plain]

    @property
    def other_bytes(self) -> int:
        """The size where it is."""
        return _BYTES[self.other or self.plain]


_BYTES = {name: np.dtype(name).itemsize for name in ("int8", "uint8", "int16", "uint16")}
BYTE, INT8, INT16 = Element("uint8"), Element("int8"), Element("int16")


@dataclass(frozen=True)
class Operand:
    """rows * blocks pieces of `columns` elements each, in one memory.

    name: of the field that holds its address, or of what stands at a fixed place.
    space: the memory, or the field that names it.  element: the type of its elements, or a record.
    rows, blocks: extents of the loops over pieces, None where there is no such loop; stride,
    block_stride: the fields with their distances, in bytes.
    address: extent of the place of its first byte, in multiples of `unit` bytes, a number or a field of
    the machine.  based: the flag that adds the base register to it.
    write: it is written.  aligned: it begins at a multiple of 16.
    when: where an instruction has it at all.
    moved: elements that cross the memory's port, where a unit reads some more than once or not at all.
    """

    name: str
    element: Element | Record
    columns: Extent
    rows: Extent | None = None
    stride: str = ""
    blocks: Extent | None = None
    block_stride: str = ""
    space: Space | str = Space.SCRATCHPAD
    address: Extent | None = None
    unit: int | str = 1
    based: str = ""
    write: bool = False
    aligned: bool = False
    when: When | None = None
    moved: Extent | None = None

    def memory(self, op: Any) -> Space:
        """Where it is."""
        return self.space if isinstance(self.space, Space) else getattr(op, self.space)

    def element_bytes(self, op: Any) -> int:
        """Size of an element."""
        return self.element.size if isinstance(self.element, Record) else self.element.bytes(op)

    def dtype(self, op: Any) -> Any:
        """The type of its elements for NumPy."""
        return self.element.dtype if isinstance(self.element, Record) else self.element.of(op)

    def shape(self, op: Any, machine: Machine) -> tuple[int, ...]:
        """Extents of its loops, then its columns."""
        loops = (self.blocks, self.rows, self.columns)
        return tuple(extent(one, op, machine) for one in loops if one is not None)

    def strides(self, op: Any) -> tuple[int, ...]:
        """Of its loops, in bytes."""
        loops = ((self.blocks, self.block_stride), (self.rows, self.stride))
        return tuple(getattr(op, name) if name else 0 for of, name in loops if of is not None)

    def place(self, op: Any, machine: Machine, base: int = 0) -> int:
        """Its first byte; `base`: the DRAM base register."""
        at = extent(self.name if self.address is None else self.address, op, machine)
        if self.unit != 1:
            at *= getattr(machine, self.unit) if isinstance(self.unit, str) else self.unit
        return at + base if self.based and getattr(op, self.based) else at

    def access(self, op: Any, machine: Machine, base: int = 0) -> Access:
        """What it touches."""
        blocks, rows = self.blocks, self.rows
        return Access(
            self.memory(op),
            self.write,
            self.place(op, machine, base),
            extent(self.columns, op, machine) * self.element_bytes(op),
            1 if rows is None else extent(rows, op, machine),
            getattr(op, self.stride) if self.stride else 0,
            1 if blocks is None else extent(blocks, op, machine),
            getattr(op, self.block_stride) if self.block_stride else 0,
        )

    def bytes_moved(self, op: Any, machine: Machine) -> int:
        """Bytes that cross its memory's port."""
        if self.moved is not None:
            return extent(self.moved, op, machine) * self.element_bytes(op)
        return self.access(op, machine).bytes


def matrix(name: str, element: Element, **changes: Any) -> Operand:
    """Rows of `length` elements in the scratchpad, `NAME_stride` apart, from a multiple of 16 on."""
    usual: dict[str, Any] = {"rows": "rows", "columns": "length", "aligned": True}
    return Operand(name, element, stride=f"{name}_stride", **(usual | changes))


def parameter_word(record: Record, **changes: Any) -> Operand:
    """The parameter word that the field `param` names."""
    return Operand(
        "param", record, 1, space=Space.PARAMETERS, address="param", unit=PARAMETER_BYTES, **changes
    )
