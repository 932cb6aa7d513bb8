"""The shipped Segmenter: its size, its record, its quality."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors import safe_open

from intarsia.model.checkpoints.load import METADATA
from intarsia.model.data.dataset import Scenes
from intarsia.model.evaluate import evaluate
from intarsia.model.export import export_onnx, run_onnx
from intarsia.model.integer.artifact import load_artifact
from intarsia.model.integer.executor import Executor
from intarsia.model.predict import DEFAULT_ARTIFACT, DEFAULT_CHECKPOINT, ZOO, load_predictor


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in ZOO.iterdir()) < 8e6


def test_the_command_and_the_seed_are_recorded():
    with safe_open(DEFAULT_CHECKPOINT, framework="numpy") as file:
        notes = json.loads(file.metadata()[METADATA])["notes"]
    assert notes["command"].startswith("intarsia train --dataset scenes")
    assert notes["train"]["seed"] >= 1


@pytest.mark.parametrize(("path", "least"), [(DEFAULT_CHECKPOINT, 0.80), (DEFAULT_ARTIFACT, 0.70)])
def test_quality_on_unseen_scenes(path, least):
    predictor = load_predictor(path)
    *_, result = evaluate(predictor, Scenes("val", predictor.config.image, 20))
    assert result.confusion.miou > least


def test_onnx_runtime_gives_the_same_labels(tmp_path):
    graph = load_artifact(DEFAULT_ARTIFACT)
    export_onnx(graph, tmp_path / "scenes.onnx")
    for example in Scenes("val", graph.config.image, 2):
        wanted = Executor(graph).run(example.image)
        np.testing.assert_array_equal(run_onnx(tmp_path / "scenes.onnx", example.image), wanted)
