"""Networks on machines with little memory: banks that are shared, pieces of weights, streamed attention."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from intarsia.arch.machine import Machine
from intarsia.emu.compile import Compiler, compile_graph
from intarsia.emu.compile.arena import Sharing
from intarsia.model.data.scenes import generate
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.quantize.outline import outline
from intarsia.model.quantize.ptq import quantize
from tests.conftest import random_segmenter
from tests.emu.compile.comparison import hold
from tests.emu.compile.machines import machine

SHAPE = {
    "embed": 48,
    "heads": 2,
    "layers": 2,
    "decoder_layers": 1,
    "patch": 8,
    "image": (40, 72),
    "classes": 19,
    "mlp_ratio": 2,
}
FIELDS = {
    "stationary.kib": "stationary_kib",
    "scratchpad.banks": "banks",
    "scratchpad.bank_kib": "bank_kib",
    "units.row_length": "row_length",
    "units.layernorm_length": "layernorm_length",
}


def network(**changes):
    shape = SHAPE | changes
    options = QuantizeOptions(softmax_bits=shape.pop("softmax_bits", 16), gelu=shape.pop("gelu", "shift"))
    return quantize(random_segmenter(3, **shape), [generate(1, shape["image"]).image], options)


def plans(graph, target):
    compiler = Compiler(graph, target)
    compiler.program()
    return compiler.plans.values()


@pytest.mark.parametrize(
    ("changes", "sharing", "streamed"),
    [
        ({"banks": 8, "bank_kib": 16}, Sharing.SOME, False),
        ({"banks": 8, "bank_kib": 3}, Sharing.ALL, False),
        ({"banks": 12, "bank_kib": 1}, Sharing.ALL, True),
        ({"banks": 8, "bank_kib": 1}, Sharing.ALL, True),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else None,
)
def test_every_tensor_with_little_scratchpad(changes, sharing, streamed):
    graph, target = network(), machine(**changes)
    chosen = plans(graph, target)
    assert max(plan.sharing for plan in chosen) >= sharing
    assert any(plan.stream for plan in chosen) or not streamed
    hold(graph, target, generate(2, SHAPE["image"]).image)


@pytest.mark.parametrize(
    "changes",
    [
        {"softmax_bits": 8, "embed": 66, "gelu": "lambda-shift-elem"},  # heads of 33: their rows have gaps
        {"embed": 40, "heads": 1, "classes": 100},
        {"embed": 24, "heads": 3, "classes": 300},
    ],
)
def test_every_tensor_of_odd_networks_on_eight_kib(changes):
    graph = network(**changes)
    hold(graph, machine(banks=8, bank_kib=2, stationary_kib=6), generate(2, SHAPE["image"]).image)


def test_classes_that_do_not_fit_come_in_parts():
    graph, target = network(classes=300), machine(banks=12, bank_kib=1)
    assert any(region.name == "class vectors" for region in compile_graph(graph, target).regions)
    hold(graph, target, generate(2, SHAPE["image"]).image)


@pytest.mark.parametrize("lanes", [4, 32])
def test_weights_that_fill_the_whole_stationary_buffer(lanes):
    """Half of it would not hold the tiles of a line."""
    graph = network()
    outputs = max(lanes, 8 if lanes == 4 else lanes)  # 16-bit outputs fill a line of 16 bytes with 8
    kib = -(-outputs * (12 + 192) // 1024)
    target = machine(lanes=lanes, stationary_kib=kib + kib % 2)
    hold(graph, target, generate(2, SHAPE["image"]).image)


@pytest.mark.parametrize(("embed", "classes"), [(1056, 3), (16, 1100)])
def test_more_than_1024_channels_or_classes(embed, classes):
    changes = {
        "embed": embed,
        "heads": 1,
        "layers": 1,
        "mlp_ratio": 1,
        "classes": classes,
        "image": (16, 24),
    }
    graph = network(**changes)
    with pytest.raises(InputError, match=r"set units.layernorm_length to at least 2048 \(it is 1024\)$"):
        compile_graph(graph, machine(bank_kib=8))
    hold(graph, machine(bank_kib=8, layernorm_length=2048, row_length=2048), generate(2, (16, 24)).image)


def advised(graph, target):
    """The sentence, and the machines that it describes: one per alternative."""
    with pytest.raises(InputError) as caught:
        compile_graph(graph, target)
    sentence = str(caught.value)
    found = [target]
    for part in sentence.split(": set ")[1].split(" and "):
        settings = re.findall(r"(\S+) to at least (\d+) \(it is (\d+)\)", part)
        for key, _, value in settings:
            assert getattr(target, FIELDS[key]) == int(value)
        found = [replace(m, **{FIELDS[key]: int(v)}) for m in found for key, v, _ in settings]
    return sentence, found


@pytest.mark.parametrize("image", [(512, 512), (1024, 1024)])
def test_what_to_set_suffices_and_nothing_less(image):
    graph = outline(SegmenterConfig.named("mini", image=image, l2norm=False))
    target = machine(banks=9, bank_kib=1, stationary_kib=2, row_length=1024)
    sentence, found = advised(graph, target)
    assert [key for key in FIELDS if f"{key} to at least" in sentence] == [
        "stationary.kib", "scratchpad.banks", "scratchpad.bank_kib", "units.row_length"
    ]  # fmt: skip
    compiler = Compiler(graph, found[0])
    for enough in found:
        assert compiler._fits(enough)
        assert enough.row_length == image[0] * image[1] // 256 + 150
    assert not compiler._fits(replace(found[0], banks=found[0].banks - 1))
    assert not compiler._fits(replace(found[1], bank_kib=found[1].bank_kib - 1))
    for less in (
        replace(found[0], banks=1024, stationary_kib=found[0].stationary_kib - 2),
        replace(found[0], banks=1024, row_length=found[0].row_length - 1),
    ):
        with pytest.raises(InputError, match=": set "):
            compile_graph(graph, less)


@pytest.mark.parametrize(
    ("config", "changes", "message"),
    [
        (
            {"classes": 5000},
            {},
            "decoder.mask_norm: units.layernorm_length must be at least 5000 for its rows, "
            "not at most 4096",
        ),
        (
            {"image": (8192, 8192)},
            {},
            "pixels: sizes must be 1..65535, not [262144, 768]: take a smaller picture, larger patches or "
            "fewer channels",
        ),
        (
            {"embed": 4096, "heads": 32, "layers": 48},
            {"layernorm_length": 4096, "row_length": 16384},
            "the network must need at most 4294967296 bytes of DRAM, which addresses of 32 bits reach, not "
            "10193855424: take a smaller network or picture",
        ),
    ],
)
def test_what_no_machine_holds(config, changes, message):
    graph = outline(SegmenterConfig.named("tiny", **config))
    with pytest.raises(InputError, match="^" + re.escape(message)):
        compile_graph(graph, machine(stationary_kib=512, **changes))


@pytest.mark.parametrize("kib", [384, 128, 64])
def test_tiny_at_512_with_little_scratchpad(kib):
    graph = outline(SegmenterConfig.named("tiny", l2norm=False))
    compile_graph(graph, replace(Machine.load("edge"), banks=max(8, kib // 16), bank_kib=min(16, kib // 8)))
