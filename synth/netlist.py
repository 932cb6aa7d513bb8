"""Netlists as text in RTLIL, Yosys' own language: read, changed, written."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

TOKEN = re.compile(r"[\\$]\S+|\[\d+(?::\d+)?\]|\d+'[01xz-]*|-?\d+|[{}]")
DRIVING = {"\\Y", "\\Q", "\\RD_DATA"}
"""Ports by which operations, registers and memories give their results."""
UNCHECKED = "\\no_rw_check"
"""An attribute of memories. Without it, synthesis puts registers and a comparison around a block RAM."""


@dataclass(frozen=True)
class Part:
    """Bits high..low of a wire; of a constant, whose `wire` is empty, its digits."""

    wire: str
    high: int = 0
    low: int = 0
    digits: str = ""

    @property
    def width(self) -> int:
        return self.high - self.low + 1 if self.wire else len(self.digits)

    @property
    def mask(self) -> int:
        return (1 << self.high + 1) - (1 << self.low)

    def slice(self, high: int, low: int) -> Part:
        """Bits of these bits."""
        if self.wire:
            return Part(self.wire, self.low + high, self.low + low)
        return Part("", digits=self.digits[self.width - 1 - high : self.width - low])


Spec = list[Part]
"""Parts side by side, the highest first."""


def width_of(spec: Spec) -> int:
    return sum(part.width for part in spec)


def fitted(spec: Spec, width: int, *, signed: bool) -> Spec:
    """A number cut or extended to a width."""
    missing = width - width_of(spec)
    if missing > 0:
        top = spec[0]
        if signed and top.wire:
            return [*[Part(top.wire, top.high, top.high)] * missing, *spec]
        return [Part("", digits=(top.digits[0] if signed else "0") * missing), *spec]
    kept: Spec = []
    for part in reversed(spec):
        if width:
            kept.insert(0, part.slice(min(width, part.width) - 1, 0))
            width -= kept[0].width
    return kept


def pieces(target: Spec, source: Spec) -> Iterator[tuple[Part, Part]]:
    """The two of a connection, cut where either has a border."""
    targets, sources = [*target], [*source]
    while targets:
        left, right = targets.pop(), sources.pop()
        width = min(left.width, right.width)
        for part, rest in ((left, targets), (right, sources)):
            if part.width > width:
                rest.append(part.slice(part.width - 1, width))
        yield left.slice(width - 1, 0), right.slice(width - 1, 0)


@dataclass
class Wire:
    """port : direction and number;  init : what a register begins with;  offset : index of the lowest
    bit, as it is written."""

    width: int
    port: str = ""
    init: str = ""
    offset: int = 0

    def narrow(self, high: int, low: int) -> None:
        """Keeps bits high..low."""
        self.offset += low
        if self.init:
            self.init = _text([_part(self.init, "", {}).slice(high, low)])
        self.width = high - low + 1


@dataclass
class Cell:
    """An operation, a register, a memory, or, where its kind is a module, an instance.

    unchecked : of a memory, what it shows of a row that is written in the same cycle does not matter
    """

    kind: str
    name: str
    unchecked: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    ports: dict[str, Spec] = field(default_factory=dict)

    @property
    def signed(self) -> bool:
        return all(self.parameters.get(name, "1").endswith("1") for name in ("\\A_SIGNED", "\\B_SIGNED"))

    def width(self, port: str) -> int:
        return width_of(self.ports[port])

    def set_port(self, port: str, spec: Spec) -> None:
        self.ports[port] = spec
        self.parameters[f"{port}_WIDTH"] = str(width_of(spec))


@dataclass
class Module:
    name: str
    wires: dict[str, Wire] = field(default_factory=dict)
    cells: list[Cell] = field(default_factory=list)
    connections: list[tuple[Spec, Spec]] = field(default_factory=list)
    """Driven, driver."""

    def new_wire(self, width: int) -> Spec:
        name = f"$new{len(self.wires)}"
        self.wires[name] = Wire(width)
        return [Part(name, width - 1)]

    def change_parts(self, change: Callable[[Part], Part]) -> None:
        """Of all that is connected to something."""
        for cell in self.cells:
            cell.ports = {port: [change(part) for part in spec] for port, spec in cell.ports.items()}
        self.connections = [
            ([change(part) for part in target], [change(part) for part in source])
            for target, source in self.connections
        ]


class Netlist:
    """modules : by name, the top first."""

    def __init__(self, rtlil: str) -> None:
        self.modules: dict[str, Module] = {}
        module, cell, init, unchecked = Module(""), None, "", False
        for line in map(str.strip, rtlil.splitlines()):
            word, _, rest = line.partition(" ")
            if word == "module":
                self.modules[rest] = module = Module(rest)
            elif word == "attribute" and rest.startswith("\\init "):
                init = rest.removeprefix("\\init ")
            elif word == "attribute" and rest.startswith(f"{UNCHECKED} "):
                unchecked = True
            elif word == "wire":
                *options, name = rest.split()
                sized = options[:1] == ["width"]
                port = " ".join(options[2:] if sized else options).removesuffix("signed").strip()
                module.wires[name] = Wire(int(options[1]) if sized else 1, port, init)
                init = ""
            elif word == "cell":
                kind, name = rest.split()
                cell = Cell(kind, name, unchecked)
                module.cells.append(cell)
                unchecked = False
            elif word == "parameter" and cell:
                name, value = rest.removeprefix("signed ").split(" ", 1)
                cell.parameters[name] = value
            elif word == "connect" and cell:
                name, value = rest.split(" ", 1)
                cell.ports[name] = next(_specs(value, module.wires))
            elif word == "connect":
                target, source = _specs(rest, module.wires)
                module.connections.append((target, source))
            elif word == "end":
                cell = None

    def text(self) -> str:
        """RTLIL again."""
        return "".join(f"{line}\n" for module in self.modules.values() for line in _lines(module))

    def use(self, module: Module) -> tuple[dict[str, int], dict[str, int]]:
        """Bits driven and bits read, as masks, by wire."""
        driven = dict.fromkeys(module.wires, 0)
        read = dict.fromkeys(module.wires, 0)

        def mark(masks: dict[str, int], spec: Spec) -> None:
            for part in spec:
                if part.wire:
                    masks[part.wire] |= part.mask

        for name, wire in module.wires.items():
            if wire.port:
                mark(driven if wire.port.startswith("input") else read, [Part(name, wire.width - 1)])
        for cell in module.cells:
            inside = self.modules.get(cell.kind)
            for port, spec in cell.ports.items():
                drives = inside.wires[port].port.startswith("output") if inside else port in DRIVING
                mark(driven if drives else read, spec)
        for target, source in module.connections:
            mark(driven, target)
            mark(read, source)
        return driven, read


def _specs(text: str, wires: dict[str, Wire]) -> Iterator[Spec]:
    """What stands side by side in a line, each a part or parts in braces."""
    group: Spec | None = None
    tokens = TOKEN.findall(text)
    for k, token in enumerate(tokens):
        if token == "{":
            group = []
        elif token == "}":
            yield group or []
            group = None
        elif token[0] != "[":
            following = tokens[k + 1] if k + 1 < len(tokens) else ""
            part = _part(token, following if following.startswith("[") else "", wires)
            if group is None:
                yield [part]
            else:
                group.append(part)


def _part(token: str, bits: str, wires: dict[str, Wire]) -> Part:
    if token[0] in "\\$":
        if not bits:
            return Part(token, wires[token].width - 1)
        high, _, low = bits.strip("[]").partition(":")
        return Part(token, int(high), int(low or high))
    if "'" not in token:  # 32 bits, as Yosys likes to write them
        return Part("", digits=f"{int(token) % 2**32:032b}")
    width, _, digits = token.partition("'")
    fill = digits[0] if digits[:1] in ("x", "z", "-") else "0"
    return Part("", digits=digits.rjust(int(width), fill))


def _lines(module: Module) -> Iterator[str]:
    yield f"module {module.name}"
    for name, wire in module.wires.items():
        if wire.init:
            yield f"attribute \\init {wire.init}"
        yield f"wire width {wire.width} offset {wire.offset} {wire.port} {name}"
    for cell in module.cells:
        if cell.unchecked:
            yield f"attribute {UNCHECKED} 1"
        yield f"cell {cell.kind} {cell.name}"
        yield from (f"parameter {name} {value}" for name, value in cell.parameters.items())
        yield from (f"connect {port} {_text(spec)}" for port, spec in cell.ports.items())
        yield "end"
    yield from (f"connect {_text(target)} {_text(source)}" for target, source in module.connections)
    yield "end"


def _text(spec: Spec) -> str:
    parts = [f"{p.wire} [{p.high}:{p.low}]" if p.wire else f"{p.width}'{p.digits}" for p in spec]
    return parts[0] if len(parts) == 1 else f"{{ {' '.join(parts)} }}"
