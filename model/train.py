"""Training of a FP32 Segmenter: seeded, resumable, one line of history per step.

The batch of step t depends on the seed and t alone, so an interrupted run that resumes sees
the same samples as one that was never stopped.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from intarsia.model.checkpoints.reader import read_pickle
from intarsia.model.data.images import IGNORE, normalize
from intarsia.model.errors import InputError
from intarsia.model.files import refusing, replacing
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig
from intarsia.model.networks.segmenter.checkpoint import save_checkpoint

STATE = {"about", "losses", "model", "optimizer"}
"""Entries of a training state."""


class TrainingData(Protocol):
    """Where batches come from: sample(seed) gives a picture of the window's size and its labels."""

    def sample(self, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]: ...


@dataclass(frozen=True)
class TrainOptions:
    """AdamW, linear warm-up and cosine decay; `seed` decides weights and samples."""

    steps: int = 4000
    batch: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup: int = 200
    seed: int = 1
    save_every: int = 100

    def __post_init__(self) -> None:
        for key in ("steps", "batch", "save_every"):
            if getattr(self, key) < 1:
                raise InputError(f"{key} must be at least 1, not {getattr(self, key)}")
        for key, most in (("steps", 2**31 - 1), ("batch", 2**16)):
            if getattr(self, key) > most:
                raise InputError(f"{key} must be at most {most}, not {getattr(self, key)}")
        if not 1 <= self.seed < 2**31:
            # Scenes of seed 0 are for evaluation.
            raise InputError(f"seed must be in 1..{2**31 - 1}, not {self.seed}")
        if not 0 < self.learning_rate <= 1:
            raise InputError(f"learning rate must be above 0 and at most 1, not {self.learning_rate}")

    def rate(self, step: int) -> float:
        """Learning rate of step 0..steps-1."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        return self.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass
class Trainer:
    """Model, optimizer and history; `state` is the file that a later run resumes from."""

    config: SegmenterConfig
    data: TrainingData
    options: TrainOptions
    state: Path
    initial: Segmenter | None = None

    def __post_init__(self) -> None:
        torch.manual_seed(self.options.seed)
        self.model = self.initial or Segmenter(self.config)
        decay = [p for p in self.model.parameters() if p.ndim == 2]
        plain = [p for p in self.model.parameters() if p.ndim != 2]
        groups = [
            {"params": decay, "weight_decay": self.options.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=self.options.learning_rate)
        self.losses: list[float] = []
        self._sound = True  # False within a step and after one that diverged: nothing to save
        with refusing(f"{self.state} cannot be read"):
            found = self.state.exists()
        if found:
            self._resume()

    @property
    def step(self) -> int:
        """Steps done."""
        return len(self.losses)

    def _about(self) -> dict[str, Any]:
        return {"config": self.config.to_dict(), "options": asdict(self.options)}

    def _resume(self) -> None:
        saved = read_pickle(self.state, "a training state of this program")
        if not isinstance(saved, dict) or set(saved) != STATE:
            raise InputError(f"{self.state} is not a training state of this program")
        about = saved["about"]
        if about != self._about():
            raise InputError(
                f"options must be {about}, with which {self.state} was made, not {self._about()}: "
                "use those or remove the file"
            )
        self.model.load_state_dict(saved["model"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.losses = list(saved["losses"])

    def save(self) -> None:
        """Write the state, so that the run can go on from here."""
        state = {
            "about": self._about(),
            "losses": self.losses,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        # torch.save hides what the system refuses, so it writes to memory.
        buffer = io.BytesIO()
        torch.save(state, buffer)
        with replacing(self.state) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def _batch(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        size = self.options.batch
        first = self.options.seed * 2**32 + step * size
        samples = [self.data.sample(first + i) for i in range(size)]
        pictures = normalize(np.stack([s[0] for s in samples]), self.config.normalization)
        labels = torch.from_numpy(np.stack([s[1] for s in samples]).astype(np.int64))
        return pictures, labels

    def run(self) -> Iterator[float]:
        """Train to the last step; yields each step's loss.

        Saves on the way, at the end and when it is interrupted between two updates of the
        weights. Training that diverges is refused and not saved.
        """
        self.model.train()
        try:
            yield from self._steps()
        finally:
            if self._sound:
                self.save()
        self.model.eval()

    def _steps(self) -> Iterator[float]:
        while self.step < self.options.steps:
            for group in self.optimizer.param_groups:
                group["lr"] = self.options.rate(self.step)
            pictures, labels = self._batch(self.step)
            loss = F.cross_entropy(self.model(pictures), labels, ignore_index=IGNORE)
            self.optimizer.zero_grad()
            loss.backward()
            norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
            value = float(loss.detach())
            self._sound = False
            for name, number in (("loss", value), ("norm of the gradient", norm)):
                if not math.isfinite(number):
                    raise InputError(
                        f"the {name} became {number} at step {self.step + 1}: lower the learning rate "
                        f"({self.options.learning_rate})"
                    )
            self.optimizer.step()
            self.losses.append(value)
            self._sound = True
            if self.step % self.options.save_every == 0:
                self.save()
            yield value

    def export(self, path: Path) -> None:
        """Write the trained model with the options that made it."""
        save_checkpoint(self.model, path, notes={"train": asdict(self.options)})
