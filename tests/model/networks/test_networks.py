"""Every kind of network from its FP32 module to integers: one walk, one arithmetic, one description."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from intarsia.model.data.images import normalize
from intarsia.model.data.scenes import generate
from intarsia.model.export import export_onnx
from intarsia.model.export.runtime import run_outputs
from intarsia.model.integer.artifact import load_artifact, save_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.integer.graph import IMAGE
from intarsia.model.quantize.outline import outline
from intarsia.model.quantize.ptq import calibrate
from tests.model.networks.variants import VARIANTS, config_of, model_of


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request):
    return request.param


@pytest.fixture(scope="module")
def model(variant):
    return model_of(variant)


@pytest.fixture(scope="module")
def pictures(model):
    return [generate(seed, model.config.image).image for seed in (1, 2, 3)]


@pytest.fixture(scope="module")
def fake(model, pictures):
    return calibrate(model, pictures)


@pytest.fixture(scope="module")
def graph(fake):
    return fake.graph()


def test_the_walk_computes_what_the_module_does(model, fake, pictures):
    with torch.no_grad():
        wanted = model.outputs(normalize(pictures[0][None], model.config.normalization))
        found = fake.observe(pictures[0][None], 0.0)
    assert found.keys() == wanted.keys()
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, atol=1e-4, rtol=1e-4)


def test_integers_are_close_to_the_module(model, fake, pictures):
    with torch.no_grad():
        wanted = model.outputs(normalize(np.stack(pictures), model.config.normalization))
        found = fake(np.stack(pictures))
    for name, values in wanted.items():
        both = torch.stack([found[name].flatten(), values.flatten()])
        assert len(both[0]) == 3 or torch.corrcoef(both)[0, 1] > 0.85, name


def test_reference_kernels_and_fake_quantization_are_equal(fake, graph, pictures):
    picture = pictures[1]
    simulated = {name: values[0].numpy() for name, values in fake.integers(picture[None]).items()}
    wanted = dict(Executor(graph, "reference").tensors(picture))
    assert {*simulated} == {*wanted} - {IMAGE}
    for name, array in Executor(graph).tensors(picture):
        assert (array.dtype, array.shape) == (graph.tensors[name].dtype, graph.tensors[name].shape)
        np.testing.assert_array_equal(array, wanted[name], err_msg=name)
        np.testing.assert_array_equal(array, simulated.get(name, array), err_msg=name)
    for output in graph.outputs:
        np.testing.assert_array_equal(Executor(graph).outputs(picture)[output.name], wanted[output.tensor])


def test_onnx_gives_the_same_outputs(graph, pictures, tmp_path):
    export_onnx(graph, tmp_path / "model.onnx")
    found = run_outputs(tmp_path / "model.onnx", pictures[2])
    wanted = Executor(graph).outputs(pictures[2])
    assert [*found] == [output.tensor for output in graph.outputs]
    for output in graph.outputs:
        np.testing.assert_array_equal(found[output.tensor], wanted[output.name], strict=True)


def test_an_artifact_holds_it(graph, pictures, tmp_path):
    save_artifact(graph, tmp_path / "model.intarsia")
    loaded = load_artifact(tmp_path / "model.intarsia")
    assert loaded.to_dict() == graph.to_dict()
    assert (loaded.network, loaded.config, loaded.outputs) == (graph.network, graph.config, graph.outputs)
    for name, array in Executor(loaded).outputs(pictures[0]).items():
        np.testing.assert_array_equal(array, Executor(graph).outputs(pictures[0])[name])


def test_the_outline_has_its_shapes(variant, graph):
    found = outline(config_of(variant))
    assert [replace(node, attributes={}) for node in found.nodes] == [
        replace(node, attributes={}) for node in graph.nodes
    ]
    assert found.outputs == graph.outputs
    for name, tensor in graph.tensors.items():
        assert replace(found.tensors[name], scale=None) == replace(tensor, scale=None)
    for key, array in graph.constants.items():
        assert (found.constants[key].shape, found.constants[key].dtype) == (array.shape, array.dtype)
