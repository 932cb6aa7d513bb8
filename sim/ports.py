"""The ports of a unit, as docs/verification.md lists them: what RTL must have to stand in for ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.interfaces.stream import Core
from intarsia.hw.units.registry import UNITS
from intarsia.sim.payload import Payload


@dataclass(frozen=True)
class Port:
    """A port of `bits` bits, as the unit sees it."""

    name: str
    direction: Literal["input", "output", "inout"]
    bits: int

    def __str__(self) -> str:
        return f"{self.direction} of {self.bits} bit{'s' if self.bits > 1 else ''}"


def stream_payloads(core: Core) -> dict[str, Payload]:
    """The payload of every stream: `command`, the inputs, and `o`, which leaves."""
    shapes = {"command": core.command_shape, **core.input_shapes, "o": core.result_shape}
    return {stream: Payload.of(shape) for stream, shape in shapes.items()}


def unit_ports(core: Core) -> tuple[Port, ...]:
    """The ports of the Verilog of a unit."""
    ports = [Port("clk", "input", 1), Port("rst", "input", 1)]
    for stream, payload in stream_payloads(core).items():
        drives = stream == "o"
        ports += [
            Port(f"{stream}__payload", "output" if drives else "input", payload.bits),
            Port(f"{stream}__valid", "output" if drives else "input", 1),
            Port(f"{stream}__ready", "input" if drives else "output", 1),
        ]
    return tuple(ports)


def machine_ports(name: str, machine: Machine) -> tuple[Port, ...]:
    """Those of a unit of a machine."""
    core = UNITS[name].core(machine)
    Fragment.get(core, None)  # Amaranth warns of components that were made for nothing.
    return unit_ports(core)
