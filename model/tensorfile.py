"""What a safetensors file says of itself, looked at before memory is taken for what it holds."""

from __future__ import annotations

from pathlib import Path

from intarsia.model.errors import InputError

MAX_HEADER = 2**20
"""Bytes of the header. An artifact of ViT-Large has 190 KB; the library itself would take 100 MB."""


def check_header(path: Path, wrong: str = "not a whole safetensors file") -> None:
    """Refuse a safetensors file whose header is longer than the file, or than MAX_HEADER.

    wrong: what a message calls a file that is cut short.

    The file is the header's length in 8 bytes, the header in JSON, then the arrays one after another.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    left = path.stat().st_size - 8
    if left < 0 or length > left:
        raise InputError(
            f"{path} is {wrong}: its header must have {length} bytes, not the {max(left, 0)} that are left"
        )
    if length > MAX_HEADER:
        raise InputError(f"the header of {path} must have at most {MAX_HEADER} bytes, not {length}")
