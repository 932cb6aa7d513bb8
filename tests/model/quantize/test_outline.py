"""The outline has the shape of the graph that quantization makes."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import SegmenterConfig
from intarsia.model.quantize.outline import outline


def test_it_is_the_quantized_graph_without_its_values(graph):
    found = outline(graph.config, graph.options)
    assert [n.name for n in found.nodes] == [n.name for n in graph.nodes]
    for name, tensor in graph.tensors.items():
        assert replace(found.tensors[name], scale=None) == replace(tensor, scale=None)
    for key, array in graph.constants.items():
        assert (found.constants[key].shape, found.constants[key].dtype) == (array.shape, array.dtype)


def test_a_large_picture_takes_no_memory():
    tracemalloc.start()
    found = outline(SegmenterConfig.named("large", image=(8192, 8192)))
    assert found.constants["encoder.embedding.identity"].size == (1 + 512 * 512) * 1024
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


def test_a_picture_of_absurd_size_is_refused():
    with pytest.raises(InputError, match=r"sides of at most 65535 pixels, not \[65536, 8\]"):
        outline(SegmenterConfig.named("tiny", image=(65536, 8)))


def test_weights_take_no_memory():
    found = outline(SegmenterConfig.named("large"))
    weights = [v for key, v in found.constants.items() if key.endswith(".weight")]
    assert sum(v.size for v in weights) > 300e6
    assert all(v.strides == (0, 0) for v in weights)
