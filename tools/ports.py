"""The table of ports in docs/verification.md, made from the units themselves.

.venv/bin/python -m tools.ports
"""

from __future__ import annotations

from pathlib import Path

from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import UNITS
from intarsia.sim.payload import Payload
from intarsia.sim.ports import stream_payloads
from tools.page import renew, with_table

PAGE = Path("docs/verification.md")


def table(machine: Machine) -> str:
    """A row per stream of every unit: bits of the payload, and its fields from the lowest bit up."""
    rows = ["| unit | stream | bits | fields of the payload, lowest first |", "|---|---|---:|---|"]
    for name, kind in UNITS.items():
        core = kind.core(machine)
        Fragment.get(core, None)  # Amaranth warns of components that were made for nothing.
        for stream, payload in stream_payloads(core).items():
            first = f"`{name}`" if stream == "command" else ""
            rows.append(f"| {first} | `{stream}` | {payload.bits} | {_fields(payload)} |")
    return "\n".join(rows)


def _fields(payload: Payload) -> str:
    texts = []
    for field in payload.fields:
        width = f"{'int' if field.signed else 'uint'}{field.width}"
        shape = width if field.scalar else f"{field.count} x {width}"
        texts.append(f"`{field.name}` {shape}" if field.name else shape)
    return ", ".join(texts)


def renewed(page: str) -> str:
    """The page with the table of the machine `edge`."""
    return with_table(page, "ports", table(Machine.load("edge")))


def main() -> None:
    """Puts the table into the page."""
    renew(PAGE, renewed)


if __name__ == "__main__":
    main()
