"""The networks: one folder each, found by name.

A folder holds the configuration, the PyTorch module, the walk that makes the graph and what a graph must
say. Nothing here imports PyTorch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from intarsia.model.errors import InputError
from intarsia.model.messages import shortened

if TYPE_CHECKING:
    from intarsia.model.networks.network import Network

_FOLDERS = {
    "segmenter": "segmenter",
    "segmenter-linear": "segmenter",
    "vit": "vit",
    "deit": "vit",
    "dinov2": "dinov2",
}

NAMES = tuple(_FOLDERS)
"""Of all networks."""

DEFAULT = NAMES[0]
"""The network that is meant where none is named."""


def find(name: str) -> Network:
    """The network of a name; another one is refused."""
    if name not in _FOLDERS:
        raise InputError(f"network must be one of {', '.join(NAMES)}, not {shortened(name)}")
    module = import_module(f"{__name__}.{_FOLDERS[name]}.network")
    networks: dict[str, Network] = module.NETWORKS
    return networks[name]
