"""Random programs: every unit busy in banks of its own, with waits that are met, and all of it stored.

A first segment fills the memories on the chip, the others hold random instructions, the last stores the
scratchpad. Units run side by side, each on its own part of the scratchpad, so that any order of their
instructions gives the same result and no port is held twice; within a unit everything may touch what
came before. What the program computes and when is up to the emulator to say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.machine import (
    ENTRY_BYTES,
    PARAMETER_BYTES,
    PARAMETER_WORDS,
    PARAMETERS_BYTES,
    TABLE_BYTES,
    Machine,
)
from intarsia.arch.program import Program, Region, Segment

AREAS = {
    Unit.LOAD: 1,
    Unit.STORE: 1,
    Unit.ARRAY: 3,
    Unit.SHIFTMAX: 2,
    Unit.LAYERNORM: 2,
    Unit.GELU: 2,
    Unit.ELEMENTWISE: 3,
}
"""Parts of the scratchpad: an operand that is read while another one is, has one of its own."""
SPARE_BYTES = 1 << 16
"""DRAM that random LOADs read and random STOREs write."""


def least_banks() -> int:
    """Of a machine that random programs run on."""
    return sum(AREAS.values())


@dataclass
class Chip:
    """What the first segment fills, and which of it is spoken for."""

    machine: Machine
    rng: np.random.Generator
    spaces: dict[Space, NDArray[np.uint8]] = field(init=False)
    params: int = 0
    stationary: int = 0

    def __post_init__(self) -> None:
        sizes = {
            Space.SCRATCHPAD: self.machine.scratchpad_bytes,
            Space.STATIONARY: self.machine.stationary_bytes,
            Space.PARAMETERS: PARAMETERS_BYTES,
            Space.CONSTANTS: self.machine.constants_bytes,
            Space.TABLE: TABLE_BYTES,
        }
        self.spaces = {s: self.rng.integers(0, 256, size, dtype=np.uint8) for s, size in sizes.items()}
        channels = self.spaces[Space.CONSTANTS].view(np.dtype([("b", "<i4"), ("B", "<i8")]))
        channels["b"] = self.rng.integers(-(2**15), 2**15, len(channels))
        channels["B"] = self.rng.integers(-(2**44), 2**44, len(channels))

    def param(self, **fields: tuple[int, str, int]) -> int:
        """A parameter word with these fields (first byte, type, value); its index."""
        index = self.params
        self.params += 1
        if index >= PARAMETER_WORDS:
            raise ValueError(f"a program has at most {PARAMETER_WORDS} parameter words")
        word = np.zeros(PARAMETER_BYTES, np.uint8)
        for first, kind, value in fields.values():
            one = np.array([value], kind).view(np.uint8)
            word[first : first + one.size] = one
        self.spaces[Space.PARAMETERS].reshape(-1, PARAMETER_BYTES)[index] = word
        return index


class Maker:
    """Random instructions of every unit, inside its areas."""

    def __init__(self, chip: Chip, spare: tuple[int, int]) -> None:
        self.chip, self.machine, self.rng = chip, chip.machine, chip.rng
        self.spare_in, self.spare_out = spare
        total = sum(AREAS.values())
        size = self.machine.banks // total * self.machine.bank_bytes
        parts = [(k * size, (k + 1) * size) for k in range(total)]
        self.areas: dict[Unit, list[tuple[int, int]]] = {}
        for unit, count in AREAS.items():
            self.areas[unit], parts = parts[:count], parts[count:]

    def one(self, unit: Unit) -> Instruction | None:
        """An instruction, or None where memory for it is used up."""
        match unit:
            case Unit.LOAD | Unit.STORE:
                return self.transfer(unit)
            case Unit.ARRAY:
                return self.matmul()
            case Unit.SHIFTMAX:
                return self.shiftmax()
            case Unit.LAYERNORM:
                return self.layernorm()
            case Unit.GELU:
                return self.gelu()
            case Unit.ELEMENTWISE:
                kinds = (self.residual, self.lookup, self.argmax, self.expand)
                return kinds[self.below(len(kinds))]()

    def below(self, end: int) -> int:
        return int(self.rng.integers(end))

    def between(self, low: int, high: int) -> int:
        """low..high, small numbers more often."""
        span = high - low
        return low + min(int(self.rng.random() ** 2 * (span + 1)), span)

    def shift(self, bits: int) -> int:
        """A shift that brings so many bits to about eight, mostly."""
        return int(np.clip(bits - 8 + self.rng.integers(-3, 4), 0, 63)) if self.below(8) else self.below(64)

    def picked(self, unit: Unit, count: int) -> list[tuple[int, int]]:
        """Different areas of a unit, in any order."""
        order = self.rng.permutation(len(self.areas[unit]))[:count]
        return [self.areas[unit][k] for k in order]

    def place(self, area: tuple[int, int], rows: int, row_bytes: int, align: int = 16) -> tuple[int, int]:
        """Address and stride of a matrix somewhere in an area; it fits by the choice of `fit`."""
        low, high = area
        smallest = -(-row_bytes // 16) * 16
        spare = (high - low - row_bytes) // max(rows - 1, 1) // 16 * 16 if rows > 1 else smallest + 64
        stride = min(smallest + 16 * self.below(4), max(spare, smallest))
        room = high - low - (rows - 1) * stride - row_bytes
        return low + (self.below(room // align + 1) * align if room > 0 else 0), stride

    def fit(self, area: tuple[int, int], length: int, element: int, most: int) -> int:
        """Rows of such a length that fit an area, at least one."""
        row = -(-length * element // 16) * 16
        return max(1, min(self.between(1, most), (area[1] - area[0]) // row))

    def length(self, area: tuple[int, int], element: int, most: int) -> int:
        return self.between(1, min(most, (area[1] - area[0] - 16) // element))

    def shiftmax(self) -> Instruction:
        source, target = self.picked(Unit.SHIFTMAX, 2)
        length = self.length(target, 2, 300)
        rows = self.fit(target, length, 2, 9)
        at, stride = self.place(source, rows, length)
        narrow = bool(self.below(2))
        if narrow and self.below(3) == 0:
            to, to_stride = at, stride
        else:
            to, to_stride = self.place(target, rows, length * (1 if narrow else 2))
        param = self.chip.param(
            i0=(0, "<u4", self.between(1, 400)),
            n=(4, "u1", self.between(5, 31)),
            bits=(5, "u1", 15 + self.below(32)),
        )
        return Shiftmax(at, to, rows, length, stride, to_stride, param, narrow)

    def gelu(self) -> Instruction:
        source, target = self.picked(Unit.GELU, 2)
        length = self.length(target, 1, 300)
        rows = self.fit(target, length, 1, 9)
        at, stride = self.place(source, rows, length)
        to, to_stride = (at, stride) if self.below(3) == 0 else self.place(target, rows, length)
        param = self.chip.param(
            b=(0, "<i4", int(self.rng.integers(-(2**31), 2**31))),
            c=(4, "u1", self.shift(45)),
            form=(5, "u1", self.below(3)),
            i0=(8, "<u4", self.between(1, 400)),
        )
        return Gelu(at, to, rows, length, stride, to_stride, param)

    def layernorm(self) -> Instruction:
        source, target = self.picked(Unit.LAYERNORM, 2)
        length = self.length(target, 2, 300 * self.machine.layernorm_length // 1024)
        rows = self.fit(target, length, 2, 9)
        at, stride = self.place(source, rows, 2 * length)
        wide = bool(self.below(2))
        if wide and self.below(3) == 0:
            to, to_stride = at, stride
        else:
            to, to_stride = self.place(target, rows, length * (2 if wide else 1))
        param = self.chip.param(c=(4, "u1", self.shift(46)))
        return Layernorm(at, self.below(2), to, rows, length, stride, to_stride, param, wide)

    def residual(self) -> Instruction:
        first, second, target = self.picked(Unit.ELEMENTWISE, 3)
        length = self.length(target, 2, 300)
        rows = self.fit(target, length, 2, 9)
        at, stride = self.place(first, rows, 2 * length)
        other, other_stride = self.place(second, rows, 2 * length)
        choice = self.below(4)
        to, to_stride = self.place(target, rows, 2 * length)
        to, to_stride = [(at, stride), (other, other_stride), (to, to_stride), (to, to_stride)][choice]
        param = self.chip.param(
            b1=(0, "<i4", int(self.rng.integers(-(2**31), 2**31))),
            c1=(4, "u1", self.shift(40)),
            b2=(8, "<i4", int(self.rng.integers(-(2**31), 2**31))),
            c2=(12, "u1", self.shift(40)),
        )
        return Residual(at, other, to, rows, length, stride, other_stride, to_stride, param)

    def lookup(self) -> Instruction:
        source, target = self.picked(Unit.ELEMENTWISE, 2)
        length = self.length(target, 1, 300)
        rows = self.fit(target, length, 1, 9)
        at, stride = self.place(source, rows, length)
        to, to_stride = (at, stride) if self.below(3) == 0 else self.place(target, rows, length)
        return Lookup(at, to, rows, length, stride, to_stride)

    def argmax(self) -> Instruction:
        source, target = self.picked(Unit.ELEMENTWISE, 2)
        wide = bool(self.below(2))
        length = self.length(source, 2, 300 if wide else 256)
        rows = self.fit(source, length, 2, 20)
        at, stride = self.place(source, rows, 2 * length)
        to, _ = self.place(target, 1, rows * (2 if wide else 1), align=1)
        return Argmax(at, to, rows, length, stride, wide)

    def expand(self) -> Instruction:
        source, target = self.picked(Unit.ELEMENTWISE, 2)
        wide = bool(self.below(2))
        element = 2 if wide else 1
        factor = self.between(2 if wide else 1, 20)
        length = self.between(1, max(1, (target[1] - target[0] - 16) // (element * factor) // 2))
        rows = self.fit(target, length * factor, element, 6)
        at, stride = self.place(source, rows, length * element, align=1)
        to, to_stride = self.place(target, rows, length * factor * element)
        return Expand(at, to, rows, length, stride, to_stride, factor, wide)

    def matmul(self) -> Instruction | None:
        x_area, y_area, out_area = self.picked(Unit.ARRAY, 3)
        machine = self.machine
        x16, out16 = bool(self.below(2)), bool(self.below(2))
        layout = Layout(self.below(3))
        k = self.length(x_area, 2, 3 * machine.depth)
        n = self.length(out_area, 2, 3 * machine.lanes)
        most = min(machine.accumulator_rows, 40)
        rows = min(self.fit(x_area, k, 2, most), self.fit(out_area, n, 2, most))
        y, y_stride, param = 0, 0, 0
        bits = 15 + 31
        if layout is Layout.PACKED:
            found = self.packed(k, n, bits)
            if found is None:
                return None
            y = found
        else:
            if layout is Layout.LANE_MAJOR:
                n = min(n, self.fit(y_area, k, 1, n))
                y, y_stride = self.place(y_area, n, k)
            else:
                k = min(k, self.fit(y_area, n, 1, k))
                y, y_stride = self.place(y_area, k, n)
            b = int(self.rng.integers(-(2**31), 2**31))
            param = self.chip.param(b=(0, "<i4", b), c=(4, "u1", self.shift(bits)))
        x, x_stride = self.place(x_area, rows, k * (2 if x16 else 1))
        out, out_stride = self.place(out_area, rows, n * (2 if out16 else 1))
        return Matmul(
            x, y, out, rows, k, n, x_stride, y_stride, out_stride, layout, x16, out16, param
        )  # fmt: skip

    def packed(self, k: int, n: int, bits: int) -> int | None:
        """Where packed weights with good constants are in the stationary buffer; None where it is full."""
        lanes, depth = self.machine.lanes, self.machine.depth
        tiles, steps = -(-n // lanes), -(-k // depth)
        each = lanes * ENTRY_BYTES + steps * lanes * depth
        at = self.chip.stationary + 16 * self.below(3)
        if at + tiles * each > self.machine.stationary_bytes:
            return None
        for tile in range(tiles):
            place = at + tile * each
            head = self.chip.spaces[Space.STATIONARY][place : place + lanes * ENTRY_BYTES]
            entries = head.view(np.dtype([("bias", "<i4"), ("b", "<i4"), ("c", "u1"), ("zeros", "u1", 3)]))
            entries["bias"] = self.rng.integers(-(2**16), 2**16, lanes)
            entries["c"] = [self.shift(bits) for _ in range(lanes)]
            entries["zeros"] = 0
        self.chip.stationary = -(-(at + tiles * each) // 16) * 16
        return at

    def transfer(self, unit: Unit) -> Instruction:
        ((low, high),) = self.areas[unit]
        size = self.between(1, min(300, high - low))
        count1, count2 = self.between(1, 5), self.between(1, 4)
        while True:
            inner, outer = self.strides(size, count1, count2)
            extent = size + (count1 - 1) * inner + (count2 - 1) * outer
            if extent <= high - low:
                break
            count1, count2 = max(1, count1 - 1), max(1, count2 - 1)
        away = self.strides(size, count1, count2)
        reach = size + (count1 - 1) * away[0] + (count2 - 1) * away[1]
        dram = (self.spare_in if unit is Unit.LOAD else self.spare_out) + self.below(
            SPARE_BYTES // 2 - reach
        )
        at = low + self.below(high - low - extent + 1)
        fields: dict[str, Any] = {
            "dram": dram,
            "address": at,
            "size": size,
            "count1": count1,
            "count2": count2,
            "dram_stride1": away[0],
            "dram_stride2": away[1],
            "stride1": inner,
            "stride2": outer,
            "based": bool(self.below(2)),
        }
        return Load(space=Space.SCRATCHPAD, **fields) if unit is Unit.LOAD else Store(**fields)

    def strides(self, size: int, count1: int, count2: int) -> tuple[int, int]:
        """Of pieces that do not overlap, either loop the inner one in memory."""
        gap = self.between(0, 40)
        if self.below(2):
            inner = size + gap
            return inner, count1 * inner + self.below(20)
        outer = size + gap
        return count2 * outer + self.below(20), outer


def random_program(
    machine: Machine, seed: int, *, instructions: int = 14, repeat: int = 3, whole: bool = False
) -> tuple[Program, NDArray[np.uint8]]:
    """A program of about so many instructions, and the DRAM that it starts with; reproducible.

    The machine needs at least one bank per area, 14. The memories on the chip are filled in pieces, or each
    as a `whole`.
    """
    rng = np.random.default_rng(seed)
    chip = Chip(machine, rng)
    align = max(64, machine.memory_width)
    address = 0
    regions = []

    def region(name: str, size: int, kind: str) -> int:
        nonlocal address
        at = address
        regions.append(Region(name, at, size, kind))
        address = -(-(at + size) // align) * align
        return at

    # What the memories on the chip hold, in pieces that have anything beside them in DRAM.
    shifts = np.random.default_rng((seed, 1))
    pieces = []
    for space, low, high in _wholes(chip) if whole else _pieces(chip, shifts):
        shift = 0 if whole else int(shifts.integers(align))
        at = region(space.name.lower(), shift + high - low, "weights") + shift
        pieces.append((at, space, low, high))
    spare_in = region("spare", SPARE_BYTES, "weights")
    spare_out = region("stored", SPARE_BYTES, "activations")
    dump = region("dump", machine.scratchpad_bytes, "labels")
    maker = Maker(chip, (spare_in, spare_out))
    middle = [_middle(maker, f"random{k}", instructions, repeat) for k in range(1 + maker.below(2))]
    once: dict[str, Any] = dict.fromkeys(("count1", "count2"), 1)
    once |= dict.fromkeys(("dram_stride1", "dram_stride2", "stride1", "stride2"), 0)
    fill = [
        Load(dram=at, space=space, address=low, size=high - low, **once) for at, space, low, high in pieces
    ]
    take = Store(dram=dump, address=0, size=machine.scratchpad_bytes, **once)
    segments = (_segment("fill", {Unit.LOAD: fill}), *middle, _segment("dump", {Unit.STORE: [take]}))
    dram = rng.integers(0, 256, address, dtype=np.uint8)
    for at, space, low, high in pieces:
        dram[at : at + high - low] = chip.spaces[space][low:high]
    program = Program(machine, segments, tuple(regions), address, "uint8")
    program.check()
    return program, dram


def _wholes(chip: Chip) -> list[tuple[Space, int, int]]:
    """All memories on the chip, from their first byte to their end."""
    return [(space, 0, len(data)) for space, data in chip.spaces.items()]


def _pieces(chip: Chip, rng: np.random.Generator) -> list[tuple[Space, int, int]]:
    """The same in pieces, in any order."""
    pieces = []
    for space, _, end in _wholes(chip):
        cuts = sorted({0, end, *rng.integers(1, end, rng.integers(4)).tolist()})
        pieces += [(space, low, high) for low, high in pairwise(cuts)]
    return [pieces[k] for k in rng.permutation(len(pieces))]


def _middle(maker: Maker, name: str, instructions: int, repeat: int) -> Segment:
    queues: dict[Unit, list[Instruction]] = {unit: [] for unit in Unit}
    done = dict.fromkeys(Unit, 0)
    for _ in range(instructions):
        unit = Unit(maker.below(len(Unit)))
        instruction = maker.one(unit)
        if instruction is None:
            continue
        for _ in range(maker.below(3)):
            other = Unit(maker.below(len(Unit)))
            queues[unit].append(Wait(other, maker.below(done[other] + 4) - 3))
        queues[unit].append(instruction)
        done[unit] += 1
    times = 1 + maker.below(repeat)
    step = maker.machine.memory_width * maker.below(9)
    return _segment(name, queues, times, step)


def _segment(name: str, queues: dict[Unit, list[Any]], repeat: int = 1, base_step: int = 0) -> Segment:
    lists = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple(name for i in queue if not isinstance(i, Wait)) for queue in lists)
    return Segment(name, lists, labels, repeat, 0, base_step)
