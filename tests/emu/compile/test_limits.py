"""What no plan would fit into a machine is refused with the name of the node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.compile import compile_graph, memory_image
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.quantize.outline import outline
from intarsia.sim.agreement import disagreements
from tests.emu.compile.edits import edited, reshaped, small_graph, with_array, with_hidden
from tests.emu.compile.machines import machine


def of(**changes):
    shape = {"embed": 8, "heads": 1, "layers": 1, "image": (20, 28), "classes": 3, "patch": 8}
    return outline(SegmenterConfig(**{**shape, **changes}))


def refusal(graph, target=None):
    with pytest.raises(InputError) as error:
        compile_graph(graph, target or machine())
    return str(error.value)


def test_rows_of_layernorm():
    key = "units.layernorm_length"
    sentence = (
        f"{key} must be at least 1032 for its rows, not 1024: set {key} to at least 2048 (it is 1024)"
    )
    assert refusal(of(embed=1032)) == f"encoder.norm: {sentence}"
    assert refusal(of(classes=1032)) == f"decoder.mask_norm: {sentence}"


def test_rows_of_shiftmax_and_gelu():
    short = replace(machine(), row_length=1024)
    key = "units.row_length"
    sentence = (
        f"{key} must be at least 1027 for its rows, not 1024: set {key} to at least 1027 (it is 1024)"
    )
    long = of(image=(8, 8 * 1024))
    assert refusal(long, short) == f"decoder.blocks.0.shiftmax: {sentence}"
    wide = with_hidden(small_graph((20, 28)), "decoder.blocks.1", 1025)
    assert refusal(wide, short) == f"decoder.blocks.1.gelu: {sentence.replace('1027', '1025')}"


def test_sizes_of_instructions():
    graph = reshaped(of(), "decoder.blocks.0.qkv", (15, 70000))
    assert refusal(graph) == (
        "decoder.blocks.0.qkv: sizes must be 1..65535, not [15, 70000]: take a smaller picture, larger "
        "patches or fewer channels"
    )
    graph = edited(of(), "encoder.blocks.0.mix", attributes={"heads": 5000})
    graph = reshaped(graph, "encoder.blocks.0.mix", (13, 5000))
    assert refusal(graph) == (
        "encoder.blocks.0.mix: heads, padded to 16 channels each, must have at most 65535 together, "
        "not 80000 (5000 heads)"
    )


def test_patches_and_labels():
    graph = reshaped(edited(of(), "pixels", attributes={"patch": 148}), "pixels", (1, 148 * 148 * 3))
    assert refusal(graph).startswith("pixels: sizes must be 1..65535, not [1, 65712]: ")
    graph = edited(of(), "labels", attributes={"patch": 65536})
    assert refusal(graph) == "labels: patch must be at most 65535, not 65536"
    graph = edited(reshaped(of(), "labels", (20, 28), "uint16"), "labels", attributes={"patch": 1})
    assert refusal(graph) == (
        "labels: patch must be at least 2 with labels of 16 bits (more than 256 classes), not 1"
    )


def test_padding_wants_a_byte_that_stands_for_0():
    graph = small_graph((20, 28))
    table = np.array(graph.constants["pixels.table"])
    table[1][table[1] == 0] = 1
    graph = with_array(graph, "pixels.table", table)
    assert refusal(graph) == (
        "pixels: channel 1 of pixels.table must have a byte that stands for 0, to fill patches beyond the "
        "picture, not none"
    )


def test_without_padding_no_byte_must_stand_for_0():
    graph = small_graph((24, 32))
    table = np.array(graph.constants["pixels.table"])
    graph = with_array(graph, "pixels.table", np.where(table == 0, np.int8(1), table))
    assert disagreements(graph, machine(), generate(8, (24, 32)).image) == []


def test_padding_holds_0_behind_any_table():
    graph, image = small_graph((20, 28)), generate(8, (20, 28)).image
    table = np.full((3, 256), 99, np.int8)
    table[0, 7] = table[1, 8] = table[2, 255] = 0
    graph = with_array(graph, "pixels.table", table)
    assert disagreements(graph, machine(), image) == []
    memory = memory_image(graph, compile_graph(graph, Machine.load("edge")), image)
    assert memory[32 * 24 * 3 - 3 : 32 * 24 * 3].tolist() == [7, 8, 255]
