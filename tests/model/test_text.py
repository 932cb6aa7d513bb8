"""Text that somebody else wrote: what cannot be read is refused in one sentence, and at once."""

from __future__ import annotations

import time
from itertools import count

import pytest

from intarsia.model.errors import InputError
from intarsia.model.text import MAX_DEPTH, check_depth, read_text


def test_text_of_some_bytes(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("häu")
    assert read_text(path, 4) == "häu"
    with pytest.raises(InputError, match="a.txt must have at most 3 bytes, not more"):
        read_text(path, 3)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="a.txt must be TOML in UTF-8, not other bytes"):
        read_text(path, 3, what="TOML")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a\0b", r"^'.*a\\x00b' cannot be read: a file name has no NUL$"),
        ("n" * 5000, "cannot be read: File name too long$"),
        ("\udcff", "does not exist$"),
        ("none", "none does not exist$"),
        ("", "is not a file$"),
    ],
    ids=count(),
)
def test_names(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        read_text(f"{tmp_path}/{name}", 10)
    assert "\0" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 50_000,
        "a = " + "[" * 50_000 + "]" * 50_000,
        "[" * 50_000,
        "a = " + "{b = " * 50_000 + "1" + "}" * 50_000,
        '{"a": ' * 50_000,
        "a." * 50_000 + "b = 1",
        "[" + "a . " * 50_000 + "b]",
        "x = {" + "a." * 50_000 + "b = 1}",
        '"a".' * 50_000 + "b = 1",
        'x = """a"""\n' + "'a'." * 50_000 + "b = 1",
    ],
    ids=count(),
)
def test_depth(text):
    begin = time.process_time()
    with pytest.raises(InputError, match=f"^here(: a key must have| must be nested) at most {MAX_DEPTH} "):
        check_depth(text, "here")
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * MAX_DEPTH + "]" * MAX_DEPTH,
        "[[a.b]]\nc = [[1], [2]]\n" * 1000,
        'a = "' + "[" * 1000 + '"  # ' + "{" * 1000,
        "a = '" + "x." * 1000 + "'",
        'a = """' + "[\n" * 1000 + '"""',
        "a = '''" + "[\n" * 10 + "'''",
        "a." * MAX_DEPTH + "b = 1.5",
        '"' * 60_000,
        "'" * 60_000,
        "\\" * 60_000,
        "x" * 60_000 + " = 1",
        "x" * 60_000,
        "x " * 60_000,
        "1.5, " * 20_000,
    ],
    ids=count(),
)
def test_what_is_not_deep(text):
    begin = time.process_time()
    check_depth(text, "here")
    assert time.process_time() - begin < 1
