"""What the figures of a report mean, and those that follow from the machine alone."""

from __future__ import annotations

from intarsia.arch.duration import bytes_per_cycle
from intarsia.arch.machine import Machine

DEFINITIONS = {
    "mac_utilization": "MACs / (cycles * lanes * depth), a MAC with a 16-bit operand counted once",
    "array_utilization": "the same with the second pass of 16-bit operands counted as work",
    "units": "busy + stalled = cycles; stalls: cycles by the unit waited for, by wait instructions (wait), "
    "at barriers, and after the last instruction (finished). stalled = idle + mid_work; idle: no work, "
    "before the unit's first and behind its last instruction of an iteration of a segment, at barriers "
    "and once finished; mid_work: at waits in between",
    "layers": "start, end: first start and last end on computing units; cycles = end - start, in which "
    "other layers may run too; busy: cycles of the layer's own instructions",
    "traffic_bits": "bits that instructions read from and write to each memory",
    "compulsory_bytes": "every tensor of the graph, image, labels and constants moved once",
    "fused_bytes": "image, labels and constants once",
    "over_time": "per bin of bin_cycles: DRAM bytes per direction, which add up to traffic_bits, and the "
    "mean of the live bytes of the scratchpad: lines of 16 bytes that were written and will still be read",
    "more_memory": "per key of the machine, where the next value stands with which less is moved to and "
    "from DRAM; next is null where nothing up to up_to does",
}


def derived(machine: Machine) -> dict[str, float]:
    """What follows from a machine's description; the port is one direction's."""
    moved = bytes_per_cycle(machine)
    return {
        "peak MACs per cycle": machine.lanes * machine.depth,
        "peak int8 GMAC/s": machine.lanes * machine.depth * machine.clock_mhz / 1000,
        "cycle ns": 1000 / machine.clock_mhz,
        "memory port bytes per cycle": moved,
        "memory port GB/s": moved * machine.clock_mhz / 1000,
        "scratchpad bytes": machine.scratchpad_bytes,
        "stationary bytes": machine.stationary_bytes,
        "accumulator bytes": machine.accumulator_bytes,
        "on-chip bytes": machine.on_chip_bytes,
    }
