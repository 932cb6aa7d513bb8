"""The paper's Table 7 and the two bounds, from graphs without weights."""

import pytest

from intarsia.emu.metric import (
    TABLE7_UNIT,
    compulsory_bytes,
    constant_bytes,
    fused_bytes,
    macs,
    products,
    table7,
)
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.segmenter.config import PAPER_SIZES, SegmenterConfig
from intarsia.model.quantize.outline import outline


def graph(size: str, dataset: str = "ade20k", softmax_bits: int = 16) -> Graph:
    config = SegmenterConfig.named(size, dataset, l2norm=False, upsampling="nearest")
    return outline(config, QuantizeOptions(softmax_bits=softmax_bits))


GRAPHS = {size: graph(size) for size in PAPER_SIZES}


@pytest.mark.parametrize(
    ("precision", "digits", "printed"),
    [
        ("fp32", 2, ["1.01", "3.08", "10.36", "32.00"]),
        ("int8", 2, ["0.43", "1.13", "3.31", "9.74"]),
        ("design", 3, ["0.285", "0.833", "2.716", "8.308"]),
    ],
)
def test_table7_to_the_printed_digit(precision: str, digits: int, printed: list[str]) -> None:
    units = [table7(GRAPHS[size], precision) / TABLE7_UNIT for size in PAPER_SIZES]
    assert [f"{value:.{digits}f}" for value in units] == printed


def test_macs_of_numerics() -> None:
    assert [f"{macs(GRAPHS[size]) / 1e9:.3f}" for size in PAPER_SIZES] == [
        "12.641", "38.404", "129.294", "399.637",
    ]  # fmt: skip


def test_products_of_tiny() -> None:
    found = products(GRAPHS["tiny"])
    # Patch embedding, six per block of 12 + 2, decoder projection, three of the head.
    assert len(found) == 1 + 6 * 14 + 1 + 3
    mix = [p for p in found if p.op == "mix"]
    assert {(p.bits_a, p.bits_b) for p in mix} == {(16, 8)}
    assert mix[0].macs == 1025 * 1025 * 192 and mix[0].outputs == 1025 * 192
    scores = next(p for p in found if p.op == "scores")
    assert scores.macs == 1025 * 1025 * 192 and scores.outputs == 3 * 1025 * 1025


def test_narrow_probabilities_make_the_design_all_int8() -> None:
    narrow = graph("tiny", softmax_bits=8)
    bits = {p.bits("design") for p in products(narrow)}
    assert bits == {16}
    assert table7(narrow, "int8") == table7(GRAPHS["tiny"], "int8")


def test_fused_is_weights_image_and_labels() -> None:
    tiny = GRAPHS["tiny"]
    assert fused_bytes(tiny) == constant_bytes(tiny) + 512 * 512 * 3 + 512 * 512
    weights = sum(array.nbytes for name, array in tiny.constants.items() if array.ndim == 2)
    assert weights < constant_bytes(tiny) < 1.2 * weights


def test_compulsory_counts_every_tensor_once() -> None:
    tiny = GRAPHS["tiny"]
    tensors = sum(t.size * t.bits // 8 for t in tiny.tensors.values())
    assert compulsory_bytes(tiny) == constant_bytes(tiny) + tensors
    assert fused_bytes(tiny) < compulsory_bytes(tiny)


def test_unknown_precision() -> None:
    with pytest.raises(InputError, match="precision must be one of fp32, int8, design, not 'int4'"):
        table7(GRAPHS["tiny"], "int4")
