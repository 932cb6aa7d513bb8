"""Files of torch.save that ask for more than they hold: refused before memory is taken."""

from __future__ import annotations

import io
import pickle
import time
import tracemalloc
import zipfile

import pytest
import torch

from intarsia.model.checkpoints.pickles import MAX_PICKLE, check_pickle
from intarsia.model.errors import InputError
from intarsia.model.networks.segmenter import load_checkpoint


def in_zip(path, data, compression=zipfile.ZIP_STORED):
    """A zip as torch.save writes it, with other bytes in the place of its pickle."""
    torch.save({"x": torch.zeros(2)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, old in entries.items():
            archive.writestr(name, data if name.endswith("data.pkl") else old)
    return path


def refused_at_once(path, message):
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)
    assert time.process_time() - start < 1
    assert tracemalloc.get_traced_memory()[1] < 2**26
    tracemalloc.stop()


def test_files_of_torch_pass(tmp_path):
    for legacy in (False, True):
        path = tmp_path / f"{legacy}.pth"
        state = {f"encoder.blocks.{i}.weight": torch.zeros(3, 4) for i in range(500)}
        torch.save({"model": state, "epoch": 3}, path, _use_new_zipfile_serialization=not legacy)
        check_pickle(path)


def test_a_compressed_pickle_is_refused(tmp_path):
    bomb = b"\x80\x02" + b"]" * 200_000_000 + b"."
    path = in_zip(tmp_path / "checkpoint.pth", bomb, zipfile.ZIP_DEFLATED)
    del bomb
    assert path.stat().st_size < 2**20
    refused_at_once(path, r"is compressed: checkpoint/data\.pkl has \d+ bytes of 200000003")


def test_entries_over_each_other_are_refused(tmp_path):
    path = in_zip(tmp_path / "checkpoint.pth", pickle.dumps({}, protocol=2))
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = archive.start_dir
    # The first entry of the directory once more, in the place of the last.
    entry = data[start : data.index(b"PK\x01\x02", start + 4)]
    whole = in_zip(tmp_path / "other.pth", b"\x80\x02" + b"0" * 2000).read_bytes()
    assert entry and len(whole) > 2000
    with zipfile.ZipFile(path, "a") as archive:
        entry = archive.infolist()[0]
        for i in range(200):
            twin = zipfile.ZipInfo(f"checkpoint/data/{i + 9}")
            twin.header_offset, twin.file_size, twin.compress_size = entry.header_offset, 5000, 5000
            twin.CRC = entry.CRC
            archive.filelist.append(twin)
        archive._didModify = True
    refused_at_once(path, "is damaged: its entries up to .* have more bytes than the file")


@pytest.mark.parametrize("size", [MAX_PICKLE * 20, MAX_PICKLE - 10])
def test_long_pickles_are_refused(tmp_path, size):
    bomb = b"\x80\x02" + b"]" * size + b"."
    message = "has a pickle of more than 1048576 bytes or 250000 operations"
    refused_at_once(in_zip(tmp_path / "checkpoint.pth", bomb), message)
    legacy = tmp_path / "legacy.pth"
    legacy.write_bytes(bomb)
    refused_at_once(legacy, message)
    legacy.write_bytes(pickle.dumps(1, protocol=2) * 3 + bomb)
    refused_at_once(legacy, message)


def test_a_call_that_takes_memory_is_refused(tmp_path):
    call = b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R."
    for path in (in_zip(tmp_path / "checkpoint.pth", call), tmp_path / "legacy.pth"):
        if path.name == "legacy.pth":
            path.write_bytes(call)
        refused_at_once(path, r"holds a call of __builtin__\.bytearray, which takes as much memory")


def test_a_view_larger_than_its_numbers_is_refused(tmp_path):
    one = torch.zeros(1)
    shapes = {"cls_token": (1, 1, 192), "pos_embed": (1, 1025, 192)}
    shapes["patch_embed.proj.weight"] = (192, 3, 16, 16)
    state = {key: one.expand(shape) for key, shape in shapes.items()}
    state["patch_embed.proj.bias"] = one.expand(192)
    for name in ("norm.weight", "norm.bias"):
        state[name] = one.expand(192)
    blocks = {
        "norm1.weight": (192,), "norm1.bias": (192,), "norm2.weight": (192,), "norm2.bias": (192,),
        "attn.qkv.weight": (576, 192), "attn.qkv.bias": (576,),
        "attn.proj.weight": (192, 192), "attn.proj.bias": (192,),
        "mlp.fc1.weight": (768, 192), "mlp.fc1.bias": (768,),
        "mlp.fc2.weight": (192, 768), "mlp.fc2.bias": (192,),
    }  # fmt: skip
    for i in range(12):
        state |= {f"blocks.{i}.{key}": one.expand(shape) for key, shape in blocks.items()}
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(InputError, match=r"describes tensors of \d{8} bytes, but has \d{5,6}$"):
        load_checkpoint(tmp_path / "vit.pth", size="tiny", dataset="ade20k")
