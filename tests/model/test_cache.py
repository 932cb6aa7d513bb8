"""The cache runs nothing that somebody else can have written, and says in one sentence what is wrong."""

import errno
import os
import re
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from intarsia.model.cache import (
    cache_folder,
    digest,
    is_kept,
    kept,
    kept_text,
    refuse_foreign,
    tool_environment,
)
from intarsia.model.errors import InputError

OTHER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to other users")


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("INTARSIA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def make(work: Path) -> None:
    (work / "program").write_text("right")
    (work / "program").chmod(0o775)


def refused(*arguments) -> str:
    with pytest.raises(InputError) as caught:
        kept(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_made_once_is_kept_for_the_user_alone(root):
    folder = kept("tool", "name", make)
    assert folder == root / "tool" / "name"
    for place in (root, folder.parent, folder, folder / "program"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert kept("tool", "name", lambda work: pytest.fail("made again")) == folder
    assert sorted(path.name for path in folder.parent.iterdir()) == ["name", "name.lock"]


@pytest.mark.parametrize("place", [".", "tool", "tool/name", "tool/name/program"])
@pytest.mark.parametrize("mode", [0o777, 0o720, 0o702])
def test_what_others_may_write_is_refused_by_name(root, place, mode):
    kept("tool", "name", make)
    (root / place).chmod(mode)
    message = refused("tool", "name", make)
    assert message.startswith(
        f"{root / place} can be written by other users (its mode is {mode:04o}), and "
    )
    assert "set INTARSIA_CACHE to a folder of your own" in message


@needs_root
@pytest.mark.parametrize("place", [".", "tool", "tool/name", "tool/name/program"])
def test_what_belongs_to_others_is_refused_by_name(root, place):
    kept("tool", "name", make)
    os.chown(root / place, OTHER, OTHER)
    message = refused("tool", "name", make)
    assert message.startswith(f"{root / place} belongs to user ")
    assert f"({OTHER}), not to root (0), and what lies there would be run: remove it" in message


@needs_root
@pytest.mark.parametrize("place", ["tool/name", "tool/name/program"])
def test_a_link_to_what_belongs_to_others_or_by_others_is_refused(root, place, tmp_path):
    kept("tool", "name", make)
    planted = tmp_path / "planted"
    (root / place).rename(planted)
    (root / place).symlink_to(planted)
    kept("tool", "name", make)  # one's own link to one's own file
    os.chown(root / place, OTHER, OTHER, follow_symlinks=False)
    assert refused("tool", "name", make).startswith(f"{root / place} is a link that belongs to user ")
    os.chown(root / place, 0, 0, follow_symlinks=False)
    os.chown(planted, OTHER, OTHER)
    assert refused("tool", "name", make).startswith(f"{root / place} belongs to user ")


def test_what_is_half_made_leaves_nothing(root):
    def fail(work):
        make(work)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept("tool", "name", fail)
    assert [path.name for path in (root / "tool").iterdir()] == ["name.lock"]
    assert (kept("tool", "name", make) / "program").read_text() == "right"


def test_of_many_that_want_the_same_one_makes_it():
    made = []

    def slowly(work):
        made.append(work)
        make(work)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: kept("tool", "name", slowly), range(32)))
    assert (len(found), len(made)) == (1, 1)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_what_the_system_refuses_is_one_sentence(root, number):
    def fail(work):
        raise OSError(number, os.strerror(number), str(work / "program"))

    reason = re.escape(os.strerror(number))
    wanted = f"^the cache folder {root}/tool cannot be used: {reason}; set INTARSIA_CACHE to a folder of"
    assert re.match(wanted, refused("tool", "name", fail))
    assert not (root / "tool" / "name").exists()


def test_a_tool_that_meets_a_full_disk_says_so():
    def fail(work):
        raise RuntimeError("cc1plus: error writing to x.o: No space left on device")

    assert "cannot be used: No space left on device" in refused("tool", "name", fail)


def test_a_missing_tool_is_no_fault_of_the_cache():
    def fail(work):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "make")

    with pytest.raises(FileNotFoundError, match="make"):
        kept("tool", "name", fail)


@pytest.mark.parametrize("below", [".", "folder"])
def test_a_file_is_no_folder(root, below):
    root.write_text("")
    with pytest.raises(
        InputError, match=r"^the cache folder .* cannot be used: (it is a file|Not a directory);"
    ):
        cache_folder(below)


def test_no_home_is_one_sentence(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("INTARSIA_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(InputError, match="^no home folder is known for the cache: set INTARSIA_CACHE"):
        cache_folder()


def test_texts_are_kept():
    assert kept_text("verilog", "a", lambda: "module ä") == "module ä"
    assert kept_text("verilog", "a", lambda: pytest.fail("made again")) == "module ä"


def test_a_name_depends_on_all_that_it_is_made_of():
    assert len({digest(), digest("a"), digest("a", "b"), digest("ab"), digest("b", "a")}) == 5


def test_what_is_gone_is_not_foreign(tmp_path):
    refuse_foreign(tmp_path / "gone")
    assert not is_kept(tmp_path / "gone")


@pytest.mark.parametrize("variable", ["INTARSIA_CACHE", "YOWASP_CACHE_DIR"])
def test_machine_code_of_tools_is_checked(tmp_path, monkeypatch, variable):
    folder = tmp_path / "own"
    monkeypatch.setenv(variable, str(folder))
    tool_environment()
    code = (folder / "tools" if variable == "INTARSIA_CACHE" else folder) / "yosys.wasm"
    code.write_text("planted")
    code.chmod(0o666)
    with pytest.raises(InputError, match=rf"^{re.escape(str(code))} can be written by other users"):
        tool_environment()


@pytest.mark.parametrize("variable", ["INTARSIA_CACHE", "NUMBA_CACHE_DIR"])
def test_machine_code_of_kernels_is_checked(tmp_path, variable):
    """Numba loads it by pickle, and chooses its place when the kernels are imported."""
    folder = tmp_path / "own"
    code = (
        "from intarsia.model.errors import InputError\n"
        "try:\n    from intarsia.model.integer.kernels.rows import _add\n"
        "except InputError as error:\n    print(error)\n"
        "else:\n    print(_add._cache.cache_path)\n"
    )

    def ran() -> str:
        environment = {**os.environ, variable: str(folder)}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    place = Path(ran())
    assert folder in place.parents
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    (place / "planted.nbi").write_bytes(b"")
    (place / "planted.nbi").chmod(0o622)
    assert ran().startswith(f"{place / 'planted.nbi'} can be written by other users")
    place.chmod(0o777)
    assert ran().startswith(f"{place} can be written by other users")
