"""Names of a state dict without what wrappers and trainers put before them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from intarsia.model.checkpoints.tensors import State, some

WRAPPERS = re.compile(r"(?<![^.])(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
"""Parts of a name that a compiled or wrapped module leaves anywhere; no network calls its own so."""

NETWORKS = (
    "teacher", "model_ema", "ema_model", "model", "net", "network", "backbone", "base_encoder", "encoder_q",
    "encoder", "vit", "trunk",
)  # fmt: skip
"""Modules of a training that a network lies in, the one to take first."""

COMPANIONS = (
    "student", "teacher", "model_ema", "ema_model", "momentum_encoder", "encoder_k", "predictor",
    "projector", "projection_head", "head", "dino_head", "ibot_head", "dino_loss", "ibot_patch_loss",
    "loss", "loss_fn", "criterion", "queue", "queue_ptr", "n_averaged", "center",
)  # fmt: skip
"""What lies beside a network in its training and takes no part in it afterwards."""


def bare(state: Mapping[str, object], known: Callable[[Collection[str]], bool]) -> tuple[State, list[str]]:
    """A state dict with its names as `known` recognizes them, and notes on what was taken off.

    Taken off are WRAPPERS anywhere, beginnings that all names share, and, where a training holds a network
    beside COMPANIONS, the companions. Where nothing helps the state is returned as it was.
    """
    found: State = {WRAPPERS.sub("", key): value for key, value in state.items()}
    if len(found) < len(state):
        return dict(state), []
    removed: list[str] = []
    dropped: list[str] = []
    while found and not known(found):
        firsts = {key.split(".", 1)[0] for key in found}
        if len(firsts) == 1:
            first = next(iter(firsts))
        else:
            chosen = next((name for name in NETWORKS if name in firsts), None)
            if chosen is None or not all(_is_companion(name) for name in firsts - {chosen}):
                return dict(state), []
            first = chosen
            dropped += sorted(firsts - {chosen})
        inner = {key[len(first) + 1 :]: v for key, v in found.items() if key.startswith(f"{first}.")}
        removed.append(f"{first}.")
        found = inner
    if not found:
        return dict(state), []
    notes = [f"names are without {''.join(removed)}"] if removed else []
    return found, notes + ([f"not used: {some(dropped)}"] if dropped else [])


def _is_companion(name: str) -> bool:
    return name in COMPANIONS or re.fullmatch(r"(train|val|valid|test)_\w+|metrics?", name) is not None
