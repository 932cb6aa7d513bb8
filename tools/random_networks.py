"""Random small networks in the RTL beside the emulator and the integer executor: `make random-networks`.

    python -m tools.random_networks [NETWORKS [MACHINE...]]

So many networks on every machine, a preset or a file; without any, on the three presets, and a quarter as
many on each of some at the corners of what machines may be. Every layer kind occurs in sizes that fill no
lane, line or tile. Writes random-networks.json after every network, and goes
on where that ends for the same RTL.
"""

from __future__ import annotations

import sys

from intarsia.arch.machine import PRESETS, Machine
from intarsia.model.errors import InputError
from intarsia.sim.random_machine import corners
from intarsia.sim.random_network import SIDES, random_network
from intarsia.sim.rtl.network import compare_network
from intarsia.sim.rtl.run import Comparison
from tools.random_runs import main

NETWORKS, CORNER_NETWORKS = 20, 5


def play(machine: Machine, seed: int) -> tuple[Comparison, bool]:
    """The first of some networks, each smaller than the one before, that fits."""
    for most in (None, *SIDES):
        graph, picture = random_network(seed, most)
        try:
            found = compare_network(graph, machine, picture)
        except InputError as error:
            refused = error
        else:
            return found.comparison, found.ok
    raise refused


if __name__ == "__main__":
    usual = {name: (Machine.load(name), NETWORKS) for name in PRESETS}
    sys.exit(main("network", usual | corners(CORNER_NETWORKS), play))
