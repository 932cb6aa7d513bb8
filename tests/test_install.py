"""The wheel in a fresh environment: it puts one package there, and every command runs from another folder.

What it depends on is not downloaded again: the environment sees the packages of this one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

import pytest

import intarsia
from intarsia.cli.main import COMMANDS

ROOT = Path(__file__).parents[1]
MADE_HERE = (".*", "__pycache__", "build", "dist", "demo", "fuzz", "waves", "*.egg-info")
"""What stands beside the sources; a wheel must not be made of it."""
NAMES = [command.__name__.replace("_", "-") for command in COMMANDS]

pytestmark = pytest.mark.slow


def outside(*command: str | Path, folder: Path) -> str:
    """stdout of a program that knows nothing of this checkout."""
    hidden = ("PYTHON", "PIP", "VIRTUAL_ENV", "COVERAGE")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources: a build leaves things beside them."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*MADE_HERE))
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    outside(sys.executable, "-m", "pip", "wheel", *options, "-w", folder, source, folder=folder)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("environment")
    outside(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    (packages,) = folder.glob("lib/python*/site-packages")
    own = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    (packages / "dependencies.pth").write_text("\n".join(dict.fromkeys(own)) + "\n")
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        folder / "bin" / "python",
        "--disable-pip-version-check",
    )
    outside(*pip, "install", "--no-deps", "--no-index", "--quiet", wheel, folder=folder)
    found = {path.name for path in packages.iterdir()} - {"dependencies.pth"}
    assert found == {"intarsia", f"intarsia-{intarsia.__version__}.dist-info"}
    return folder


@pytest.fixture
def command(environment: Path, tmp_path: Path):
    def run(*words: str | Path) -> str:
        return outside(environment / "bin" / "intarsia", *words, folder=tmp_path)

    return run


def test_the_wheel_holds_one_package(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (top,) = (name for name in names if name.endswith("/top_level.txt"))
        assert archive.read(top).decode().split() == ["intarsia"]
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"intarsia"}
    # All that is no test and no tool is there.
    for folder in ("model", "arch", "emu", "hw", "synth", "sim", "cli"):
        sources = {str(path.relative_to(ROOT)) for path in (ROOT / folder).rglob("*.py")}
        assert sources == {
            name.removeprefix("intarsia/") for name in names
            if name.startswith(f"intarsia/{folder}/") and name.endswith(".py")
        }  # fmt: skip


def test_it_is_the_installed_package_that_runs(environment: Path, tmp_path: Path) -> None:
    code = "import intarsia.model, intarsia.arch.machine as m; print(m.__file__); m.Machine.load('edge')"
    found = outside(environment / "bin" / "python", "-c", code, folder=tmp_path)
    assert Path(found.strip()).is_relative_to(environment)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(command, name: str) -> None:
    assert f"intarsia {name}" in command(name, "--help")


def test_without_weights(command, tmp_path: Path) -> None:
    size = ("--size", "tiny", "--image", "64x64")
    report = json.loads(command("simulate", *size, "--program", "tiny.prog", "--json"))
    assert report["cycles"] > 0
    assert "matmul" in command("disassemble", "tiny.prog")
    assert json.loads(command("traffic", "--size", "tiny", "--json"))


def test_pictures_and_models(command, tmp_path: Path) -> None:
    picture = tmp_path / "crossing.png"
    shutil.copy(ROOT / "pictures" / "crossing.png", picture)
    command("run", picture, "--out", "masks")
    assert (tmp_path / "masks" / "crossing_mask.png").exists()
    command("quantize", "--images", "1", "--out", "mine.intarsia")
    command("export", "--model", "mine.intarsia", "--onnx", "mine.onnx")
    assert (
        json.loads(command("evaluate", "--model", "mine.intarsia", "--images", "1", "--json"))["images"]
        == 1
    )
    command("train", "--dataset", "scenes", "--steps", "1", "--batch", "1", "--out", "trained")
    assert (tmp_path / "trained" / "model.safetensors").exists()


def test_hardware(command, tmp_path: Path) -> None:
    command("verilog", "--unit", "argmax", "--out", "rtl")
    assert (tmp_path / "rtl" / "argmax.v").exists()
    command("vectors", "argmax", "--out", "vectors")
    assert (tmp_path / "vectors" / "argmax.json").exists()
    assert json.loads(command("verify", "argmax", "--vectors", "20", "--json"))
