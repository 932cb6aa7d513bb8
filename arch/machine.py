"""The machine description: a TOML file, validated key by key (docs/machine.md, section 1)."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from intarsia.model.errors import InputError
from intarsia.model.files import refusing
from intarsia.model.messages import shortened
from intarsia.model.text import check_depth, read_text

PRESETS = ("edge", "mobile", "server")
PARAMETER_WORDS = 256
PARAMETER_BYTES = 16
PARAMETERS_BYTES = PARAMETER_WORDS * PARAMETER_BYTES
ENTRY_BYTES = 12
"""Constants of one output of a packed product, or of one channel of a LayerNorm."""
CONSTANT_SLOTS = 2
TABLE_BYTES = 3 * 256


@dataclass(frozen=True)
class Range:
    """The integers low..high, of them only the powers of two or the even ones if so said; why no others."""

    low: int
    high: int
    kind: str = ""
    why: str = ""

    def __contains__(self, value: object) -> bool:
        if type(value) is not int or not self.low <= value <= self.high:
            return False
        if self.kind == "power of two":
            return value & (value - 1) == 0
        return self.kind != "even" or value % 2 == 0

    def at_least(self, value: int) -> int | None:
        """The smallest of them that is `value` or more; None if there is none."""
        found = max(value, self.low)
        if self.kind == "power of two":
            found = 1 << (found - 1).bit_length()
        if self.kind == "even":
            found += found % 2
        return found if found <= self.high else None

    def __str__(self) -> str:
        kind = {"power of two": "a power of two", "even": "an even integer"}.get(self.kind, "an integer")
        return f"{kind} in {self.low}..{self.high}{self.why and f' ({self.why})'}"


_LANES = Range(1, 256, "power of two")
_ARRAY = Range(4, 256, "power of two")

# Key in the file, field of Machine, allowed values.
KEYS: tuple[tuple[str, str, Range | None], ...] = (
    ("name", "name", None),
    ("clock_mhz", "clock_mhz", Range(1, 5000)),
    ("array.lanes", "lanes", _ARRAY),
    ("array.depth", "depth", _ARRAY),
    ("array.accumulator_rows", "accumulator_rows", Range(16, 8192)),
    ("units.shiftmax_lanes", "shiftmax_lanes", _LANES),
    ("units.layernorm_lanes", "layernorm_lanes", _LANES),
    ("units.gelu_lanes", "gelu_lanes", _LANES),
    ("units.elementwise_lanes", "elementwise_lanes", _LANES),
    ("units.row_length", "row_length", Range(1024, 65535)),
    ("scratchpad.banks", "banks", Range(8, 1024)),
    ("scratchpad.bank_kib", "bank_kib", Range(1, 1024)),
    ("stationary.kib", "stationary_kib", Range(2, 65536, "even")),
    ("memory.width_bytes", "memory_width", Range(1, 128, "power of two", "words of AXI4 end at 1024 bits")),
    ("memory.latency", "memory_latency", Range(1, 10000)),
    ("units.layernorm_length", "layernorm_length", Range(1024, 4096, "power of two")),
)
MAX_FILE_BYTES = 1 << 16
"""Of a file that describes a machine."""

MAX_NAMED = 8
"""Unknown keys that a sentence names."""

# Keys that a file may leave out.
DEFAULTS: dict[str, int] = {"units.row_length": 8192, "units.layernorm_length": 1024}


@dataclass(frozen=True)
class Machine:
    """One accelerator. A value out of its range raises InputError with the key, the value and the range."""

    name: str
    clock_mhz: int
    lanes: int
    depth: int
    accumulator_rows: int
    shiftmax_lanes: int
    layernorm_lanes: int
    gelu_lanes: int
    elementwise_lanes: int
    banks: int
    bank_kib: int
    stationary_kib: int
    memory_width: int
    memory_latency: int
    row_length: int = DEFAULTS["units.row_length"]
    layernorm_length: int = DEFAULTS["units.layernorm_length"]

    def __post_init__(self) -> None:
        for key, field, allowed in KEYS:
            value = getattr(self, field)
            if allowed is None:
                if not isinstance(value, str) or not value.strip():
                    raise InputError(f"{key} must be a text that is not empty, not {shortened(value)}")
            elif value not in allowed:
                raise InputError(f"{key} must be {allowed}, not {shortened(value)}")

    @property
    def word(self) -> int:
        """Bytes W of a scratchpad port: at least two lines of 16."""
        return max(32, 2 * max(self.lanes, self.depth))

    @property
    def bank_bytes(self) -> int:
        return self.bank_kib * 1024

    @property
    def scratchpad_bytes(self) -> int:
        return self.banks * self.bank_bytes

    @property
    def stationary_bytes(self) -> int:
        """Both halves of the stationary buffer."""
        return self.stationary_kib * 1024

    @property
    def slot_bytes(self) -> int:
        """A slot of row constants."""
        return self.layernorm_length * ENTRY_BYTES

    @property
    def constants_bytes(self) -> int:
        """All slots of row constants."""
        return CONSTANT_SLOTS * self.slot_bytes

    @property
    def accumulator_bytes(self) -> int:
        """Both accumulator banks."""
        return 2 * self.accumulator_rows * self.lanes * 4

    @property
    def on_chip_bytes(self) -> int:
        """Every memory but those of the programs."""
        small = PARAMETERS_BYTES + self.constants_bytes + TABLE_BYTES
        return self.scratchpad_bytes + self.stationary_bytes + self.accumulator_bytes + small

    @classmethod
    def load(cls, source: str | Path) -> Machine:
        """The preset named `source`, or the machine that the TOML file `source` describes."""
        if not isinstance(source, str | Path):
            raise InputError(f"a machine must be the name of a preset or a TOML file, not {source!r}")
        if str(source) in PRESETS:
            path = Path(__file__).parent / "presets" / f"{source}.toml"
        else:
            path = Path(source)
            with refusing(f"{path} cannot be read"):
                there = "\0" not in str(source) and path.exists()
            if not there and path.suffix != ".toml" and path.name == str(source):
                name = shortened(str(source))
                raise InputError(f"a machine must be a preset ({', '.join(PRESETS)}) or a file, not {name}")
        text = read_text(path, MAX_FILE_BYTES, what="TOML")
        check_depth(text, path)
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path} is not TOML: {error}") from None
        except ValueError:  # Python reads no more digits than this
            raise InputError(
                f"{path} is not TOML: an integer has more than {sys.get_int_max_str_digits()} digits"
            ) from None
        return cls.from_document(document, str(path))

    @classmethod
    def from_document(cls, document: dict[str, Any], where: str) -> Machine:
        """The machine of nested tables, as TOML gives them; errors name `where` they came from."""
        found = DEFAULTS | _flatten(document)
        known = [key for key, _, _ in KEYS]
        if unknown := [key for key in found if key not in known]:
            short = [key if len(key) <= 60 else shortened(key) for key in unknown[:MAX_NAMED]]
            names = ", ".join(short) + (", ..." if len(unknown) > MAX_NAMED else "")
            raise InputError(f"{where}: unknown key {names}; known are {', '.join(known)}")
        if missing := [key for key in known if key not in found]:
            raise InputError(f"{where}: missing key {', '.join(missing)}")
        try:
            return cls(**{field: found[key] for key, field, _ in KEYS})
        except InputError as error:
            raise InputError(f"{where}: {error}") from None

    def document(self) -> dict[str, Any]:
        """Nested tables, as in the TOML file."""
        tables: dict[str, Any] = {}
        for key, field, _ in KEYS:
            *table, last = key.split(".")
            place = tables.setdefault(table[0], {}) if table else tables
            place[last] = getattr(self, field)
        return tables


def _flatten(document: dict[str, Any]) -> dict[str, Any]:
    """Keys with dots for the tables that a machine has; any other table stays a value."""
    tables = {key.split(".")[0] for key, _, _ in KEYS if "." in key}
    flat: dict[str, Any] = {}
    for key, value in document.items():
        if key in tables and isinstance(value, dict):
            flat |= {f"{key}.{inner}": item for inner, item in value.items()}
        else:
            flat[key] = value
    return flat
