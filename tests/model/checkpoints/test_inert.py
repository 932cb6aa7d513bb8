"""Harmless objects beside tensors are read past; nothing of them is made, and others stay refused."""

from __future__ import annotations

import argparse
import datetime
import os
import pathlib
import pickle
import types

import numpy as np
import pytest
import torch

from intarsia.model.checkpoints.inert import Inert
from intarsia.model.checkpoints.reader import read_pickle
from intarsia.model.errors import InputError

UTC = datetime.UTC
allowed = torch.serialization.get_safe_globals


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    "value",
    [
        argparse.Namespace(lr=0.1, nested=argparse.Namespace(a=[1, 2])),
        types.SimpleNamespace(lr=0.1),
        np.float64(0.45),
        np.float32(0.45),
        np.int64(3),
        np.bool_(True),
        np.arange(5),
        pathlib.PosixPath("/a/b"),
        pathlib.PurePosixPath("a"),
        pathlib.PureWindowsPath("c:/a"),
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 3, 4, tzinfo=UTC),
        datetime.timedelta(days=3),
        datetime.time(3, 4),
        datetime.timezone(datetime.timedelta(hours=2)),
    ],
)
def test_harmless_objects_are_read_past(tmp_path, value, legacy):
    path = tmp_path / "a.pth"
    data = {"x": torch.arange(3), "beside": value, "list": [value, {"a": value}]}
    torch.save(data, path, _use_new_zipfile_serialization=not legacy)
    found = read_pickle(path, "a checkpoint")
    assert torch.equal(found["x"], torch.arange(3))
    assert type(found["beside"]) is Inert
    assert not any(Inert in (known if isinstance(known, tuple) else (known,)) for known in allowed())


def test_listed_names_are_not_the_objects_themselves(tmp_path):
    path = tmp_path / "a.pth"
    args = argparse.Namespace()
    vars(args).update(__class__=1, keys=2)
    torch.save({"x": torch.ones(1), "args": args}, path)
    assert vars(read_pickle(path, "a checkpoint")["args"]) == {}


class Call:
    def __init__(self, *what):
        self.what = what

    def __reduce__(self):
        return self.what


@pytest.mark.parametrize("call", [(os.mkdir,), (eval,), (getattr, os, "mkdir"), (pickle.loads,)])
def test_calls_stay_refused_inside_harmless_objects(tmp_path, call):
    mark = tmp_path / "mark"
    function, *rest = call
    arguments = (*rest, str(mark)) if function is os.mkdir else (*rest,)
    path = tmp_path / "a.pth"
    inner = Call(function, tuple(a for a in arguments if not isinstance(a, types.ModuleType)))
    torch.save({"x": torch.ones(1), "args": argparse.Namespace(a=inner)}, path)
    with pytest.raises(InputError, match=r"holds a Python object \([\w.]+\) beside tensors"):
        read_pickle(path, "a checkpoint")
    assert not mark.exists()
