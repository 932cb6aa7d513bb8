"""The parameters of a FP32 network in the shapes that the integer operators want."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Parameters:
    """Looks parameters up by the key of their module, with gradients where they have them."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model

    def weight(self, key: str) -> Tensor:
        """Matrix [N, K] of a linear operator.

        The patch embedding's K runs over (row, column, channel) as `pixels` does. `proj_patch`
        and `proj_classes` are published as right factors: transposed here.
        """
        found = self._get(key)
        if isinstance(found, nn.Conv2d):
            return found.weight.permute(0, 2, 3, 1).flatten(1)
        if isinstance(found, nn.Linear):
            return found.weight
        assert isinstance(found, Tensor)
        return found.T

    def bias(self, key: str) -> Tensor | None:
        """Vector [N], or None where there is none."""
        found = self._get(key)
        return found.bias if isinstance(found, nn.Conv2d | nn.Linear) else None

    def rows(self, key: str) -> Tensor:
        """Token constants [rows, D]: tokens before the patches, class embeddings, position embedding."""
        found = self._get(key)
        assert isinstance(found, Tensor)
        return found[0]

    def norm(self, key: str) -> tuple[Tensor, Tensor]:
        """gamma and beta [D] of a LayerNorm."""
        found = self._norm(key)
        return found.weight, found.bias

    def eps(self, key: str) -> float:
        """What a LayerNorm adds to the variance."""
        return self._norm(key).eps

    def _norm(self, key: str) -> nn.LayerNorm:
        found = self._get(key)
        assert isinstance(found, nn.LayerNorm)
        return found

    def _get(self, key: str) -> nn.Module | Tensor:
        parent, _, last = key.rpartition(".")
        found = getattr(self._model.get_submodule(parent), last)
        assert isinstance(found, nn.Module | torch.Tensor)
        return found
