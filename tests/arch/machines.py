"""What several tests of the emulator work with."""

from intarsia.arch.machine import Machine

MACHINE = Machine(
    name="test",
    clock_mhz=800,
    lanes=32,
    depth=32,
    accumulator_rows=512,
    shiftmax_lanes=16,
    layernorm_lanes=16,
    gelu_lanes=16,
    elementwise_lanes=32,
    banks=112,
    bank_kib=32,
    stationary_kib=256,
    memory_width=16,
    memory_latency=100,
)
