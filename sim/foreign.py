"""RTL of others in the place of ours: the same bench plays it, whatever its latency is.

The files must have a module with the ports that `intarsia verilog --unit` writes. It is put into a module
of our own with plain ports, so it may be parameterized, and its ports may be of any packed type. All that
is wrong with the files is refused before anything is simulated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from intarsia.arch.machine import Machine
from intarsia.model.cache import cache_folder
from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, replacing
from intarsia.sim.design import Design
from intarsia.sim.icarus import ICARUS, icarus_preprocessed
from intarsia.sim.ports import Port, machine_ports
from intarsia.sim.runner import CompileError, Included, compile_unit
from intarsia.sim.verilog_ports import module_ports, preprocessed, top_modules

SUFFIXES = (".v", ".sv")
FIRST_ERROR = re.compile(r"^.*(?:error|%Error).*$", re.M | re.I)
TOLD = 4
"""Ports that are named in one sentence."""


def foreign_design(files: Sequence[Path], name: str, machine: Machine, tool: str) -> Design:
    """RTL that stands in for the unit `name` of a machine, compiled by `tool`.

    InputError names the file, module or port that is not as it should be, and gives the first error of a
    tool and the file with all of them.
    """
    for file in files:
        if existing_file(file).suffix.lower() not in SUFFIXES:
            raise InputError(f"--rtl must be files {' and '.join(SUFFIXES)}, not {file}")
    paths = [file.resolve() for file in files]
    folders = tuple(dict.fromkeys([*(path.parent for path in paths), Path.cwd()]))
    try:
        text = preprocessed(paths, folders)
        modules = top_modules(text)
        module = _chosen(modules, name, files)
        wanted = machine_ports(name, machine)
        _compare(module_ports(text, module), wanted, module, f"{name} of {machine.name}")
        top = f"{name}_bench"
        while top in modules:
            top += "_"
        frame = _frame(top, module, wanted)
        if tool == ICARUS:
            includes = "".join(f'`include "{path}"\n' for path in paths)
            included = Included(folders, icarus_preprocessed(paths, folders))
            design = Design(includes + frame, top, included, Path.cwd(), ours=False)
        else:
            design = Design(f"{text}\n{frame}", top, place=Path.cwd(), ours=False)
        compile_unit(design.verilog, design.top, tool=tool, included=design.included)
    except CompileError as error:
        raise InputError(_refusal(error.log or str(error), name, tool)) from None
    return design


def _chosen(modules: dict[str, bool], name: str, files: Sequence[Path]) -> str:
    """The module that is called as the unit is, or the only one that no other uses."""
    if name in modules:
        return name
    tops = [module for module, is_top in modules.items() if is_top]
    if len(tops) == 1:
        return tops[0]
    listed = ", ".join(map(str, files))
    if not tops:
        raise InputError(f"{listed} must hold a module called {name}, not none")
    raise InputError(
        f"which module of {listed} is the unit? Call it {name}: {', '.join(tops)} are used by no other one"
    )


def _compare(found: dict[str, Port | str], wanted: Sequence[Port], module: str, unit: str) -> None:
    """Refuses ports that are missing, too many, or of another direction or width."""
    wrong = []
    for port in wanted:
        seen = found.get(port.name)
        if seen is None:
            wrong.append(f"port {port.name} must be an {port}, not missing")
        elif seen != port:
            wrong.append(f"port {port.name} must be an {port}, not {_an(seen)}")
    names = {port.name for port in wanted}
    wrong += [
        f"port {port} is {_an(seen)}, which {unit} does not have"
        for port, seen in found.items()
        if port not in names
    ]
    if wrong:
        more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        raise InputError(f"module {module} is no {unit}: {'; '.join(wrong[:TOLD])}{more}")


def _an(port: Port | str) -> str:
    return port if isinstance(port, str) else f"an {port}"


def _frame(top: str, module: str, ports: Sequence[Port]) -> str:
    """A module with plain ports around one."""
    widths = {p.name: f"[{p.bits - 1}:0] " if p.bits > 1 else "" for p in ports}
    declared = ", ".join(f"{p.direction} wire {widths[p.name]}{p.name}" for p in ports)
    connected = ", ".join(f".{p.name}({p.name})" for p in ports)
    return f"`timescale 1ns/1ps\nmodule {top}({declared});\n  {module} unit({connected});\nendmodule\n"


def _refusal(log: str, name: str, tool: str) -> str:
    """The first error of a tool, and where all of them are."""
    path = cache_folder("logs") / f"{name}-{tool}.log"
    with replacing(path) as temporary:
        temporary.write_text(log)
    first = FIRST_ERROR.search(log)
    text = first[0] if first else log.strip().partition("\n")[0]
    text = re.sub(r"^%Error[^:]*: ", "", text.strip())
    return f"the RTL for {name} does not compile: {text or 'no reason was given'}; all of it is in {path}"
