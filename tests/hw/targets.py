# amaranth: UnusedElaboratable=no
"""What `make mutation` mutates, beside the units, and the tests that should notice."""

from __future__ import annotations

from intarsia.hw.dma.load import LoadEngine
from intarsia.hw.dma.store import StoreEngine
from intarsia.hw.memory.port_check import PortCheck
from intarsia.hw.sequencer.control import Control
from intarsia.hw.sequencer.counters import Counters
from intarsia.hw.sequencer.fetch import Fetch
from intarsia.hw.sequencer.lite import Lite
from intarsia.hw.sequencer.sequencer import Sequencer
from intarsia.hw.sequencer.watchdog import Watchdog
from intarsia.sim.suite.target import Target
from tests.arch.machines import MACHINE
from tests.hw import controlled, sizes
from tests.hw.legality import Legality


def _sequencer() -> Sequencer:
    return Sequencer(depth=sizes.DEPTH, segments=sizes.SEGMENTS, width=8)


def _counters() -> Counters:
    return Counters(cycle_bits=sizes.CYCLE_BITS, counter_bits=sizes.COUNTER_BITS)


WORDS = "tests/hw/sequencer/test_sequencer_words.py"
SEQUENCER = (
    f"{WORDS}::test_equals_the_model",
    f"{WORDS}::test_stops_where_a_unit_or_the_watchdog_says_so",
    f"{WORDS}::test_the_lowest_unit_and_the_word_come_first",
    "tests/hw/sequencer/test_sequencer_fetch.py",
)
CONTROL = (
    "tests/hw/sequencer/test_control_ports.py",
    "tests/hw/sequencer/test_control.py",
    "tests/hw/sequencer/test_watchdog.py",
)
TARGETS = {
    target.name: target
    for target in (
        Target(
            "sequencer",
            _sequencer,
            SEQUENCER,
            ("sequencer/sequencer.py", "lib/one_hot.py", "sequencer/segment_table.py"),
        ),
        Target("queue", _sequencer, SEQUENCER, ("sequencer/queue.py", "sequencer/program_memory.py")),
        Target("instruction", Legality, ("tests/hw/interfaces/test_instruction.py",)),
        Target(
            "fetch", lambda: Fetch(width=8, depth=sizes.FETCH_DEPTH), ("tests/hw/sequencer/test_fetch.py",)
        ),
        Target(
            "load",
            lambda: LoadEngine(width=8),
            ("tests/hw/dma/test_load.py", "tests/hw/sequencer/test_fetch.py"),
        ),
        Target("store", lambda: StoreEngine(width=8), ("tests/hw/dma/test_store.py",)),
        Target(
            "control",
            lambda: Control(MACHINE, depth=controlled.DEPTH, segments=controlled.TABLE_DEPTH),
            CONTROL,
            ("sequencer/control.py",),
        ),
        Target("lite", lambda: Lite(address_bits=8), ("tests/hw/sequencer/test_lite.py",)),
        Target("counters", _counters, ("tests/hw/sequencer/test_counters.py",)),
        Target("watchdog", lambda: Watchdog(patience=7), ("tests/hw/sequencer/test_watchdog.py",)),
        Target(
            "port_check",
            lambda: PortCheck(sizes.SMALL, sizes.SHAPES),
            ("tests/hw/memory/test_port_check.py",),
        ),
        Target(
            "port_check-odd",
            lambda: PortCheck(sizes.ODD, sizes.SHAPES),
            ("tests/hw/memory/test_port_check.py",),
        ),
    )
}
"""By name."""
