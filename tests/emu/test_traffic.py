"""Bits per memory, class and direction, worked by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from intarsia.arch.isa import (
    Argmax,
    Expand,
    Gelu,
    Instruction,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
)
from intarsia.arch.machine import Machine
from intarsia.arch.program import Program, Region, Segment
from intarsia.emu.traffic import LEVELS, instruction_bytes, traffic_bits, traffic_by_class
from intarsia.model.errors import InputError

Queues = Mapping[Unit, Sequence[Instruction]]

MACHINE = replace(Machine.load("mobile"), lanes=32, depth=16)
REGIONS = (
    Region("fc", 0x0, 0x1000, "weights"),
    Region("norm", 0x1000, 0x1000, "constants"),
    Region("image", 0x2000, 0x1000, "image"),
    Region("spill", 0x4000, 0x1000, "activations"),
)
FC = Matmul(0, 0, 0, m=10, k=20, n=40, x_stride=32, y_stride=0, out_stride=48)


def program(queues: Queues, **changes: Any) -> Program:
    parts = tuple(tuple(queues.get(unit, ())) for unit in Unit)
    labels = tuple(tuple("node" for one in part if not isinstance(one, Wait)) for part in parts)
    return Program(MACHINE, (Segment("s", parts, labels, **changes),), REGIONS, 0x5000, "uint8")


def test_packed_product() -> None:
    moved = instruction_bytes(FC, MACHINE)
    tiles = 2 * 2
    assert moved == {
        ("scratchpad", "activations", "read"): tiles * 10 * 16,
        ("scratchpad", "activations", "write"): 10 * 40,
        ("stationary", "weights", "read"): tiles * 32 * 16 + 64 * 12,
        ("accumulator", "partial sums", "read"): tiles * 10 * 32 * 4,
        ("accumulator", "partial sums", "write"): tiles * 10 * 32 * 4,
        ("registers", "weights", "write"): tiles * 32 * 16,
        ("registers", "weights", "read"): tiles * 10 * 32 * 16,
        ("registers", "activations", "write"): tiles * 10 * 16,
        ("registers", "activations", "read"): tiles * 10 * 32 * 16,
    }


def test_product_of_probabilities_and_values() -> None:
    moved = instruction_bytes(replace(FC, layout=Layout.DEPTH_MAJOR, x16=True, out16=True), MACHINE)
    tiles = 2 * 2 * 2
    assert moved["scratchpad", "activations", "read"] == tiles * (10 * 16 + 32 * 16)
    assert moved["scratchpad", "activations", "write"] == 10 * 40 * 2
    assert moved["stationary", "weights", "read"] == 0
    assert moved["constants", "constants", "read"] == 16


@pytest.mark.parametrize(
    ("instruction", "read", "written", "constants"),
    [
        (Shiftmax(0, 0, 3, 50, 64, 112, 0), 150, 300, 16),
        (Shiftmax(0, 0, 3, 50, 64, 64, 0, out8=True), 150, 150, 16),
        (Layernorm(0, 0, 0, 3, 50, 112, 64, 0), 300, 150, 16 + 3 * 50 * 12),
        (Layernorm(0, 0, 0, 3, 50, 112, 112, 0, out16=True), 300, 300, 16 + 3 * 50 * 12),
        (Gelu(0, 0, 3, 50, 64, 64, 0), 150, 150, 16),
        (Residual(0, 0, 0, 3, 50, 112, 112, 112, 0), 600, 300, 16),
        (Lookup(0, 0, 3, 50, 64, 64), 150, 150, 150),
        (Argmax(0, 0, 3, 50, 112), 300, 3, 0),
        (Argmax(0, 0, 3, 50, 112, wide=True), 300, 6, 0),
        (Expand(0, 0, 3, 50, 64, 800, 16), 150, 2400, 0),
        (Expand(0, 0, 3, 50, 112, 1600, 16, wide=True), 300, 4800, 0),
    ],
)
def test_row_units(instruction: Instruction, read: int, written: int, constants: int) -> None:
    moved = instruction_bytes(instruction, MACHINE)
    assert moved["scratchpad", "activations", "read"] == read
    assert moved["scratchpad", "activations", "write"] == written
    assert moved["constants", "constants", "read"] == constants


def test_moves_take_the_class_of_their_region() -> None:
    queues: Queues = {
        Unit.LOAD: [
            Load(0x0, Space.STATIONARY, 0, 100, 2, 3, 128, 256),
            Load(0x1000, Space.CONSTANTS, 0, 120),
            Wait(Unit.STORE, 0),
            Load(0x2000, Space.SCRATCHPAD, 0, 48, 4),
            Load(0x1800, Space.SCRATCHPAD, 4096, 64),
        ],
        Unit.STORE: [Store(0x4000, 0, 32, 2)],
    }
    found = traffic_by_class(program(queues))
    assert found["dram"] == {
        "weights": {"read": 8 * 600, "write": 0},
        "activations": {"read": 8 * 192, "write": 8 * 64},
        "constants": {"read": 8 * 184, "write": 0},
    }
    assert found["stationary"] == {"weights": {"read": 0, "write": 8 * 600}}
    assert found["constants"] == {"constants": {"read": 0, "write": 8 * 120}}
    assert found["scratchpad"] == {
        "activations": {"read": 8 * 64, "write": 8 * 192},
        "constants": {"read": 0, "write": 8 * 64},
    }


def test_based_moves_are_followed_and_everything_repeats() -> None:
    queues: dict[Unit, Sequence[Instruction]] = {
        Unit.LOAD: [Load(0x0, Space.SCRATCHPAD, 0, 16, based=True), Load(0x0, Space.SCRATCHPAD, 0, 16)],
        Unit.ARRAY: [FC],
    }
    one = program(queues, repeat=3, base=0x0, base_step=0x1000)
    found = traffic_by_class(one)
    assert {kind: both["read"] for kind, both in found["dram"].items()} == {
        "weights": 8 * 16 * 4,
        "constants": 8 * 16,
        "activations": 8 * 16,
    }
    bits = traffic_bits(one)
    assert tuple(bits) == LEVELS
    assert bits["dram"] == {"read": 8 * 16 * 6, "write": 0}
    assert bits["accumulator"] == {"read": 3 * 8 * 4 * 1280, "write": 3 * 8 * 4 * 1280}


def test_a_move_outside_all_regions() -> None:
    with pytest.raises(InputError, match="dram address 0x3000 must be in a region of the program"):
        traffic_bits(program({Unit.LOAD: [Load(0x3000, Space.SCRATCHPAD, 0, 16)]}))
