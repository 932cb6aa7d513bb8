"""What files beside weights say, and what of it is refused."""

from __future__ import annotations

import json
import re

import pytest

from intarsia.model.checkpoints.described import Described, described_in
from intarsia.model.errors import InputError

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}


def write(folder, config=None, preprocessor=None):
    for name, values in (("config.json", config), ("preprocessor_config.json", preprocessor)):
        if values is not None:
            (folder / name).write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("config", "preprocessor", "want"),
    [
        (None, None, Described()),
        ({}, {}, Described()),
        ({"num_attention_heads": 6, "image_size": 384}, None, Described(6, (384, 384))),
        ({"image_size": [224, 320]}, None, Described(None, (224, 320))),
        ({"num_attention_heads": "6", "image_size": "224"}, None, Described()),
        (None, IMAGENET, Described(None, None, "deit", "preprocessor_config.json says")),
        (
            {"pretrained_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 224, 224]}},
            None,
            Described(None, (224, 224), "vit", "config.json says"),
        ),
        (
            {"mean": [0.5] * 3, "std": [0.5] * 3},
            IMAGENET,
            Described(None, None, "deit", "preprocessor_config.json says"),
        ),
    ],
)
def test_what_is_said(tmp_path, config, preprocessor, want):
    write(tmp_path, config, preprocessor)
    assert described_in(tmp_path) == want


@pytest.mark.parametrize(
    ("config", "preprocessor", "message"),
    [
        ({"hidden_act": "quick_gelu"}, None, "config.json: hidden_act must be gelu, not 'quick_gelu'"),
        (
            {"architecture": "vit_base_patch16_clip_quickgelu_224"},
            None,
            "config.json: act_layer must be gelu, not 'quick_gelu'",
        ),
        ({"model_args": {"act_layer": "silu"}}, None, "config.json: act_layer must be gelu, not 'silu'"),
        (
            None,
            {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.27, 0.26, 0.276]},
            "preprocessor_config.json: the normalization of pixels must be vit (mean (0.5, 0.5, 0.5), "
            "std (0.5, 0.5, 0.5)) or deit (mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225)), "
            "not mean [0.48145466, 0.4578275, 0.40821073], std [0.27, 0.26, 0.276]",
        ),
        (None, {"do_normalize": False}, "preprocessor_config.json: do_normalize must be true, not False"),
    ],
)
def test_what_is_not_run_is_refused(tmp_path, config, preprocessor, message):
    write(tmp_path, config, preprocessor)
    with pytest.raises(InputError, match=f"{re.escape(message)}$"):
        described_in(tmp_path)
