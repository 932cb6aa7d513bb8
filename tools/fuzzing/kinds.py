"""Inputs of every kind: how a seed edits a valid one, and what must come of it.

A judge returns what became of the file, lets InputError through where it is refused, and raises
AssertionError where two ways to the same result disagree. Anything else that it raises is a fault.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import pickle
import random
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml  # type: ignore[import-untyped, unused-ignore]
from PIL import Image

from intarsia.arch import program_file as programs
from intarsia.arch.machine import PRESETS, Machine
from intarsia.arch.program import Program
from intarsia.arch.timing import simulate_program
from intarsia.emu.compile import compile_graph
from intarsia.emu.scalesim import Systolic, compare, read_config
from intarsia.emu.topology import read_topology
from intarsia.model.data.images import read_image, read_map
from intarsia.model.errors import InputError
from intarsia.model.integer.artifact import save_artifact
from intarsia.model.networks.checkpoint import load_model
from intarsia.model.networks.segmenter import Segmenter, SegmenterConfig, save_checkpoint
from tools.fuzzing import artifacts
from tools.fuzzing.edits import dumps, edit_bytes, edit_json, edit_text

MOST_INSTRUCTIONS = 20_000
"""Of a program that is timed; a repeat of 2^31 is legal."""


@dataclass(frozen=True)
class Kind:
    """One kind of input.

    write: an edited file for a random source, and what was done to it; without one the valid file.
    """

    suffix: str
    write: Callable[[Path, random.Random | None], str]
    judge: Callable[[Path], str]


def artifact_kind() -> Kind:
    """Artifacts: refused, or equal in reference, kernels and emulator."""
    graphs = artifacts.networks()

    def write(path: Path, rng: random.Random | None) -> str:
        if rng:
            return artifacts.write(path, rng.choice(graphs), rng)
        save_artifact(graphs[0], path)
        return ""

    return Kind(".intarsia", write, artifacts.Judge())


def machine_kind() -> Kind:
    """Machine descriptions: what is read must be the same after it was written as a document."""
    folder = Path(programs.__file__).parent / "presets"
    texts = [(folder / f"{name}.toml").read_text() for name in PRESETS]
    words = (
        "[array]",
        "[x]",
        "lanes",
        "lanes.x",
        "= 1",
        "name",
        "a" * 300,
        "#",
        '"',
        "1e3",
        "true",
        "[" * 5000,
    )

    def judge(path: Path) -> str:
        machine = Machine.load(path)
        _equal(machine, Machine.from_document(machine.document(), "document"), "machine")
        return "accepted"

    return Kind(".toml", _texts(texts, words), judge)


def topology_kind() -> Kind:
    """SCALE-Sim's topologies, of products and of convolutions, on an array and a machine."""
    texts = [
        "Layer, M, N, K,\nqkv, 100, 576, 192,\nproj, 100, 192, 192,\nfc1, 100, 768, 192, 1:1\n",
        "Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
        "Conv1, 224, 224, 3, 3, 3, 64, 2,\nDP2, 112, 112, 3, 3, 64, 1, 1,\nFC, 1, 1, 1, 1, 512, 1000, 1,\n",
    ]
    words = (
        "Batch",
        "Sparsity",
        "Strides",
        "2:4",
        "DP",
        "Layer",
        '"',
        "0",
        "\0",
        "é",
        "2147483647",
        "1_000",
    )
    array, machine = Systolic("array", 32, 32, "ws"), Machine.load("edge")

    def judge(path: Path) -> str:
        products = read_topology(path)
        report = compare(products, array, machine)
        _equal(report["macs"], sum(product.macs for product in products), "MACs")
        return "accepted"

    return Kind(".csv", _texts(texts, words), judge)


_CONFIG = """[general]
run_name = example

[architecture_presets]
ArrayHeight:    32
ArrayWidth:     32
IfmapSramSzkB:    64
Dataflow : ws
MemoryBanks:   1

[run_presets]
InterfaceBandwidth: CALC
"""


