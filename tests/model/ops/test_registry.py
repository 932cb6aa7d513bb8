"""The registry finds every file; nothing heavy is imported for it; walks know all operators."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import intarsia.model.ops
from intarsia.model.errors import InputError
from intarsia.model.integer.graph import Node
from intarsia.model.ops import OPERATORS, operator_of
from tests.model.ops.builder import Bench


def test_every_file_of_the_folder_is_an_operator_of_its_name():
    files = {path.stem for path in Path(intarsia.model.ops.__path__[0]).glob("[!_]*.py")}
    assert files == OPERATORS.keys() == {operator.name for operator in OPERATORS.values()}


def test_nothing_heavy_is_imported():
    code = (
        "import sys, intarsia.model.ops, intarsia.model.integer.check, intarsia.model.quantize.outline;"
        "print(sorted({'numba', 'onnx', 'onnxruntime', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_unknown_operator_is_refused():
    with pytest.raises(InputError, match=r"^x: operator 'dream' is unknown; known: append, argmax, "):
        operator_of(Node("x", "dream", (), {}, {}))
    with pytest.raises(AttributeError, match="^Bench has no dream, and no operator has this name$"):
        Bench().dream("x")


def test_what_is_declared_fits_together():
    for operator in OPERATORS.values():
        for what in operator.inputs:
            assert not what.instead or operator.constants[what.instead].optional, operator.name
        assert operator.__doc__, operator.name
