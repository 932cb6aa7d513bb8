"""Kinds of files that are written: how their names end, and how an existing file of the kind is known.

A file is only replaced by one of its own kind, so that a slip in a name costs no work: what is not known by
its first bytes is refused. An empty file may become anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from intarsia.model.errors import InputError

HEAD = 1 << 16
"""Bytes by which a file is known."""


@dataclass(frozen=True)
class Kind:
    """noun : with its article, for sentences;  suffixes : one of which ends the name, in any case;
    known : whether a file with these first HEAD bytes is one"""

    noun: str
    suffixes: tuple[str, ...]
    known: Callable[[bytes], bool]

    def check(self, path: Path) -> None:
        """Raises InputError for a name with another ending, and where a file of another kind stands."""
        if path.suffix.lower() not in self.suffixes:
            raise InputError(f"{path}: the name of {self.noun} must end in {', '.join(self.suffixes)}")
        self.check_existing(path)

    def check_existing(self, path: Path) -> None:
        """Raises InputError where a file of another kind stands, which would be lost."""
        if not path.exists():
            return
        if not path.is_file():
            raise InputError(f"cannot write {path}: it must be an ordinary file, not a device or a pipe")
        with path.open("rb") as file:
            head = file.read(HEAD)
        if head and not self.known(head):
            raise InputError(
                f"{path} exists and is not {self.noun}: it would be lost; name another file, or remove it"
            )


def _begins(*magics: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(magics)


def _text(pattern: bytes) -> Callable[[bytes], bool]:
    found = re.compile(pattern, re.IGNORECASE)
    return lambda head: found.match(head) is not None


def _safetensors(head: bytes) -> bool:
    """Of this program: an artifact or a checkpoint."""
    return head[8:].lstrip().startswith(b'{"__metadata__":{"intarsia":')


def _onnx(head: bytes) -> bool:
    """The fields of a ModelProto, in the order in which all tools write them, up to its graph (7)."""
    place, last = 0, 0
    while place < len(head):
        tag, place = _varint(head, place)
        number, wire = tag >> 3, tag & 7
        if number == 7:
            return wire == 2 and last >= 1
        if not last < number < 7 or wire != (0 if number in (1, 5) else 2):
            return False
        value, place = _varint(head, place)
        place += value if wire else 0
        last = number
    return False


def _varint(head: bytes, place: int) -> tuple[int, int]:
    """A number of a protobuf and the place behind it; a very large one where it has no end."""
    value = 0
    for shift in range(0, 70, 7):
        if place + shift // 7 >= len(head):
            break
        byte = head[place + shift // 7]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + shift // 7 + 1
    return 1 << 70, len(head)


ARTIFACT = Kind("an artifact", (".intarsia",), _safetensors)
CHECKPOINT = Kind("a checkpoint of this program", (".safetensors",), _safetensors)
STATE = Kind("a training state", (".state",), _begins(b"PK\x03\x04"))
ONNX = Kind("an ONNX model", (".onnx",), _onnx)
PNG = Kind("a PNG picture", (".png",), _begins(b"\x89PNG\r\n\x1a\n"))
CHART = Kind(
    "a picture",
    (".png", ".svg", ".pdf"),
    lambda head: PNG.known(head) or head.startswith(b"%PDF-") or b"<svg" in head[:4096],
)
PAGE = Kind(
    "an HTML page", (".html",), _text(rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)*<(!doctype\s+html|html)\b")
)
TRACE = Kind(
    "a JSON trace", (".json",), lambda head: head.lstrip()[:1] in (b"{", b"[") and b'"traceEvents"' in head
)
MANIFEST = Kind("a manifest of vectors", (".json",), _text(rb'\s*\{\s*"format":\s*"intarsia vectors"'))
PROGRAM = Kind("a program", (".prog",), _begins(b"INTARPRG"))
VERILOG = Kind(
    "Verilog that this program wrote",
    (".v",),
    _text(rb"// (\w+, generated from Amaranth|Plays the beats of )"),
)
ARRAYS = Kind("a file of arrays", (".npz",), _begins(b"PK\x03\x04"))
HEX = Kind("a file of beats", (".hex",), _text(rb"([0-9a-f]+\r?\n)+[0-9a-f]*\Z"))
TABLE = Kind("a table of layers", (".csv",), _begins(b"name,op,start,end,cycles"))
TESTS = Kind("a JUnit report", (".xml",), _text(rb"\s*(<\?xml.*?\?>\s*)?<testsuites?\b"))
WAVES = Kind("waves", (".vcd", ".fst"), _text(rb"\s*\$(date|version|comment|timescale)\b|\x00"))

KINDS: tuple[Kind, ...] = (
    ARTIFACT, CHECKPOINT, STATE, ONNX, PNG, PAGE, PROGRAM, VERILOG, ARRAYS, HEX, TABLE, TESTS, WAVES,
)  # fmt: skip
"""By their suffixes what is written knows its kind, unless it names one; JSON is of several."""

BY_SUFFIX = {suffix: kind for kind in KINDS for suffix in kind.suffixes} | {".svg": CHART, ".pdf": CHART}


def kind_of(path: Path) -> Kind | None:
    """The kind that a file of this name is of, if it is one that this program writes."""
    return BY_SUFFIX.get(path.suffix.lower())
