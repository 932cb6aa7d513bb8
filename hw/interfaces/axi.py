"""AXI4 and AXI4-Lite as signatures, seen from the manager, and their plain names on a top module."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Member, Out

from intarsia.arch.duration import bytes_per_cycle
from intarsia.arch.machine import Machine

ADDRESS_BITS = 32
MAX_WIDTH = 128
"""Bytes of data: AXI4 ends at 1024 bits."""
BURST_BEATS = 256
"""Of an incrementing burst, at most."""
PAGE = 4096
"""Bytes whose border no burst may cross."""
OKAY, SLVERR = 0, 2
INCR = 1
BUFFERABLE = 3
"""AxCACHE of memory that nobody caches: normal, non-cacheable, bufferable."""


def bus_width(machine: Machine) -> int:
    """Bytes of the memory port's data; ValueError where AXI4 has no such width."""
    return checked_width(bytes_per_cycle(machine))


def checked_width(width: int) -> int:
    """A width in bytes that AXI4 has, else ValueError."""
    if not 1 <= width <= MAX_WIDTH or width & (width - 1):
        raise ValueError(f"width must be a power of two in 1..{MAX_WIDTH} bytes, not {width}")
    return width


def _channel(**payload: int) -> wiring.Signature:
    return wiring.Signature({name: Out(bits) for name, bits in payload.items()} | _handshake())


def _handshake() -> dict[str, Member]:
    return {"valid": Out(1), "ready": In(1)}


def address_channel() -> wiring.Signature:
    """AR or AW: one beat per burst."""
    return _channel(id=1, addr=ADDRESS_BITS, len=8, size=3, burst=2, lock=1, cache=4, prot=3, qos=4)


def read_bus(width: int) -> wiring.Signature:
    """The channels of a manager that only reads, `width` bytes per beat."""
    data = _channel(id=1, data=8 * width, resp=2, last=1)
    return wiring.Signature({"ar": Out(address_channel()), "r": In(data)})


def write_bus(width: int) -> wiring.Signature:
    """The channels of a manager that only writes, `width` bytes per beat."""
    data = _channel(data=8 * width, strb=width, last=1)
    return wiring.Signature({"aw": Out(address_channel()), "w": Out(data), "b": In(_channel(id=1, resp=2))})


def full_bus(width: int) -> wiring.Signature:
    """AXI4, both directions."""
    return wiring.Signature({**read_bus(width).members, **write_bus(width).members})


def lite_bus(address_bits: int) -> wiring.Signature:
    """AXI4-Lite, 32 bits of data, without the bits for protection, which nobody reads."""
    address = _channel(addr=address_bits)
    return wiring.Signature(
        {
            "aw": Out(address),
            "w": Out(_channel(data=32, strb=4)),
            "b": In(_channel(resp=2)),
            "ar": Out(address),
            "r": In(_channel(data=32, resp=2)),
        }
    )


def plain_members(prefix: str, bus: wiring.Signature) -> dict[str, Member]:
    """Members of a component with the names that everybody gives them, such as `m_axi_araddr`; `bus` is
    as the component sees it, so flipped for a subordinate."""
    return {f"{prefix}_{''.join(path)}": member for path, member in bus.members.flatten() if member.is_port}


def connect_plain(m: Module, component: Any, prefix: str, port: Any) -> None:
    """Connects those members to the port of a submodule, on the same side of the bus."""
    for path, member, inner in port.signature.flatten(port):
        outer = getattr(component, f"{prefix}_{''.join(path)}")
        m.d.comb += outer.eq(inner) if member.flow == Out else inner.eq(outer)
