"""A machine of your own: what a wider memory port is worth to Segmenter Tiny."""

from dataclasses import replace

from intarsia.arch.machine import Machine
from intarsia.emu.simulation import simulate

mobile = Machine.load("mobile")
for width in (4, 8, 16, 32):
    machine = replace(mobile, name=f"mobile, {width} bytes per cycle", memory_width=width)
    report = simulate("tiny", image=(256, 256), machine=machine)
    print(
        f"{machine.name:28} {report.cycles:>10,} cycles, {report.latency_ms:6.2f} ms, "
        f"the array does {report.mac_utilization:5.1%} of what it could"
    )
