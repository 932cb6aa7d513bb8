"""How a run of `intarsia` ends: exit codes, and one sentence on stderr when it fails."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest
import typer

import intarsia
from intarsia.cli.main import app, main
from intarsia.model.errors import InputError


@contextmanager
def command(function):
    """`function` as a command of `intarsia`, inside the block only."""
    app.command()(function)
    try:
        yield
    finally:
        app.registered_commands.pop()


def test_success_is_0_and_silent_on_stderr(capsys):
    def probe(count: int = 1) -> None:
        typer.echo(f"count {count}")

    with command(probe):
        assert main(["probe", "--count", "3"]) == 0
    assert capsys.readouterr() == ("count 3\n", "")


def test_a_mismatch_is_1():
    def probe() -> None:
        raise typer.Exit(1)

    with command(probe):
        assert main(["probe"]) == 1


def test_bad_input_is_2_and_one_line_whatever_its_length_and_characters(capsys):
    name = "/data/[bold]" + "very/" * 40 + "long.png"

    def probe() -> None:
        raise InputError(f"{name} is not a picture:\n bad header")

    with command(probe):
        assert main(["probe"]) == 2
    assert capsys.readouterr() == ("", f"intarsia: {name} is not a picture: bad header\n")


@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["nothing"], "'nothing'"),
        (["--nothing"], "--nothing"),
        (["probe", "--count", "x"], "'--count'"),
        (["probe", "--count"], "'--count'"),
        (["probe", "extra"], "(extra)"),
    ],
)
def test_bad_usage_is_2_and_one_line_that_names_it(arguments, culprit, capsys):
    def probe(count: int = 1) -> None:
        raise AssertionError

    with command(probe):
        assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n"), err[:10], culprit in err) == ("", 1, "intarsia: ", True)


def test_ctrl_c_is_130(capsys):
    def probe() -> None:
        raise KeyboardInterrupt

    with command(probe):
        assert main(["probe"]) == 130
    assert capsys.readouterr() == ("", "intarsia: interrupted\n")


def test_characters_that_the_terminal_does_not_know_are_escaped():
    code = (
        "import sys; from intarsia.cli.main import main; sys.exit(main(['run', 'stra\\u00dfe\\udcff.png']))"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert ended.returncode == 2
    assert ended.stderr == "intarsia: stra\\xdfe\\udcff.png does not exist\n"


def test_a_defect_is_not_hidden():
    def probe() -> None:
        raise RuntimeError("a defect")

    with command(probe), pytest.raises(RuntimeError, match="a defect"):
        main(["probe"])


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr() == (f"intarsia {intarsia.__version__}\n", "")


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_the_commands(arguments, capsys):
    def probe() -> None:
        """Look at nothing."""

    with command(probe):
        assert main(arguments) == 0
    assert "Look at nothing." in capsys.readouterr().out


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from intarsia.cli.main import main; main(['--help']);"
        "print(sorted({'matplotlib', 'numba', 'numpy', 'onnx', 'torch'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.stderr, ended.stdout.splitlines()[-1:]) == ("", ["[]"])
