"""The table of ports in docs/verification.md, made from the units themselves.

.venv/bin/python -m tools.ports
"""

from __future__ import annotations

from pathlib import Path

from amaranth.hdl import Fragment

from intarsia.arch.machine import Machine
from intarsia.hw.units.registry import UNITS
from intarsia.model.files import replacing
from intarsia.sim.payload import Payload
from intarsia.sim.ports import stream_payloads

PAGE = Path("docs/verification.md")
BEGIN, END = "<!-- ports: begin -->", "<!-- ports: end -->"


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
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n{table(Machine.load('edge'))}\n{END}{rest.partition(END)[2]}"


def main() -> None:
    """Puts the table into the page."""
    text = renewed(PAGE.read_text(encoding="utf-8"))
    with replacing(PAGE) as path:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
