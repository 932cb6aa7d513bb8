"""One file to what it holds: a safetensors file or one of torch.save. Nothing in it is executed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from intarsia.model.checkpoints.inert import reading_past
from intarsia.model.checkpoints.pickles import check_pickle
from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing
from intarsia.model.messages import printable
from intarsia.model.tensorfile import check_header

MAX_LINE = 300
"""Characters of another program's error that a message shows."""


def read_file(path: Path) -> tuple[Any, Mapping[str, str]]:
    """What a checkpoint's file holds, and the metadata of a safetensors file (empty for others).

    The format is known by the content. Raises InputError for a file that is cut short, damaged, or holds
    other objects than tensors, plain values and those of `inert.NAMES`.
    """
    path = existing_file(path)
    with refusing(f"{path} cannot be read"), path.open("rb") as file:
        start = file.read(9)
    # A safetensors file is the header's length in 8 bytes, then the header in JSON.
    if path.suffix == ".safetensors" or start[8:] == b"{":
        return _read_safetensors(path)
    return read_pickle(path, "a whole PyTorch checkpoint"), {}


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    with refusing(f"{path} cannot be read"):
        check_header(path)
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
    except Exception as error:
        # The library's own exception, a missing type and a short file all fail in their own way.
        raise InputError(f"{path} is not a whole safetensors file: {_line(error)}") from None


def read_pickle(path: Path, kind: str) -> Any:
    """Tensors and plain values that torch.save wrote; what is not is refused as not `kind`.

    The objects of `inert.NAMES` beside them become empty ones.
    """
    try:
        with warnings.catch_warnings(), reading_past():
            warnings.simplefilter("ignore")  # about pickle protocols; what matters is refused
            check_pickle(existing_file(path))
            return torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:
        # A damaged zip, a foreign pickle and an empty file all fail in their own way.
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign:
            raise InputError(
                f"{path} holds a Python object ({foreign[1]}) beside tensors and plain values; "
                "such are never loaded: save the state dict alone"
            ) from None
        # torch advises to load what is no pickle without its safeguard.
        reason = "" if "weights_only" in str(error) else f": {_line(error)}"
        raise InputError(f"{path} is not {kind}{reason}") from None


def _line(error: Exception) -> str:
    """The first line of an error, or its name where it says nothing."""
    return printable((str(error).splitlines() or [""])[0][:MAX_LINE]) or type(error).__name__
