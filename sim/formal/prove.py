"""Everything that is proven, by name."""

from __future__ import annotations

from intarsia.sim.formal.arithmetic_proofs import ARITHMETIC_PROOFS
from intarsia.sim.formal.proof import Outcome, Proof, always, bounded, check
from intarsia.sim.formal.streams import BufferHeld, BufferQueue, BufferRegistered, TrailingQueue
from intarsia.sim.formal.unit import UnitMoves, UnitOrder, UnitOwes, UnitTrails
from intarsia.sim.units import NAMES, check_of

STREAM_PROOFS: dict[str, Proof] = {
    "buffer-queue": always("Buffer is a queue of two entries", BufferQueue, 3, 8),
    "buffer-held": always("a beat waits at Buffer's output unchanged", BufferHeld, 3, 8),
    "buffer-registered": always("Buffer's outputs depend on registers only", BufferRegistered, 3, 8),
    "trailing-queue": bounded("TrailingBuffer is a queue with room for late beats", TrailingQueue, 16),
    "unit-order": always("Unit loses, doubles and reorders no beat", UnitOrder, 4, 20),
    "unit-owes": always("Unit delivers what its commands ask for", UnitOwes, 4, 20),
    "unit-trails": Proof("Unit loses no beat of a core that is trailing", UnitTrails, "bmc", 18, 30),
    "unit-moves": always("Unit never stands still without a reason", UnitMoves, 12, 20),
}

UNIT_PROOFS = {name: proof for unit in NAMES for name, proof in check_of(unit).proofs.items()}

PROOFS: dict[str, Proof] = {**STREAM_PROOFS, **UNIT_PROOFS, **ARITHMETIC_PROOFS}


def prove(name: str) -> Outcome:
    """The answer to one of PROOFS. SimulatorError if there is none: see `check`."""
    return check(name, PROOFS[name])
