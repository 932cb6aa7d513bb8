"""Ctrl-C, with real processes: one line, exit code 130, no child and nothing half-written left.

Three seconds are promised; the bounds here are for machines that are busy with other tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

BOUND = 15.0
MARK = "INTARSIA_TEST_INTERRUPT"
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for children in /proc"
)


def family(mark: str) -> dict[int, str]:
    """Processes with this mark in their environment, by number; the names of their programs."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "comm").read_text().strip()
            except OSError:
                continue
    return found


def interrupted(
    tmp_path: Path, code: list[str], ready: Callable[[dict[int, str]], bool], number: int = signal.SIGINT
) -> tuple[int, str, str, float]:
    """Exit code, stdout, stderr and seconds to the end of a run that gets a signal once it is ready."""
    mark = str(tmp_path)
    environment = {**os.environ, MARK: mark, "INTARSIA_CACHE": str(tmp_path / "cache")}
    process = subprocess.Popen(
        [sys.executable, *code], env=environment, cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        end = time.monotonic() + 300
        while not ready(family(mark)):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err, time.monotonic() - began
    finally:
        process.kill()
        left = family(mark)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left


def run_in_main(body: str) -> list[str]:
    """A program that runs `body` as a command of intarsia."""
    head = "import sys, time\nfrom pathlib import Path\nfrom intarsia.cli.main import app, main\n"
    return [
        "-c",
        f"{head}def probe():\n{body}\napp.command()(probe)\nsys.argv[1:] = ['probe']\nsys.exit(main())",
    ]


SLOW = """
import runpy, sys, time
from pathlib import Path
class Slow:
    def find_spec(self, name, *rest):
        if name == "typer":
            Path({ready!r}).touch()
            time.sleep(99)
sys.meta_path.insert(0, Slow())
sys.argv[1:] = ["--version"]
"""
"""An import of the command line that takes long."""
BEGINNINGS = {
    "script": "from intarsia.cli.entry import main\nsys.exit(main())",
    "module": "runpy.run_module('intarsia.cli.main', run_name='__main__')",
}


def there(path: Path) -> Callable[[dict[int, str]], bool]:
    return lambda processes: path.exists()


def test_while_a_simulator_is_compiled(tmp_path):
    command = ["-m", "intarsia.cli.main", "verify", "argmax", "expand", "--vectors", "100"]
    code, out, err, seconds = interrupted(tmp_path, command, lambda found: "cc1plus" in found.values())
    assert (code, out) == (130, "")
    assert err.splitlines()[-1] == "intarsia: interrupted"
    assert all(line.startswith("intarsia: compiling and playing: ") for line in err.splitlines()[:-1])
    assert seconds < BOUND
    kept = tmp_path / "cache" / "verilator"
    assert [path for path in kept.iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_tools_and_what_they_started_end_and_files_go(tmp_path, number):
    body = (
        "    from intarsia.model.files import replacing\n    from intarsia.synth.process import run\n"
        f"    with replacing(Path({str(tmp_path / 'new' / 'a.txt')!r})):\n"
        f"        run(['sh', '-c', 'sleep 99 & touch {tmp_path / 'ready'}; sleep 99'])\n"
    )
    found = interrupted(tmp_path, run_in_main(body), there(tmp_path / "ready"), number)
    assert found[:3] == (130, "", "intarsia: interrupted\n")
    assert found[3] < BOUND
    assert not (tmp_path / "new").exists()


def test_threads_that_wait_for_tools(tmp_path):
    body = (
        "    from intarsia.synth.process import run, threads\n"
        f"    tool = ['sh', '-c', 'touch {tmp_path / 'ready'}; sleep 99']\n"
        "    with threads(3) as pool:\n"
        "        list(pool.map(run, 9 * [tool]))\n"
    )
    found = interrupted(tmp_path, run_in_main(body), there(tmp_path / "ready"))
    assert found[:3] == (130, "", "intarsia: interrupted\n")
    assert found[3] < BOUND


def test_a_library_that_does_not_come_to_an_end(tmp_path):
    body = (
        "    import sqlite3\n    from intarsia.model.files import replacing\n"
        f"    with replacing(Path({str(tmp_path / 'new' / 'a.txt')!r})):\n"
        f"        Path({str(tmp_path / 'ready')!r}).touch()\n"
        "        sqlite3.connect(':memory:').execute('WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x"
        " + 1 FROM c LIMIT 9000000000) SELECT count(*) FROM c').fetchall()\n"
    )
    found = interrupted(tmp_path, run_in_main(body), there(tmp_path / "ready"))
    assert found[:3] == (130, "", "intarsia: interrupted\n")
    assert found[3] < BOUND
    assert not (tmp_path / "new").exists()


def test_a_signal_that_is_ignored_from_outside_stays_ignored(tmp_path):
    body = f"    Path({str(tmp_path / 'ready')!r}).touch()\n    time.sleep(1)\n"
    program = run_in_main(body)
    program[1] = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + program[1]
    assert interrupted(tmp_path, program, there(tmp_path / "ready"))[:3] == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=BEGINNINGS)
def test_while_the_command_line_is_imported(tmp_path, beginning, number):
    program = ["-c", SLOW.format(ready=str(tmp_path / "ready")) + beginning]
    found = interrupted(tmp_path, program, there(tmp_path / "ready"), number)
    assert found[:3] == (130, "", "intarsia: interrupted\n")
    assert found[3] < BOUND
