"""The `.intarsia` file: one safetensors file with integer arrays and a JSON header.

The header (safetensors metadata, key `intarsia`) holds the format version, the graph with its
options, the model's description and a SHA-256 over header and arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.errors import InputError
from model.files import existing_file, replacing
from model.integer.check import check_graph
from model.integer.graph import Graph

VERSION = 1
"""Version of the format: raised when a reader of the last one could misread a file."""

SUFFIX = ".intarsia"
_KEY = "intarsia"


def check_name(path: Path) -> None:
    """Refuse a file name that other commands would not take for an artifact."""
    if Path(path).suffix != SUFFIX:
        raise InputError(f"{path}: the name of an artifact must end in {SUFFIX}")


def save_artifact(graph: Graph, path: Path) -> None:
    """Write `graph` as one artifact."""
    check_name(path)
    arrays = {name: np.ascontiguousarray(array) for name, array in graph.constants.items()}
    header = {"version": VERSION, "graph": graph.to_dict()}
    header["sha256"] = _digest(header, arrays)
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={_KEY: json.dumps(header, sort_keys=True)})


def load_artifact(path: Path) -> Graph:
    """The graph of an artifact, checked.

    A file that is truncated, changed, of another version or not an artifact raises InputError.
    """
    path = existing_file(path)
    header, arrays = _read(path)
    version = header.get("version")
    if version != VERSION:
        raise InputError(
            f"{path} is an artifact of version {version!r}, this program reads version {VERSION}: "
            "quantize the checkpoint again"
        )
    wanted = header.pop("sha256", None)
    found = _digest(header, arrays)
    if found != wanted:
        raise InputError(
            f"{path} has been changed or damaged: its SHA-256 is {found[:16]}, "
            f"its header says {str(wanted)[:16]}"
        )
    for name, array in arrays.items():
        if array.dtype.kind not in "iu":
            raise InputError(f"{path}: array {name} must hold integers, not {array.dtype}")
    try:
        return check_graph(Graph.from_dict(header["graph"], arrays))
    except KeyError as error:
        raise InputError(f"{path} has no {error} in its header") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            # Copies: kernels want arrays that are writable and aligned.
            arrays = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path} is truncated or not an {SUFFIX} file: {error}") from None
    try:
        header = json.loads(text or "")
    except ValueError:
        header = None
    if not isinstance(header, dict) or "graph" not in header:
        raise InputError(f"{path} is a safetensors file without the header of an {SUFFIX} file")
    return header, arrays


def _digest(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
