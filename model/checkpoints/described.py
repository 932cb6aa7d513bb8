"""What the files beside weights say of a network: config.json and preprocessor_config.json of a hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any

from intarsia.model.checkpoints.documents import read_json
from intarsia.model.errors import InputError
from intarsia.model.files import refusing
from intarsia.model.messages import shortened
from intarsia.model.networks.config import NORMALIZATIONS

GELUS = ("gelu", None)
"""Activations of the MLP that are run; None: nothing is said."""


@dataclass(frozen=True)
class Described:
    """Numbers that the files beside the weights say; None where they do not.

    heads: of the attention;  image: (height, width) in pixels of the position embedding;
    normalization: a name of NORMALIZATIONS;  said_by: "X says", for messages;
    pool: timm's global_pool, "token" or "avg".
    """

    heads: int | None = None
    image: tuple[int, int] | None = None
    normalization: str | None = None
    said_by: str = ""
    pool: str | None = None


def described_in(folder: Path) -> Described:
    """What `config.json` and `preprocessor_config.json` of a folder say, where they exist.

    Read are those of Hugging Face's transformers and of timm. Raises InputError for an activation other
    than GELU and a normalization of pixels that is none of NORMALIZATIONS.
    """
    about = _document(folder / "config.json")
    if about.get("hidden_act") not in GELUS:
        raise InputError(
            f"{folder / 'config.json'}: hidden_act must be gelu, not {shortened(about['hidden_act'])}"
        )
    arguments = about.get("model_args")
    activation = arguments.get("act_layer") if isinstance(arguments, dict) else None
    if activation not in GELUS or "quickgelu" in str(about.get("architecture")):
        raise InputError(
            f"{folder / 'config.json'}: act_layer must be gelu, not {shortened(activation or 'quick_gelu')}"
        )
    pretrained = about.get("pretrained_cfg")
    timm = {**about, **pretrained} if isinstance(pretrained, dict) else about
    preprocessor = _document(folder / "preprocessor_config.json")
    normalization, said_by = None, ""
    for name, values, keys in (
        ("preprocessor_config.json", preprocessor, ("image_mean", "image_std")),
        ("config.json", timm, ("mean", "std")),
    ):
        if normalization is None and all(key in values for key in keys):
            normalization = normalization_of(values[keys[0]], values[keys[1]], folder / name)
            said_by = f"{name} says"
    if preprocessor.get("do_normalize") is False:
        raise InputError(f"{folder / 'preprocessor_config.json'}: do_normalize must be true, not False")
    heads = about.get("num_attention_heads")
    return Described(
        heads if type(heads) is int and heads > 0 else None,
        _image(about.get("image_size", _last_two(timm.get("input_size")))),
        normalization,
        said_by,
        pool if isinstance(pool := about.get("global_pool"), str) else None,
    )


def normalization_of(mean: object, deviation: object, source: Path, scale: float = 1.0) -> str:
    """The name of a normalization of pixels, given per RGB channel in units of `scale`."""
    for name, wanted in NORMALIZATIONS.items():
        if all(_close(given, w, scale) for given, w in zip((mean, deviation), wanted, strict=True)):
            return name
    known = " or ".join(f"{name} (mean {m}, std {s})" for name, (m, s) in NORMALIZATIONS.items())
    raise InputError(
        f"{source}: the normalization of pixels must be {known}, not mean {shortened(mean)}, "
        f"std {shortened(deviation)}"
    )


def _close(given: object, wanted: Sequence[float], scale: float) -> bool:
    if not isinstance(given, list | tuple) or len(given) != len(wanted):
        return False
    return all(
        isinstance(g, int | float) and isclose(g / scale, w, abs_tol=5e-4)
        for g, w in zip(given, wanted, strict=True)
    )


def _document(path: Path) -> Mapping[str, Any]:
    with refusing(f"{path} cannot be read"):
        return read_json(path) if path.exists() else {}


def _last_two(value: object) -> object:
    return value[1:] if isinstance(value, list) and len(value) == 3 else None


def _image(value: object) -> tuple[int, int] | None:
    sides = [value, value] if type(value) is int else value
    if not isinstance(sides, list | tuple) or len(sides) != 2:
        return None
    height, width = sides
    return (height, width) if type(height) is int and type(width) is int and min(sides) > 0 else None
