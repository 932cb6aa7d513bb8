"""The file of a program.

It is, little-endian: magic (8 bytes), version (uint32), bytes of the header (uint32), bytes of
the instructions (uint64), SHA-256 over all other bytes of the file (32 bytes); the header, JSON; and the
instructions of each segment's queues, one after another, 32 bytes each.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import astuple, fields
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from intarsia.arch.isa import INSTRUCTION_BYTES, Instruction, Unit, decode, encode
from intarsia.arch.machine import Machine
from intarsia.arch.program import Output, Probe, Program, Region, Segment
from intarsia.model.errors import InputError
from intarsia.model.files import replacing

MAGIC = b"INTARPRG"
VERSION = 1

_PREFIX = struct.Struct("<8sIIQ")
_DIGEST_BYTES = 32
_Record = TypeVar("_Record")


def write_program(program: Program, path: Path) -> None:
    """Write the file of a program whose parts agree; see `Program.save`."""
    header = json.dumps(_header(program), separators=(",", ":")).encode()
    queues = (queue for segment in program.segments for queue in segment.queues)
    code = b"".join(encode(instruction) for queue in queues for instruction in queue)
    prefix = _PREFIX.pack(MAGIC, VERSION, len(header), len(code))
    digest = hashlib.sha256(prefix + header + code).digest()
    with replacing(path) as temporary:
        temporary.write_bytes(prefix + digest + header + code)


def read_program(path: Path) -> Program:
    """The program of a file, checked; see `Program.load`."""
    header, code = _open(path)
    try:
        program = _program(json.loads(header), code)
        program.check()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: the header is not JSON: {error}") from None
    return program


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
