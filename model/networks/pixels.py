"""Which normalization of the pixels a checkpoint was trained with."""

from __future__ import annotations

from intarsia.model.checkpoints.load import Checkpoint
from intarsia.model.errors import InputError
from intarsia.model.messages import shortened
from intarsia.model.networks.segmenter.config import NORMALIZATIONS


def pixels_of(found: Checkpoint, wanted: str | None, usual: str | None = None) -> str:
    """Normalization of the pixels: as wanted, as the files say or prove, or as `usual` for the network.

    Where nothing tells it is "vit"; whatever was not wanted by name is said.
    """
    if wanted is not None:
        if wanted not in NORMALIZATIONS:
            known = ", ".join(NORMALIZATIONS)
            raise InputError(f"normalization must be one of {known}, not {shortened(wanted)}")
        return wanted
    described = found.described
    if described.normalization is not None:
        found.notes.append(f"normalization {described.normalization} as {described.said_by}")
        return described.normalization
    if usual is not None:
        found.notes.append(f"normalization {usual} as this network has it")
        return usual
    others = " or ".join(name for name in NORMALIZATIONS if name != "vit")
    found.notes.append(
        f"normalization vit was supposed, the file does not say it; {others} must be asked for"
    )
    return "vit"
