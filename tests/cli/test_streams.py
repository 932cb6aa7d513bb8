"""stdout and stderr that are full, closed or gone, with real processes."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMAND = f"{sys.executable} -m intarsia.cli.main"


def shell(line: str) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"set -o pipefail; {line}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", ["--help", "--version", "traffic --size tiny --json", "traffic --size tiny"]
)
def test_a_full_disk_behind_stdout(arguments):
    done = shell(f"{COMMAND} {arguments} > /dev/full")
    assert (done.returncode, done.stderr) == (
        2,
        "intarsia: cannot write to stdout: No space left on device\n",
    )


def test_a_pipe_that_is_closed():
    done = shell(f"{COMMAND} simulate --size tiny --json | true")
    assert (done.returncode, done.stderr) == (2, "intarsia: cannot write to stdout: Broken pipe\n")


def test_stdout_that_is_closed():
    done = shell(f"{COMMAND} traffic --size tiny --json >&-")
    assert (done.returncode, done.stderr) == (2, "intarsia: cannot write to stdout: it is closed\n")


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
def test_where_stderr_cannot_be_written_the_exit_code_tells(where):
    done = shell(f"{COMMAND} traffic --size huge {where}")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")
    done = shell(f"{COMMAND} --version {where}")
    assert (done.returncode, done.stderr) == (0, "")
