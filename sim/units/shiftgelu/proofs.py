"""What is proven of `hw.units.shiftgelu.core`."""

from __future__ import annotations

from functools import partial

from intarsia.hw.units.shiftgelu.core import Shiftgelu
from intarsia.sim.formal.core_proofs import balance, per_pair, protocol, ring

PROOFS = {
    **protocol("shiftgelu", partial(Shiftgelu, lanes=1, max_length=4), 60),
    **balance(
        "shiftgelu",
        partial(Shiftgelu, lanes=2, max_length=4),
        {"rows": 2, "length": 3},
        per_pair,
        {"i": per_pair},
        60,
        at_once=True,
    ),
    **ring("shiftgelu-first-reader", Shiftgelu, 20, ("rows.$signal", "rows.$signal$1"), 60),
    **ring("shiftgelu-second-reader", Shiftgelu, 20, ("rows.$signal", "rows.at_again"), 80),
}
