"""A compiled program: segments of instruction queues, the DRAM map, and what memory should hold when.

A program file is, little-endian: magic (8 bytes), version (uint32), bytes of the header (uint32), bytes of
the instructions (uint64), SHA-256 over all other bytes of the file (32 bytes); the header, JSON; and the
instructions of each segment's queues, one after another, 32 bytes each.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, fields
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from intarsia.arch.isa import INSTRUCTION_BYTES, UNIT, Instruction, Unit, Wait, decode, encode
from intarsia.arch.machine import Machine
from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, replacing

MAGIC = b"INTARPRG"
VERSION = 1
OUTPUT_KINDS = ("labels", "classes", "features")
"""Kinds of regions that the program leaves its results in."""
REGION_KINDS = ("image", "weights", "constants", "activations", *OUTPUT_KINDS)
LABEL_DTYPES = ("uint8", "uint16")
OUTPUT_DTYPES = ("int8", "uint8", "int16", "uint16")
PROBE_DTYPES = ("int8", "uint8", "int16", "uint16", "int32")

_PREFIX = struct.Struct("<8sIIQ")
_DIGEST_BYTES = 32
_Record = TypeVar("_Record")


@dataclass(frozen=True)
class Probe:
    """What the scratchpad holds once the `index`-th instruction (waits not counted) of `unit` is complete.

    At `address`, rows x columns elements of `dtype` with a row stride in bytes:
    tensor[(head,) row:row+rows, column:column+columns]. `Segment.name_of` gives its name in an iteration.
    """

    tensor: str
    unit: Unit
    index: int
    address: int
    stride: int
    rows: int
    columns: int
    dtype: str
    row: int
    column: int
    head: int | None = None


@dataclass(frozen=True)
class Segment:
    """One instruction list per unit, run `repeat` times.

    Parameters
    ----------
    queues
        By Unit, waits included.
    labels
        Per queue, per instruction that is not a Wait: the graph node it works for, "{i}" for the iteration.
    base, base_step
        DRAM base register in bytes: before the first iteration, and its growth per iteration.
    names
        Pairs of a label, or a probe's tensor, and what it stands for in each iteration, where that does not
        follow from "{i}".
    """

    name: str
    queues: tuple[tuple[Instruction, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    repeat: int = 1
    base: int = 0
    base_step: int = 0
    probes: tuple[Probe, ...] = ()
    names: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def name_of(self, label: str, iteration: int) -> str:
        """What a label or a probe's tensor is called in an iteration."""
        listed = self._listed.get(label)
        return label.replace("{i}", str(iteration)) if listed is None else listed[iteration]

    def same_in_all(self, label: str) -> bool:
        """Whether a label is called the same in every iteration."""
        return "{i}" not in label and label not in self._listed

    @cached_property
    def _listed(self) -> dict[str, tuple[str, ...]]:
        return dict(self.names)


@dataclass(frozen=True)
class Region:
    """A part of DRAM; kind: one of REGION_KINDS."""

    name: str
    address: int
    size: int
    kind: str


@dataclass(frozen=True)
class Output:
    """A region that holds a result, by its name, and the type of its elements."""

    region: str
    dtype: str


