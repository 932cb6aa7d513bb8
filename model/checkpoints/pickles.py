"""What a file of torch.save asks for, looked at before it is loaded: no memory beyond the file's own size.

Such a file is a zip whose entries are stored as they are, one of them a pickle; older ones are pickles one
after another and then the numbers. A pickle can ask for memory that no file holds, so what is executed of
it is bounded by its length, and the functions that make large objects of a number are refused.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from pathlib import Path
from typing import BinaryIO

from intarsia.model.errors import InputError
from intarsia.model.messages import printable

MAX_PICKLE = 2**20
"""Bytes of one pickle; ViT-Large with the state of its optimizer has 150 KB. The numbers are not in it."""

MAX_OPERATIONS = 250_000
"""Of one pickle, about 32 per tensor. PyTorch takes microseconds and up to 100 bytes for each."""

_LEGACY_PICKLES = 4
"""Of an older file: a magic number, the version, the system, the object."""

_LARGE = ("bytearray", "_rebuild_device_tensor_from_numpy", "_rebuild_device_tensor_from_cpu_tensor")
"""Functions that PyTorch lets a pickle call, and that take as much memory as their arguments say."""


def check_pickle(path: Path) -> None:
    """Refuse a file that would take more memory than it has bytes, or than a large network's pickle needs.

    What is neither a zip nor a pickle passes: it is refused by whoever reads it.
    """
    with path.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start == b"PK\x03\x04":
            _check_zip(path, file)
        elif start[:1] == b"\x80":
            for _ in range(_LEGACY_PICKLES):
                if not _check_operations(path, file):
                    break


def _check_zip(path: Path, file: BinaryIO) -> None:
    left = path.stat().st_size
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            name = printable(entry.filename[-60:])
            left -= entry.file_size
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
                raise InputError(
                    f"{path} is compressed: {name} has {entry.compress_size} bytes of {entry.file_size}; "
                    "files of torch.save hold their entries as they are"
                )
            if left < 0:
                raise InputError(
                    f"{path} is damaged: its entries up to {name} have more bytes than the file"
                )
            if entry.filename.endswith(".pkl"):
                if entry.file_size > MAX_PICKLE:
                    raise _too_long(path)
                _check_operations(path, io.BytesIO(archive.read(entry)))


def _check_operations(path: Path, file: BinaryIO) -> bool:
    """One pickle, after which the file is behind it; whether it is a whole one."""
    begin = file.tell()
    data = file.read(MAX_PICKLE + 1)
    end, count = 0, 0
    try:
        for operation, argument, place in pickletools.genops(data):
            count += 1
            if count > MAX_OPERATIONS or (place or 0) > MAX_PICKLE:
                raise _too_long(path)
            if operation.name in ("GLOBAL", "INST") and str(argument).split(" ")[-1] in _LARGE:
                function = str(argument).replace(" ", ".")
                raise InputError(
                    f"{path} holds a call of {function}, which takes as much memory as it asks for; "
                    "only tensors and plain values are loaded"
                )
            end = (place or 0) + 1
    except InputError:
        raise
    except Exception:  # every operation has its own way to be cut short or wrong
        if len(data) > MAX_PICKLE:
            raise _too_long(path) from None
        return False
    file.seek(begin + end)
    return True


def _too_long(path: Path) -> InputError:
    return InputError(
        f"{path} has a pickle of more than {MAX_PICKLE} bytes or {MAX_OPERATIONS} operations: "
        "no network needs it"
    )
