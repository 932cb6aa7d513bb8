"""The `.intarsia` file: one safetensors file with integer arrays and a JSON header.

The header (safetensors metadata, key `intarsia`) holds the format version, the graph with its
options, the model's description and a SHA-256 over header and arrays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, refusing, replacing
from intarsia.model.integer.check import check_graph, check_sizes, check_used
from intarsia.model.integer.graph import LABELS, Graph, Output
from intarsia.model.integer.schema import check_header, read_json
from intarsia.model.kinds import ARTIFACT
from intarsia.model.messages import one_line
from intarsia.model.networks import DEFAULT
from intarsia.model.tensorfile import check_header as check_length

VERSION = 1
"""Version of the format: raised when a reader of the last one could misread a file."""

SUFFIX = ".intarsia"
_KEY = "intarsia"
_DTYPES = {"I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64"}
"""Types of the arrays, by the names of safetensors."""


def save_artifact(graph: Graph, path: Path) -> None:
    """Write `graph` as one artifact; a graph that `load_artifact` would refuse raises InputError."""
    ARTIFACT.check(Path(path))
    _check(graph)
    arrays = {name: np.ascontiguousarray(array) for name, array in graph.constants.items()}
    header = {"version": VERSION, "graph": graph.to_dict()}
    header["sha256"] = _digest(header, arrays)
    with replacing(path) as temporary:
        save_file(arrays, temporary, metadata={_KEY: json.dumps(header, sort_keys=True)})


def load_artifact(path: Path) -> Graph:
    """The graph of an artifact, checked.

    A file that is truncated, changed, of another version or not an artifact raises InputError, and
    so does a graph that cannot be run. Memory is taken for no more than the arrays in the file.
    """
    path = existing_file(path)
    with refusing(f"{path} cannot be read"):
        check_length(path, f"truncated or not an {SUFFIX} file")
    try:
        header, arrays = _read(path)
        wanted = header.pop("sha256")
        found = _digest(header, arrays)
        if found != wanted:
            raise InputError(
                f"it has been changed or damaged: its SHA-256 is {found[:16]}, "
                f"its header says {wanted[:16]}"
            )
        graph = Graph.from_dict(_present(header)["graph"], arrays)
        _check(graph)
        return graph
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _check(graph: Graph) -> None:
    check_graph(graph)
    check_used((node.constants for node in graph.nodes), graph.constants)
    check_sizes(graph)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header, of the right form, and arrays, of integers that some node uses."""
    try:
        with safe_open(path, framework="numpy") as file:
            header = _header((file.metadata() or {}).get(_KEY))
            names = list(file.keys())
            _check_arrays(header["graph"], {name: file.get_slice(name).get_dtype() for name in names})
            # Copies: kernels want arrays that are writable and aligned.
            return header, {name: np.array(file.get_tensor(name)) for name in names}
    except InputError:
        raise
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise InputError(f"it is truncated or not an {SUFFIX} file: {one_line(error)}") from None


def _header(text: str | None) -> dict[str, Any]:
    if text is None:
        raise InputError(f"it is a safetensors file without the header of an {SUFFIX} file")
    header = read_json(text)
    version = header.get("version") if isinstance(header, dict) else None
    if type(version) is int and version != VERSION:
        raise InputError(
            f"it is an artifact of version {version}, this program reads version {VERSION}: "
            "quantize the checkpoint again"
        )
    check_header(_present(header))
    checked: dict[str, Any] = header
    return checked


def _present(header: Any) -> Any:
    """A header with `network` and `outputs`: where it has none it is a Segmenter's, whose labels leave."""
    if not isinstance(header, dict) or not isinstance(header.get("graph"), dict):
        return header
    labels = asdict(Output(LABELS, LABELS, "labels"))
    return {**header, "graph": {"network": DEFAULT, "outputs": [labels], **header["graph"]}}


def _check_arrays(graph: Mapping[str, Any], dtypes: Mapping[str, str]) -> None:
    """Refuse arrays that no node uses, and such as hold no integers, before they are read."""
    check_used((node["constants"] for node in graph["nodes"]), dtypes)
    for name, dtype in dtypes.items():
        if dtype not in _DTYPES:
            wanted = ", ".join(_DTYPES.values())
            raise InputError(f"the array {name} must hold integers ({wanted}), not {dtype}")


def _digest(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