@dataclass(frozen=True)
class Program:
    """What a machine runs for one image.

    label_dtype: type of the labels, uint8 or uint16; empty: there are none.  outputs: the regions of other
    results.
    """

    machine: Machine
    segments: tuple[Segment, ...]
    regions: tuple[Region, ...]
    dram_bytes: int
    label_dtype: str
    outputs: tuple[Output, ...] = ()

    def output_dtype(self, region: Region) -> str:
        """Type of the elements of a region of one of OUTPUT_KINDS."""
        return next(
            (output.dtype for output in self.outputs if output.region == region.name), self.label_dtype
        )

    def check(self) -> None:
        """Raises InputError where parts contradict each other: queues, labels, probes, regions, outputs."""
        _member("label_dtype", self.label_dtype, (*LABEL_DTYPES, "") if self.outputs else LABEL_DTYPES)
        self._check_outputs()
        if not 0 <= self.dram_bytes <= 2**32:
            raise InputError(f"dram_bytes must be in 0..{2**32}, not {self.dram_bytes}")
        for region in self.regions:
            _member(f"kind of region {region.name}", region.kind, REGION_KINDS)
            if region.address < 0 or region.size < 0 or region.address + region.size > self.dram_bytes:
                place = f"at {region.address} with {region.size} bytes"
                raise InputError(f"region {region.name} must be inside 0..{self.dram_bytes}, not {place}")
        for segment in self.segments:
            _check_segment(segment)
            check_base(segment, self.machine)

    def _check_outputs(self) -> None:
        known = {region.name for region in self.regions if region.kind in OUTPUT_KINDS}
        for output in self.outputs:
            _member(f"dtype of output {output.region}", output.dtype, OUTPUT_DTYPES)
            if output.region not in known:
                raise InputError(
                    f"output {output.region} must be a region of {', '.join(OUTPUT_KINDS)}, not missing"
                )
        if self.label_dtype:
            return
        listed = {output.region for output in self.outputs}
        if unlisted := sorted(known - listed):
            raise InputError(f"the dtype of region {unlisted[0]} must be listed in outputs, not missing")

    def save(self, path: str | Path) -> None:
        """Writes one file; an instruction without encoding or a place not writable raises InputError."""
        self.check()
        header = json.dumps(_header(self), separators=(",", ":")).encode()
        queues = (queue for segment in self.segments for queue in segment.queues)
        code = b"".join(encode(instruction) for queue in queues for instruction in queue)
        prefix = _PREFIX.pack(MAGIC, VERSION, len(header), len(code))
        digest = hashlib.sha256(prefix + header + code).digest()
        with replacing(Path(path)) as temporary:
            temporary.write_bytes(prefix + digest + header + code)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Reads a file of `save`; one of another kind or version, cut off or changed raises InputError."""
        header, code = _open(existing_file(Path(path)))
        try:
            program = _program(json.loads(header), code)
            program.check()
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: the header is not JSON: {error}") from None
        return program


def check_base(segment: Segment, machine: Machine) -> None:
    """Raises InputError unless the base register always holds a multiple of the memory port's width:
    else the words that a transfer touches would change from one iteration to the next."""
    for name, value in (("base", segment.base), ("base_step", segment.base_step)):
        if value % machine.memory_width:
            raise InputError(
                f"segment {segment.name}: {name} must be a multiple of memory.width_bytes"
                f" = {machine.memory_width}, not {value}"
            )


def _check_segment(segment: Segment) -> None:
    where = f"segment {segment.name}"
    if segment.repeat < 1:
        raise InputError(f"{where}: repeat must be 1 or more, not {segment.repeat}")
    for name, parts in (("queues", segment.queues), ("labels", segment.labels)):
        if len(parts) != len(Unit):
            raise InputError(f"{where}: {name} must be {len(Unit)}, not {len(parts)}")
    for unit, queue, labels in zip(Unit, segment.queues, segment.labels, strict=True):
        kinds = [type(instruction) for instruction in queue if not isinstance(instruction, Wait)]
        if strangers := sorted({kind.__name__ for kind in kinds if UNIT[kind] != unit}):
            raise InputError(
                f"{where}: the queue of {unit.name} must hold its own instructions, "
                f"not {', '.join(strangers)}"
            )
        if len(labels) != len(kinds):
            counts = f"{len(kinds)} as its instructions, not {len(labels)}"
            raise InputError(f"{where}: labels of {unit.name} must be {counts}")
    for probe in segment.probes:
        _member(f"{where}: dtype of the probe of {probe.tensor}", probe.dtype, PROBE_DTYPES)
        total = len(segment.labels[probe.unit])
        if not 0 <= probe.index < total:
            allowed = f"in 0..{total - 1} of {probe.unit.name}"
            raise InputError(
                f"{where}: index of the probe of {probe.tensor} must be {allowed}, not {probe.index}"
            )
    for label, names in segment.names:
        if len(names) != segment.repeat:
            raise InputError(
                f"{where}: {label} must have a name for each iteration, {segment.repeat}, not {len(names)}"
            )


def _member(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} must be one of {', '.join(allowed)}, not {value!r}")


def _open(path: Path) -> tuple[bytes, bytes]:
    """Header and instructions of a file that is whole."""
    data = path.read_bytes()
    start = _PREFIX.size + _DIGEST_BYTES
    if data[: len(MAGIC)] != MAGIC:
        raise InputError(f"{path} is not a program: it must begin with {MAGIC!r}, not {data[:8]!r}")
    if len(data) < start:
        raise InputError(
            f"{path} is cut off or damaged: it must have {start} bytes or more, not {len(data)}"
        )
    _, version, header_bytes, code_bytes = _PREFIX.unpack_from(data)
    if version != VERSION:
        raise InputError(f"{path} must be a program of version {VERSION}, not {version}")
    if len(data) != start + header_bytes + code_bytes:
        wanted = start + header_bytes + code_bytes
        raise InputError(f"{path} is cut off or damaged: it must have {wanted} bytes, not {len(data)}")
    if hashlib.sha256(data[: _PREFIX.size] + data[start:]).digest() != data[_PREFIX.size : start]:
        raise InputError(f"{path} is damaged: its SHA-256 is not the one that was written")
    return data[start : start + header_bytes], data[start + header_bytes :]


def _header(program: Program) -> dict[str, Any]:
    """Everything but the instructions; labels as indices into `names`, records as lists of their fields."""
    names: dict[str, int] = {}
    segments = [
        {
            "name": segment.name,
            "repeat": segment.repeat,
            "base": segment.base,
            "base_step": segment.base_step,
            "lengths": [len(queue) for queue in segment.queues],
            "labels": [[names.setdefault(label, len(names)) for label in part] for part in segment.labels],
            "probes": [astuple(probe) for probe in segment.probes],
            **({"names": segment.names} if segment.names else {}),
        }
        for segment in program.segments
    ]
    return {
        "machine": program.machine.document(),
        "dram_bytes": program.dram_bytes,
        "label_dtype": program.label_dtype,
        **({"outputs": [astuple(output) for output in program.outputs]} if program.outputs else {}),
        "regions": [astuple(region) for region in program.regions],
        "names": list(names),
        "segments": segments,
    }


def _program(header: Any, code: bytes) -> Program:
    """The program of a header and its instructions; what `_header` never makes raises InputError."""
    names = [_text("names", name) for name in _list("names", _get(header, "names"))]
    step = INSTRUCTION_BYTES
    instructions = iter([decode(code[place : place + step]) for place in range(0, len(code), step)])
    segments = [_segment(part, names, instructions) for part in _list("segments", _get(header, "segments"))]
    if left := sum(1 for _ in instructions):
        raise InputError(f"all instructions must belong to segments, not all but {left}")
    machine = _get(header, "machine")
    if not isinstance(machine, dict):
        raise InputError(f"machine must be an object, not {machine!r}")
    return Program(
        Machine.from_document(machine, "machine"),
        tuple(segments),
        tuple(_record(Region, values) for values in _list("regions", _get(header, "regions"))),
        _integer("dram_bytes", _get(header, "dram_bytes")),
        _text("label_dtype", _get(header, "label_dtype")),
        tuple(_record(Output, values) for values in _list("outputs", header.get("outputs", []))),
    )


def _segment(part: Any, names: list[str], instructions: Iterator[Instruction]) -> Segment:
    queues = []
    for length in _list("lengths", _get(part, "lengths")):
        if _integer("lengths", length) < 0:
            raise InputError(f"lengths must be 0 or more, not {length}")
        queue = tuple(islice(instructions, length))
        if len(queue) != length:
            raise InputError(f"a queue must have {length} instructions, not {len(queue)}")
        queues.append(queue)

    def label(number: Any) -> str:
        if not 0 <= _integer("labels", number) < len(names):
            raise InputError(f"labels must be in 0..{len(names) - 1}, not {number}")
        return names[number]

    return Segment(
        _text("name", _get(part, "name")),
        tuple(queues),
        tuple(
            tuple(label(number) for number in _list("labels", labels))
            for labels in _list("labels", _get(part, "labels"))
        ),
        _integer("repeat", _get(part, "repeat")),
        _integer("base", _get(part, "base")),
        _integer("base_step", _get(part, "base_step")),
        tuple(_record(Probe, values) for values in _list("probes", _get(part, "probes"))),
        tuple(_listed(pair) for pair in _list("names", part.get("names", []))),
    )


def _listed(pair: Any) -> tuple[str, tuple[str, ...]]:
    if len(_list("names", pair)) != 2:
        raise InputError(f"names must hold a label and its names, not {len(pair)} values")
    label, names = pair
    return _text("names", label), tuple(_text("names", name) for name in _list("names", names))


def _get(mapping: Any, key: str) -> Any:
    if not isinstance(mapping, dict) or key not in mapping:
        raise InputError(f"the header lacks {key!r}")
    return mapping[key]


def _list(name: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{name} must be a list, not {value!r}")
    return value


def _integer(name: str, value: Any) -> int:
    if type(value) is not int:
        raise InputError(f"{name} must be an integer, not {value!r}")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{name} must be a text, not {value!r}")
    return value


def _unit(name: str, value: Any) -> Unit:
    if _integer(name, value) not in list(Unit):
        raise InputError(f"{name} must be in 0..{len(Unit) - 1}, not {value}")
    return Unit(value)


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "str": _text,
    "int": _integer,
    "Unit": _unit,
    "int | None": lambda name, value: None if value is None else _integer(name, value),
}


def _record(kind: type[_Record], values: Any) -> _Record:
    """The dataclass `kind` of the list of its fields."""
    wanted = fields(kind)  # type: ignore[arg-type]
    if len(_list(kind.__name__, values)) != len(wanted):
        raise InputError(f"a {kind.__name__} must have {len(wanted)} values, not {len(values)}")
    return kind(*(_READERS[str(f.type)](f.name, value) for f, value in zip(wanted, values, strict=True)))
