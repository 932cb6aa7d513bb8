# amaranth: UnusedElaboratable=no
"""Our own units in Icarus, with the cycles that they must take."""

from __future__ import annotations

import pytest

from intarsia.arch.machine import Machine
from intarsia.model.errors import InputError
from intarsia.sim.icarus import icarus_version
from intarsia.sim.verify import Setup, verify_unit


@pytest.mark.needs("iverilog")
def test_a_unit_passes_to_the_cycle():
    result = verify_unit("affine", Setup(Machine.load("tests/hw/small.toml"), 500, 1, tool="icarus"))
    assert (result.ok, result.faults, result.coverage) == (True, (), 1)
    assert [check.name for check in result.checks] == ["simulation", "values", "handshake", "cycles"]
    assert not any(check.skipped for check in result.checks)
    measured, closed_form = result.measured
    assert measured == closed_form > 500


def test_icarus_that_is_missing_is_said(monkeypatch):
    icarus_version.cache_clear()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="needs Icarus Verilog: no iverilog and vvp on the PATH"):
        icarus_version()
