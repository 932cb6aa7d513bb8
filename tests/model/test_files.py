"""Files appear whole or not at all, and places that cannot be written are refused by name."""

import os
import re
import stat

import pytest

from model.errors import InputError
from model.files import existing_file, output_folder, replacing

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
    message = f"cannot write {tmp_path}: it is a folder, a file name is wanted"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"), replacing(tmp_path):
        pass


def test_output_folder_is_made(tmp_path):
    assert output_folder(tmp_path / "a" / "b").is_dir()
    assert list((tmp_path / "a" / "b").iterdir()) == []


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
