"""What is known of a network: its sizes, its task, the walk that makes its graph, what a graph must say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from intarsia.model.errors import InputError
from intarsia.model.messages import shortened
from intarsia.model.networks.config import EncoderConfig

if TYPE_CHECKING:
    from intarsia.model.networks.modules import Model

Task = Literal["segmentation", "classification", "features"]


@dataclass(frozen=True)
class Network:
    """One entry of the registry `intarsia.model.networks`.

    name : as commands and artifacts write it;  title : for people;  source : paper
    task : what leaves: a class per pixel, a class per picture, feature vectors
    config : class of its configuration
    sizes : numbers of each named size, with those that all its sizes share
    datasets : window and classes by the name of a dataset; the first is taken where none is named; empty
        where there are no classes
    shapes : of the FP32 parameters, by the keys of the walk, see `networks.shapes`
    walk : (walk, config) to the leaves, see `networks.walk` and `model.quantize.walk`
    agree : refuses a graph that its configuration contradicts
    module : `package.module:Class` of the FP32 network in PyTorch, imported when it is asked for
    refused : published sizes that cannot be run, and why
    """

    name: str
    title: str
    source: str
    task: Task
    config: type[EncoderConfig]
    sizes: Mapping[str, Mapping[str, Any]]
    datasets: Mapping[str, Mapping[str, Any]]
    shapes: Callable[[Any], dict[str, tuple[int, ...]]]
    walk: Callable[..., Any]
    agree: Callable[[Any], None]
    module: str
    refused: Mapping[str, str] = field(default_factory=dict)

    def named(self, size: str, dataset: str | None = None, **changes: Any) -> EncoderConfig:
        """The configuration of a named size; `changes` replace its numbers."""
        if size in self.refused:
            raise InputError(f"{self._one_size} {size!r}: {self.refused[size]}")
        if size not in self.sizes:
            raise InputError(f"{self._one_size} {shortened(size)}")
        return self.config(**{**self.sizes[size], **self._dataset(dataset), **changes})

    @property
    def default_size(self) -> str:
        """The size where none is named: tiny, or else the first."""
        return "tiny" if "tiny" in self.sizes else next(iter(self.sizes))

    def make(self, config: EncoderConfig) -> Model:
        """The FP32 network of a configuration, in PyTorch, with random weights."""
        place, _, name = self.module.partition(":")
        model: Model = getattr(import_module(place), name)(config)
        return model

    def size_of(self, config: EncoderConfig) -> str | None:
        """Which of the named sizes an encoder is, if any."""
        for name, shape in self.sizes.items():
            if all(getattr(config, key) == shape[key] for key in _SHAPE if key in shape):
                return name
        return None

    @property
    def _one_size(self) -> str:
        return f"size must be one of {', '.join(self.sizes)}, not"

    def _dataset(self, name: str | None) -> dict[str, Any]:
        if name is None and not self.datasets:
            return {}
        chosen = next(iter(self.datasets)) if name is None else name
        if chosen not in self.datasets:
            known = f"one of {', '.join(self.datasets)}" if self.datasets else f"left out for {self.name}"
            raise InputError(f"dataset must be {known}, not {shortened(name)}")
        return {**self.datasets[chosen], "dataset": chosen}


_SHAPE = ("embed", "heads", "layers", "distilled", "registers")
"""Numbers by which a size is recognized."""
