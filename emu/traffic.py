"""Bits that a program moves, per memory, tensor class and direction, in closed form.

What counts, per instruction (L lanes, D depth; tiles = (N //^ L) * (K //^ D) * passes of a product):

- LOAD, STORE: bytes asked for, read from one memory and written to the other.
- MATMUL, all tiles whole, as the array moves them: x, M rows of D bytes from the scratchpad per tile (of
  int16 x each pass takes one byte per element); y, L*D bytes per tile, from the stationary buffer
  (packed) or the scratchpad, into the registers of the array; 12 bytes of constants per packed output
  and L outputs; the accumulator, M*L int32 written per tile, and read as often: the first tile of
  an output starts from zero, and at the end the output stage reads; out, M*N elements to the
  scratchpad.
- Registers: per tile L*D bytes of y and M*D of x written; both operands of L*D MAC units read in each
  of M cycles.
- Row units and the elementwise unit: every source element once, every target element once; rows that
  they pass more than once are kept inside. LAYERNORM reads 12 bytes per row and channel from the row
  constants, LOOKUP a byte per element from the pixel table; every instruction with scalars, one
  parameter word. These three small memories are the level `constants`.

Classes: what moves to or from DRAM is of the class of its region there, on the chip as in DRAM (biases
and multipliers packed with weights are weights). The stationary buffer holds weights, the accumulator
partial sums; everything that units read from or write to the scratchpad is activations.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from intarsia.arch.access import accesses
from intarsia.arch.isa import Instruction, Load, Store, Unit, Wait
from intarsia.arch.isa.instruction import LEVEL_OF
from intarsia.arch.machine import Machine
from intarsia.arch.program import OUTPUT_KINDS, Program, Region, Segment
from intarsia.model.errors import InputError

LEVELS = ("dram", "scratchpad", "stationary", "accumulator", "constants", "registers")
CLASSES = ("weights", "activations", "partial sums", "constants")
DIRECTIONS = ("read", "write")

CLASS_OF_KIND = {
    "image": "activations",
    "activations": "activations",
    "weights": "weights",
    "constants": "constants",
    **dict.fromkeys(OUTPUT_KINDS, "activations"),
}
Bytes = Counter[tuple[str, str, str]]
"""(level, class, direction) to bytes."""


def traffic_bits(program: Program) -> dict[str, dict[str, int]]:
    """Bits read and written per level of LEVELS: {"dram": {"read": ..., "write": ...}, ...}."""
    return {
        level: {way: sum(of_class[way] for of_class in classes.values()) for way in DIRECTIONS}
        for level, classes in traffic_by_class(program).items()
    }


def traffic_by_class(program: Program) -> dict[str, dict[str, dict[str, int]]]:
    """Bits per level, class of CLASSES and direction; classes that a level never sees are left out."""
    moved: Bytes = Counter()
    regions = _Regions.of(program)
    for segment in program.segments:
        moved.update(_segment(segment, program.machine, regions))
    return {
        level: {
            kind: {way: 8 * moved[level, kind, way] for way in DIRECTIONS}
            for kind in CLASSES
            if any(moved[level, kind, way] for way in DIRECTIONS)
        }
        for level in LEVELS
    }


@dataclass(frozen=True)
class _Regions:
    """Class of every address in DRAM that lies in a region."""

    starts: list[int]
    stops: list[int]
    kinds: list[str]

    @classmethod
    def of(cls, program: Program) -> _Regions:
        regions = sorted(program.regions, key=lambda region: region.address)
        return cls(
            [region.address for region in regions],
            [region.address + region.size for region in regions],
            [CLASS_OF_KIND[region.kind] for region in regions],
        )

    def kind(self, address: int) -> str:
        """Class of the region that holds `address`."""
        place = bisect_right(self.starts, address) - 1
        if place < 0 or address >= self.stops[place]:
            raise InputError(f"dram address {address:#x} must be in a region of the program, not outside")
        return self.kinds[place]


def _segment(segment: Segment, machine: Machine, regions: _Regions) -> Bytes:
    moved: Bytes = Counter()
    for queue in segment.queues:
        for instruction in queue:
            if isinstance(instruction, Wait):
                continue
            if isinstance(instruction, Load | Store):
                _move(instruction, segment, machine, regions, moved)
                continue
            for key, count in instruction_bytes(instruction, machine).items():
                moved[key] += count * segment.repeat
    return moved


def _move(
    instruction: Load | Store, segment: Segment, machine: Machine, regions: _Regions, moved: Bytes
) -> None:
    """LOAD and STORE: the class may change with the base register, so every iteration is looked at."""
    ends = [
        (LEVEL_OF[a.space], "write" if a.write else "read", a.bytes) for a in accesses(instruction, machine)
    ]
    if not instruction.based or not segment.base_step:
        base = segment.base if instruction.based else 0
        kinds = {regions.kind(instruction.dram + base): segment.repeat}
    else:
        first, step = instruction.dram + segment.base, segment.base_step
        kinds = Counter(regions.kind(first + i * step) for i in range(segment.repeat))
    for kind, times in kinds.items():
        for level, way, size in ends:
            moved[level, kind, way] += size * times


def instruction_bytes(instruction: Instruction, machine: Machine) -> Bytes:
    """Bytes that one instruction of a computing unit moves."""
    return Counter(instruction.moved(machine))


def level_sums(by_class: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Bits per memory and direction, from those per class."""
    return {
        level: {way: sum(part[way] for part in classes.values()) for way in ("read", "write")}
        for level, classes in by_class.items()
    }


def moved_bytes(program: Program) -> dict[Region, dict[str, int]]:
    """Bytes read from and written to every DRAM region."""
    moved: dict[Region, dict[str, int]] = defaultdict(lambda: {"read": 0, "write": 0})
    regions = sorted(program.regions, key=lambda region: region.address)
    starts = [region.address for region in regions]
    for segment in program.segments:
        for unit, direction in ((Unit.LOAD, "read"), (Unit.STORE, "write")):
            for one in segment.queues[unit]:
                if not isinstance(one, Load | Store):
                    continue
                address = one.dram + (segment.base if one.based else 0)
                size = one.size * one.count1 * one.count2 * segment.repeat
                region = regions[bisect_right(starts, address) - 1]
                moved[region][direction] += size
    return moved
