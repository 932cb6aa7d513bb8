"""Files appear whole or not at all, and places that cannot be written are refused by name."""

import errno
import os
import re
import resource
import stat
from pathlib import Path

import numpy as np
import pytest

from intarsia.model.errors import InputError
from intarsia.model.files import existing_file, output_file, output_folder, replacing

needs_permissions = pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")


def test_replacing_writes_the_file_and_nothing_else(tmp_path):
    path = tmp_path / "new" / "folder" / "mask.png"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".png"
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_replacing_keeps_the_old_file_until_the_end(tmp_path):
    path = tmp_path / "state"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_replacing_leaves_nothing_when_the_block_raises(tmp_path):
    path = tmp_path / "state"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_replacing_gives_the_permissions_of_any_new_file(tmp_path):
    with replacing(tmp_path / "one") as temporary:
        temporary.write_text("1")
    (tmp_path / "two").write_text("2")
    one, two = (stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("one", "two"))
    assert one == two


def test_replacing_refuses_a_folder(tmp_path):
    message = f"cannot write {tmp_path}: it must be a file, not a folder"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"), replacing(tmp_path):
        pass


def test_an_output_is_tried_and_nothing_is_left_of_that(tmp_path):
    assert output_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert output_file(tmp_path / "a" / "b.png") == tmp_path / "a" / "b.png"
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_for_nothing_are_removed(tmp_path):
    (tmp_path / "old").mkdir()
    for folder in ("new/folder", "old/folder", "old"):
        with pytest.raises(KeyboardInterrupt), replacing(tmp_path / folder / "a.png"):
            raise KeyboardInterrupt
    assert list(tmp_path.rglob("*")) == [tmp_path / "old"]
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "new" / "a.png"):
        (tmp_path / "new" / "other").touch()
        raise KeyboardInterrupt
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["other"]


def test_output_folder_refuses_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(InputError, match=f"^cannot write to folder {re.escape(str(path))}: "):
            output_folder(path)


@needs_permissions
def test_unwritable_folder_is_refused(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    message = f"cannot write to folder {folder}: Permission denied"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"), replacing(folder / "file"):
        pass


def test_existing_file(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(InputError, match=f"^{re.escape(str(path))} does not exist$"):
        existing_file(path)
    path.write_text("")
    assert existing_file(path) == path
    with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path))} is not a file$"):
        existing_file(tmp_path)


@needs_permissions
def test_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o200)
    with pytest.raises(InputError, match=r"cannot be read: permission denied$"):
        existing_file(path)


def test_names_that_are_too_long_are_refused(tmp_path):
    path = tmp_path / ("x" * 300)
    with pytest.raises(InputError, match=r"x cannot be read: File name too long$"):
        existing_file(path)
    with pytest.raises(InputError, match=r"^cannot write .*x: File name too long$"), replacing(path):
        pass
    with pytest.raises(InputError, match=r"^cannot write .*x: File name too long$"):
        output_file(path)
    with pytest.raises(InputError, match=r"^cannot write to folder .*x: File name too long$"):
        output_folder(path)


def test_a_name_of_the_largest_length_can_be_written(tmp_path):
    with replacing(tmp_path / ("x" * 251 + ".png")) as temporary:
        temporary.write_text("whole")
    assert len(list(tmp_path.iterdir())) == 1


def test_what_the_system_forbids_is_refused(tmp_path, monkeypatch):
    def forbid(self, **_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "stat", forbid)
    for check in (existing_file, output_file):
        with pytest.raises(InputError, match=r"closed(/a.png)?.*: Permission denied$"):
            check(tmp_path / "closed" / "a.png")


@pytest.mark.parametrize("kind", ["png", "mask", "chart", "artifact", "checkpoint", "onnx", "state"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(kind, tmp_path, graph, segmenter):
    """A limit on the size of files stands for the disk."""
    from intarsia.model.data.images import write_mask, write_png
    from intarsia.model.export import export_onnx
    from intarsia.model.integer.artifact import save_artifact
    from intarsia.model.networks.segmenter.checkpoint import save_checkpoint
    from intarsia.model.plots import loss_curve
    from intarsia.model.train import Trainer, TrainOptions

    noise = np.random.default_rng(0).integers(0, 256, (100, 100), dtype=np.uint8)
    trainer = Trainer(segmenter.config, None, TrainOptions(), tmp_path / "state", initial=segmenter)
    write = {
        "png": lambda path: write_png(path, noise),
        "mask": lambda path: write_mask(path, noise, np.zeros((256, 3), np.uint8)),
        "chart": lambda path: loss_curve([1.0, 2.0], path),
        "artifact": lambda path: save_artifact(graph, path.with_suffix(".intarsia")),
        "checkpoint": lambda path: save_checkpoint(segmenter, path),
        "onnx": lambda path: export_onnx(graph, path),
        "state": lambda _: trainer.save(),
    }[kind]
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    try:
        with pytest.raises(InputError, match=r"^cannot write .*: .*File too large"):
            write(tmp_path / "out.png")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert list(tmp_path.iterdir()) == []
