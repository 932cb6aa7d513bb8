"""Ranges of activations, seen during calibration."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from intarsia.model.errors import InputError
from intarsia.model.quantize.lower import scale_of


class Observer(nn.Module):
    """Moving average of the least and greatest value of one tensor (numerics section 1).

    The first batch initialises; then min <- a*min(F) + (1-a)*min, and max likewise.
    """

    low: Tensor
    high: Tensor
    batches: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros((), dtype=torch.float64))
        self.register_buffer("high", torch.zeros((), dtype=torch.float64))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, values: Tensor, momentum: float) -> None:
        """Take in one batch of finite real values with weight `momentum` (a)."""
        a = momentum if self.batches else 1.0
        low, high = (v.to(torch.float64) for v in torch.aminmax(values))
        self.low.mul_(1 - a).add_(low, alpha=a)
        self.high.mul_(1 - a).add_(high, alpha=a)
        self.batches += 1

    @property
    def magnitude(self) -> float:
        """m = max(-min, max)."""
        return max(-float(self.low), float(self.high))


class Ranges(nn.Module):
    """One observer per tensor name, made when the tensor is first seen."""

    def __init__(self) -> None:
        super().__init__()
        self._observers = nn.ModuleDict()

    def update(self, name: str, values: Tensor, momentum: float) -> None:
        """Take in one batch of the tensor `name`; NaN and infinity are refused."""
        if not torch.isfinite(values).all():
            bad = values.detach().flatten()[~torch.isfinite(values.detach().flatten())][0]
            raise InputError(f"{name}: activations must be finite, not {float(bad)}")
        key = name.replace(".", "/")  # modules have no dots in their names
        if key not in self._observers:
            self._observers[key] = Observer()
        observer = self._observers[key]
        assert isinstance(observer, Observer)
        observer.update(values, momentum)

    def scale(self, name: str, bits: int, at_least: float = 0.0) -> float:
        """S of the tensor `name` in `bits` bits; its range also holds values up to `at_least`."""
        key = name.replace(".", "/")
        if key not in self._observers:
            raise InputError(f"{name} has no range: no image has been calibrated with")
        observer = self._observers[key]
        assert isinstance(observer, Observer)
        return scale_of(max(observer.magnitude, at_least), bits)
