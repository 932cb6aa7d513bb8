"""The registry: every network by its name, its sizes by theirs, and no PyTorch on the way."""

from __future__ import annotations

import subprocess
import sys

import pytest

from intarsia.model.errors import InputError
from intarsia.model.networks import DEFAULT, NAMES, find
from intarsia.model.quantize.outline import outline

SHOWN = [(name, size) for name in NAMES for size in find(name).sizes]


def test_a_network_has_the_name_that_finds_it():
    assert DEFAULT == "segmenter"
    assert {find(name).name for name in NAMES} == {*NAMES} >= {"segmenter", "vit", "deit", "dinov2"}


def test_an_unknown_name_is_refused():
    wanted = r"^network must be one of segmenter, .*, dinov2, not 'resnet'$"
    with pytest.raises(InputError, match=wanted):
        find("resnet")


@pytest.mark.parametrize(("name", "size"), SHOWN)
def test_every_size_has_an_outline(name, size):
    network = find(name)
    config = network.named(size, image=(64, 70), layers=1)
    graph = outline(config, network=name)
    assert graph.network == name
    assert [output.kind for output in graph.outputs] == {
        "segmentation": ["labels"], "classification": ["classes"], "features": ["features"] * 2
    }[network.task]  # fmt: skip
    assert network.size_of(network.named(size)) == size


@pytest.mark.parametrize(
    ("name", "size", "tokens"),
    [
        ("segmenter", "tiny", 1 + 32 * 32), ("vit", "base", 197), ("vit", "huge", 257),
        ("deit", "tiny", 197), ("deit", "small-distilled", 198), ("dinov2", "small", 1 + 37 * 37),
        ("dinov2", "large-registers", 5 + 37 * 37),
    ],
)  # fmt: skip
def test_published_sizes_have_the_published_tokens(name, size, tokens):
    config = find(name).named(size)
    assert config.prefix + config.patches == tokens


@pytest.mark.parametrize(
    ("name", "size", "dataset", "message"),
    [
        ("vit", "giga", None, "size must be one of tiny, small, base, large, huge, not 'giga'"),
        ("vit", "tiny", "scenes", "dataset must be one of imagenet, not 'scenes'"),
        ("dinov2", "small", "imagenet", "dataset must be left out for dinov2, not 'imagenet'"),
        ("segmenter", "tiny", "coco", "dataset must be one of ade20k, cityscapes, scenes, not 'coco'"),
    ],
)
def test_what_is_not_there_is_refused(name, size, dataset, message):
    with pytest.raises(InputError) as error:
        find(name).named(size, dataset)
    assert str(error.value) == message


def test_the_giant_is_refused_by_what_it_has():
    with pytest.raises(InputError, match=r"^size must be one of small, .*, not 'giant': its MLP is SwiGLU"):
        find("dinov2").named("giant")


def test_outlines_need_no_pytorch():
    code = (
        "import sys; from intarsia.model.networks import NAMES, find\n"
        "from intarsia.model.quantize.outline import outline\n"
        "for name in NAMES:\n"
        "    outline(find(name).named(find(name).default_size), network=name)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
