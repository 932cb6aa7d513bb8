"""A unit in RTL: its Verilog, and how long it takes by the closed form."""

from intarsia.arch.duration import cycles
from intarsia.arch.isa import assemble
from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import make_unit
from intarsia.synth.verilog import verilog_text

machine = Machine.load("edge")
text = verilog_text(make_unit("argmax", machine), "argmax")
header = text[text.index("module argmax") :]
print(header[: header.index(");") + 2])
print(f"... {len(text.splitlines())} lines")

for classes in (19, 150):
    (argmax,) = assemble(f"argmax source=0 target=0x8000 rows=1024 length={classes} source_stride=320")
    print(
        f"the class of 1024 patches among {classes}: {cycles(argmax, machine):,} cycles on {machine.name}"
    )
