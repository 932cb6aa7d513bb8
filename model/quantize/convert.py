"""Float parameters and observed ranges to the integer graph."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from intarsia.model.integer.graph import Graph, QuantizeOptions
from intarsia.model.networks.config import EncoderConfig
from intarsia.model.quantize.build import Builder
from intarsia.model.quantize.observer import Ranges
from intarsia.model.quantize.parameters import Parameters


def convert(
    parameters: Parameters, ranges: Ranges, config: EncoderConfig, options: QuantizeOptions
) -> Graph:
    """The integer graph of `parameters` with the scales of `ranges`.

    Accumulators that could overflow and ratios that no dyadic number expresses are refused with
    InputError, by tensor name.
    """
    return Builder(_Arrays(parameters), ranges, config, options).build(config.network)


class _Arrays:
    """Parameters as NumPy arrays."""

    def __init__(self, parameters: Parameters) -> None:
        self._parameters = parameters

    def weight(self, key: str) -> NDArray[Any]:
        return _array(self._parameters.weight(key))

    def bias(self, key: str) -> NDArray[Any] | None:
        bias = self._parameters.bias(key)
        return None if bias is None else _array(bias)

    def rows(self, key: str) -> NDArray[Any]:
        return _array(self._parameters.rows(key))

    def norm(self, key: str) -> tuple[NDArray[Any], NDArray[Any]]:
        gamma, beta = self._parameters.norm(key)
        return _array(gamma), _array(beta)


def _array(parameter: torch.Tensor) -> NDArray[Any]:
    array: NDArray[Any] = parameter.detach().cpu().numpy()
    return array
