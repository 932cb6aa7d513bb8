"""Yosys and its companions from PyPI, as processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from intarsia.model.cache import tool_environment
from intarsia.synth.process import SimulatorError, run


def run_tool(tool: str, *arguments: str, folder: Path, timeout: float | None = None) -> str:
    """Output of `yowasp-TOOL ARGUMENTS` in a folder; SimulatorError with the end of it if it fails."""
    command = [str(Path(sys.executable).parent / f"yowasp-{tool}"), *arguments]
    done = run(
        command, timeout=timeout, cwd=folder, env=tool_environment(), umask=0o077,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-20:])
        raise SimulatorError(f"{tool} failed with code {done.returncode}\n{tail}")
    return done.stdout


def yosys(script: str, folder: Path, timeout: float | None = None) -> str:
    """Output of a Yosys script; files are named relative to the folder."""
    (folder / "script.ys").write_text(script)
    return run_tool("yosys", "-q", "-s", "script.ys", folder=folder, timeout=timeout)
