"""What every instruction declares, and what follows from it.

A class holds the fields of an instruction, each annotated with its place in the 32 bytes, and says once
what it reads and writes, how long it takes, what it computes. From that follow encoding and assembly
(`arch.isa.encoding`, `assembly`), accesses, checks, energy and traffic, random programs, what the
hardware cuts out of words and checks, and tables of docs/machine.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from intarsia.arch.duration import ACCESS, ISSUE, ceil_div
from intarsia.arch.isa.access import Access
from intarsia.arch.isa.enums import Space, Unit
from intarsia.arch.isa.field import Field
from intarsia.arch.isa.limit import Apart, Limit
from intarsia.arch.isa.operand import Extent, Operand, extent
from intarsia.arch.isa.record import Record
from intarsia.arch.machine import Machine

Moved = dict[tuple[str, str, str], int]
"""Bytes that move, by level, class and direction (`emu.traffic`)."""

LEVEL_OF = {
    Space.DRAM: "dram",
    Space.SCRATCHPAD: "scratchpad",
    Space.STATIONARY: "stationary",
    Space.PARAMETERS: "constants",
    Space.CONSTANTS: "constants",
    Space.TABLE: "constants",
}
"""What `emu.traffic` calls the memories; the small ones are one level."""


@dataclass(frozen=True)
class Cost:
    """32-bit additions and multiplications per element of `count`; shifts are free."""

    name: str
    additions: int
    multiplications: int
    count: Extent
    why: str = ""


class Instruction:
    """The base of all instructions, frozen dataclasses.

    opcode: w0's lowest byte.  queue: the unit that executes it; None: any.
    fixed: fields that have one value, which the class does not hold.
    operands: in the order in which accesses are listed.  parameter: the parameter word.
    limits: what the machine, or several fields, forbid.
    in_place: the target may be the same matrix as a source whose elements are as wide.
    costs: arithmetic for the energy table.
    unit_cycles: of the unit by itself, in closed form: from its command to its last result.
    issue: cycles around those.
    """

    __slots__ = ()
    opcode: ClassVar[int]
    queue: ClassVar[Unit | None]
    fixed: ClassVar[Mapping[str, tuple[Field, Any]]] = {}
    operands: ClassVar[tuple[Operand, ...]] = ()
    limits: ClassVar[tuple[Limit | Apart, ...]] = ()
    in_place: ClassVar[bool] = False
    costs: ClassVar[tuple[Cost, ...]] = ()
    unit_cycles: ClassVar[Callable[..., int]]
    issue: ClassVar[int] = ISSUE + ACCESS

    @classmethod
    def mnemonic(cls) -> str:
        """The name, as assembly spells it."""
        return cls.__name__.lower()

    @classmethod
    def parameter(cls) -> Record | None:
        """The layout of its parameter word."""
        found = (one.element for one in cls.operands if one.space is Space.PARAMETERS)
        record = next(found, None)
        assert record is None or isinstance(record, Record)
        return record

    @classmethod
    def matrices(cls) -> tuple[str, ...]:
        """The fields that hold addresses of matrices, multiples of 16."""
        return tuple(dict.fromkeys(one.name for one in cls.operands if one.aligned))

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        """What `unit_cycles` takes."""
        raise NotImplementedError

    def cycles(self, machine: Machine) -> int:
        """Cycles from its start to its completion; a WAIT's are those when it is met."""
        return self.issue + self.unit_cycles(*self.quantities(machine))

    def present(self) -> tuple[Operand, ...]:
        """The operands that it has with its flags."""
        return tuple(one for one in self.operands if one.when is None or one.when.holds(self))

    def accesses(self, machine: Machine, base: int = 0) -> tuple[Access, ...]:
        """Everything that it reads and writes; `base`: the DRAM base register."""
        return tuple(one.access(self, machine, base) for one in self.present())

    def compute(self, machine: Machine, of: Mapping[str, Any]) -> Any:
        """The target's elements, from the operands by their names and the parameter word's scalars."""
        raise NotImplementedError

    @property
    def macs(self) -> int:
        """Products that it sums."""
        return 0

    def work(self, machine: Machine) -> dict[str, int]:
        """How often each line of the energy table that is no memory is used."""
        return {cost.name: extent(cost.count, self, machine) for cost in self.costs}

    def moved(self, machine: Machine) -> Moved:
        """Bytes that it moves between its unit and the memories on the chip."""
        found: Moved = {}
        for one in self.present():
            space = one.memory(self)
            kind = "activations" if space is Space.SCRATCHPAD else "constants"
            key = LEVEL_OF[space], kind, "write" if one.write else "read"
            found[key] = found.get(key, 0) + one.bytes_moved(self, machine)
        return found


class RowInstruction(Instruction):
    """An instruction over rows of `length` elements, of a unit that takes some of them per cycle.

    lanes_key: the field of the machine that says how many.
    widest: bytes of the widest element that the unit's port has to move, of all instructions of the unit.
    """

    __slots__ = ()
    rows: int
    length: int
    lanes_key: ClassVar[str]
    widest: ClassVar[int] = 2

    @classmethod
    def lanes(cls, machine: Machine) -> int:
        """Elements that its unit takes per cycle: a port moves at most W bytes."""
        return min(getattr(machine, cls.lanes_key), machine.word // cls.widest)

    def quantities(self, machine: Machine) -> tuple[int, ...]:
        """Rows, and beats of each."""
        return self.rows, ceil_div(self.length, self.lanes(machine))


_FIELDS: dict[type[Instruction], tuple[Field, ...]] = {}


def fields_of(kind: type[Instruction]) -> tuple[Field, ...]:
    """The fields of an instruction in the order in which hardware checks them."""
    if kind not in _FIELDS:
        _FIELDS[kind] = _placed(kind)
    return _FIELDS[kind]


def _placed(kind: type[Instruction]) -> tuple[Field, ...]:
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for one in fields(kind):  # type: ignore[arg-type]
        hint = hints[one.name]
        assert get_origin(hint) is Annotated, f"{kind.__name__}.{one.name} has no place"
        of, place = get_args(hint)
        found.append(place.named(one.name, of))
    return tuple(sorted(found, key=lambda field: field.entry))