def config_kind() -> Kind:
    """SCALE-Sim's descriptions of an array."""
    words = (
        "ws",
        "os",
        "is",
        "ArrayHeight:",
        "[x]",
        "[architecture_presets]",
        "%(x)s",
        ":",
        "=",
        "0",
        "\0",
    )

    def judge(path: Path) -> str:
        read_config(path)
        return "accepted"

    return Kind(".cfg", _texts([_CONFIG], words), judge)


def program_kind() -> Kind:
    """Program files: what is read must be the same after it was written, and have a time."""
    graph, machine = artifacts.networks()[0], Machine.load("edge")
    valid = compile_graph(graph, machine)

    def write(path: Path, rng: random.Random | None) -> str:
        valid.save(path)
        if rng is None:
            return ""
        data = path.read_bytes()
        prefix, start = programs._PREFIX, programs._PREFIX.size + 32
        _, _, length, _ = prefix.unpack_from(data)
        value, code, done = json.loads(data[start : start + length]), data[start + length :], []
        for _ in range(rng.choice((1, 1, 2))):
            if rng.random() < 0.8:
                done.append(edit_json(value, rng))
            else:
                place = rng.randrange(len(code) // 32) * 32
                code = code[:place] + edit_bytes(code[place : place + 32], rng) + code[place + 32 :]
                done.append(f"instruction {place // 32}")
        header = dumps(value).encode()
        front = prefix.pack(programs.MAGIC, programs.VERSION, len(header), len(code))
        data = front + hashlib.sha256(front + header + code).digest() + header + code
        if rng.random() < 0.1:
            data, done = edit_bytes(data, rng), [*done, "bytes"]
        path.write_bytes(data)
        return "; ".join(done)

    def judge(path: Path) -> str:
        program = Program.load(path)
        again = path.with_name("again.program")
        program.save(again)
        _equal(Program.load(again), program, "program")
        sizes = (sum(map(len, segment.queues)) * segment.repeat for segment in program.segments)
        if sum(sizes) > MOST_INSTRUCTIONS:
            return "accepted; too long to be timed"
        try:
            simulate_program(program)
        except InputError as error:
            return f"accepted; without a time: {error}"
        return "accepted"

    return Kind(".program", write, judge)


def checkpoint_kind() -> Kind:
    """FP32 checkpoints: ours, published ones in both formats of torch.save, shards, a hub's folder."""
    config = SegmenterConfig(
        embed=64, heads=1, layers=1, decoder_layers=1, image=(16, 16), patch=16, classes=5
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Segmenter(config)
    net = {
        "image_size": [16, 16], "patch_size": 16, "d_model": 64, "n_heads": 1, "n_layers": 1, "n_cls": 5,
        "normalization": "vit", "decoder": {"name": "mask_transformer", "n_layers": 1},
    }  # fmt: skip
    variant = yaml.dump({"net_kwargs": net, "dataset_kwargs": {"dataset": "x"}})

    def write(path: Path, rng: random.Random | None) -> str:
        kinds = ("ours", "zip", "legacy", "variant", "pickle", "index", "hub")
        kind = rng.choice(kinds) if rng else "ours"
        (path.parent / "variant.yml").write_text(variant)
        for name in ("a.index.json", "config.json"):
            (path.parent / name).unlink(missing_ok=True)
        if kind in ("ours", "index"):
            save_checkpoint(model, path)
        else:
            prefix = rng.choice(("", "module.", "_orig_mod.model.")) if rng else ""
            state = {prefix + name: value for name, value in model.state_dict().items()}
            if kind == "hub":  # the encoder alone
                state = {name: value for name, value in state.items() if "encoder." in name}
            torch.save(
                {"model": state, "epoch": 1, "args": argparse.Namespace(lr=0.1)},
                path,
                _use_new_zipfile_serialization=kind != "legacy",
            )
        if rng is None:
            return kind
        if kind in ("index", "hub"):
            about = {"index": {"weight_map": dict.fromkeys(model.state_dict(), path.name)}}.get(
                kind, {"num_attention_heads": 1, "image_size": 16, "hidden_act": "gelu", "mean": [0.5] * 3}
            )
            edit_json(about, rng)
            name = "a.index.json" if kind == "index" else "config.json"
            (path.parent / name).write_text(dumps(about), errors="replace")
        elif kind == "variant":
            text = edit_text(
                variant, rng, ("&a", "*a", "<<: *a", "!!python/tuple", "- -", "[", "{", "d_model:")
            )
            (path.parent / "variant.yml").write_text(text, errors="replace")
        elif kind == "pickle":
            _edit_zip(path, rng)
        else:
            data = path.read_bytes()
            front = data[: 8 + int.from_bytes(data[:8], "little")] if kind == "ours" else data[:3000]
            if rng.random() < 0.7:
                path.write_bytes(edit_bytes(front, rng) + data[len(front) :])
            else:
                path.write_bytes(edit_bytes(data, rng))
        return kind

    def judge(path: Path) -> str:
        index = path.parent / "a.index.json"
        network = "dinov2" if (path.parent / "config.json").exists() else None
        load_model(index if index.exists() else path, network=network)
        return "accepted"

    return Kind(".pth", write, judge)


def picture_kind() -> Kind:
    """Pictures and label maps in every format that is tried."""
    noise = np.random.default_rng(0)
    rgb = Image.fromarray(noise.integers(0, 256, (12, 16, 3), np.uint8))
    wide = Image.fromarray(noise.integers(0, 2**16, (12, 16), np.uint16))
    valid = []
    for picture, formats in (
        (rgb, ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM")),
        (rgb.convert("L"), ("PNG", "TIFF", "PPM")),
        (rgb.convert("P"), ("PNG", "GIF", "BMP")),
        (rgb.convert("RGBA"), ("PNG", "WEBP", "TIFF")),
        (rgb.convert("CMYK"), ("JPEG", "TIFF")),
        (wide, ("PNG", "TIFF")),
    ):
        for name in formats:
            buffer = io.BytesIO()
            picture.save(buffer, format=name)
            valid.append(buffer.getvalue())

    def write(path: Path, rng: random.Random | None) -> str:
        path.write_bytes(edit_bytes(rng.choice(valid), rng) if rng else valid[0])
        return "bytes"

    def judge(path: Path) -> str:
        with suppress(InputError):
            read_map(path)
        picture = read_image(path)
        _equal((picture.dtype, picture.shape[2:]), (np.dtype(np.uint8), (3,)), "form of the picture")
        return "accepted"

    return Kind(".png", write, judge)


KINDS: dict[str, Callable[[], Kind]] = {
    "artifact": artifact_kind,
    "machine": machine_kind,
    "program": program_kind,
    "topology": topology_kind,
    "config": config_kind,
    "checkpoint": checkpoint_kind,
    "picture": picture_kind,
}


def _equal(found: Any, wanted: Any, what: str) -> None:
    if found != wanted:
        raise AssertionError(f"unequal results: {what}")


def _texts(texts: list[str], words: tuple[str, ...]) -> Callable[[Path, random.Random | None], str]:
    def write(path: Path, rng: random.Random | None) -> str:
        if rng is None:
            path.write_text(texts[0])
            return ""
        data = edit_text(rng.choice(texts), rng, words).encode("utf-8", "surrogatepass")
        kind = "text" if rng.random() < 0.85 else "bytes"
        path.write_bytes(data if kind == "text" or not data else edit_bytes(data, rng))
        return kind

    return write


def _edit_zip(path: Path, rng: random.Random) -> None:
    """Another pickle, or the same with edits, in the file; stored or compressed, some entries lost."""
    with zipfile.ZipFile(path) as archive:
        entries = [(name, archive.read(name)) for name in archive.namelist()]
    bombs = (b"\x80\x02" + b"]" * 10**7 + b".", pickle.dumps([[]] * 10**5, protocol=2), b"\x80\x02.")
    with zipfile.ZipFile(path, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, data in entries:
            if name.endswith(".pkl"):
                data = rng.choice(bombs) if rng.random() < 0.2 else edit_bytes(data, rng)
            if rng.random() < 0.98:
                archive.writestr(name, data)
