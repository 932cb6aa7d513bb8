"""Machine descriptions: presets, files, and every way to get a file wrong."""

import dataclasses
import re
import time
import tomllib
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import intarsia.arch.machine
from intarsia.arch.machine import DEFAULTS, KEYS, PRESETS, Machine, Range
from intarsia.model.errors import InputError

FOLDER = Path(intarsia.arch.machine.__file__).parent / "presets"
NUMBERS = [(key, allowed) for key, _, allowed in KEYS if allowed is not None]


def members(allowed: Range):
    """The values of a range, as a strategy."""
    if allowed.kind == "power of two":
        low, high = allowed.low.bit_length() - 1, allowed.high.bit_length() - 1
        return st.integers(low, high).map(lambda exponent: 1 << exponent)
    if allowed.kind == "even":
        return st.integers(allowed.low // 2, allowed.high // 2).map(lambda half: 2 * half)
    return st.integers(allowed.low, allowed.high)


MACHINES = st.builds(
    Machine,
    name=st.just("any"),
    **{field: members(allowed) for _, field, allowed in KEYS if allowed is not None},
)


def toml(document) -> str:
    """A document of one level of tables as TOML."""
    plain = [f"{key} = {value!r}" for key, value in document.items() if not isinstance(value, dict)]
    for table, values in document.items():
        if isinstance(values, dict):
            plain += [f"[{table}]", *(f"{key} = {value!r}" for key, value in values.items())]
    return "\n".join(plain)


def changed(key, value) -> str:
    """The preset `mobile` as TOML with one value replaced, or left out when it is None."""
    document = Machine.load("mobile").document()
    *table, last = key.split(".")
    place = document[table[0]] if table else document
    if value is None:
        del place[last]
    else:
        place[last] = value
    return toml(document)


def refused(tmp_path, text) -> str:
    """What loading a file of `text` complains about, without the path."""
    path = tmp_path / "machine.toml"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        Machine.load(path)
    message = str(error.value)
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).removeprefix(": ")


def test_presets_are_the_files_and_bear_their_names():
    assert sorted(path.stem for path in FOLDER.iterdir()) == sorted(PRESETS)
    assert [Machine.load(name).name for name in PRESETS] == list(PRESETS)


@pytest.mark.parametrize(("name", "size"), [("edge", 16), ("mobile", 32), ("server", 64)])
def test_presets_have_square_arrays(name, size):
    machine = Machine.load(name)
    assert (machine.lanes, machine.depth, machine.word) == (size, size, 2 * size)


def test_mobile_has_at_most_4_mib_on_chip():
    machine = Machine.load("mobile")
    accumulators, scratchpad, stationary = 2 * 288 * 32 * 4, 464 * 8 * 1024, 264 * 1024
    assert machine.accumulator_bytes == accumulators
    assert machine.scratchpad_bytes == scratchpad
    assert machine.stationary_bytes == stationary
    small = 256 * 16 + 2 * 1024 * 12 + 768
    assert machine.on_chip_bytes == accumulators + scratchpad + stationary + small <= 4 << 20


def test_word_follows_the_longer_side():
    machine = dataclasses.replace(Machine.load("edge"), lanes=8, depth=64)
    assert machine.word == 128


@given(MACHINES)
def test_document_round_trips(machine):
    assert Machine.from_document(tomllib.loads(toml(machine.document())), "here") == machine
    assert machine.bank_bytes % machine.word == 0


def test_files_load_from_text_and_path(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(changed("clock_mhz", 123))
    assert Machine.load(path) == Machine.load(str(path))
    assert Machine.load(path).clock_mhz == 123


@pytest.mark.parametrize(("key", "allowed"), NUMBERS)
def test_wrong_values_are_refused_with_key_value_and_range(tmp_path, key, allowed):
    wrong = [allowed.low - 1, allowed.high + 1, allowed.high * 2, 64.0, True, "64", [64]]
    wrong += [] if allowed.low + 1 in allowed or allowed.low + 2 in allowed else [allowed.low + 1]
    wrong += [48] if allowed.kind == "power of two" else [3] if allowed.kind == "even" else []
    for value in wrong:
        text = changed(key, value).replace("True", "true")
        assert refused(tmp_path, text) == f"{key} must be {allowed}, not {value!r}"


def test_ranges_are_told_in_words():
    assert str(Range(1, 5000)) == "an integer in 1..5000"
    powers, even = Range(1024, 4096, "power of two"), Range(2, 10, "even")
    assert [powers.at_least(value) for value in (1, 1024, 1025, 4096, 4097)] == [
        1024,
        1024,
        2048,
        4096,
        None,
    ]
    assert [even.at_least(value) for value in (1, 3, 10, 11)] == [2, 4, 10, None]
    assert str(Range(4, 256, "power of two")) == "a power of two in 4..256"
    assert str(Range(2, 65536, "even")) == "an even integer in 2..65536"


def test_range_ends_are_allowed(tmp_path):
    path = tmp_path / "machine.toml"
    for key, allowed in NUMBERS:
        for value in (allowed.low, allowed.high):
            path.write_text(changed(key, value))
            Machine.load(path)


@pytest.mark.parametrize("value", [7, "", " "])
def test_name_is_a_text(tmp_path, value):
    assert refused(tmp_path, changed("name", value)) == (
        f"name must be a text that is not empty, not {value!r}"
    )


@pytest.mark.parametrize("key", [key for key, _, _ in KEYS if key not in DEFAULTS])
def test_missing_keys_are_named(tmp_path, key):
    assert refused(tmp_path, changed(key, None)) == f"missing key {key}"


@pytest.mark.parametrize("key", DEFAULTS)
def test_keys_that_may_be_left_out(tmp_path, key):
    path = tmp_path / "machine.toml"
    path.write_text(changed(key, None))
    field = next(field for name, field, _ in KEYS if name == key)
    assert getattr(Machine.load(path), field) == DEFAULTS[key]


def test_a_missing_table_names_its_keys(tmp_path):
    document = Machine.load("mobile").document()
    del document["memory"]
    assert refused(tmp_path, toml(document)) == "missing key memory.width_bytes, memory.latency"


def test_a_value_where_a_table_is_wanted(tmp_path):
    document = Machine.load("mobile").document() | {"memory": 16}
    assert refused(tmp_path, toml(document)).startswith("unknown key memory; known are name, clock_mhz,")


@pytest.mark.parametrize("key", ["clock", "array.width", "scratchpad.kib"])
def test_unknown_keys_are_named_beside_the_known(tmp_path, key):
    message = refused(tmp_path, changed(key, 4))
    assert message == f"unknown key {key}; known are {', '.join(key for key, _, _ in KEYS)}"


def test_unknown_tables_are_named(tmp_path):
    text = toml(Machine.load("mobile").document()) + "\n[cache]\nways = 4"
    assert refused(tmp_path, text).startswith("unknown key cache; known are")


def test_what_is_not_toml_is_refused(tmp_path):
    assert "is not TOML" in refused(tmp_path, "clock_mhz: 800")
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=re.escape(f"{path} must be TOML in UTF-8, not other bytes")):
        Machine.load(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="none.toml does not exist"):
        Machine.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match="is not a file"):
        Machine.load(tmp_path)


def test_an_unknown_name_tells_the_presets():
    with pytest.raises(
        InputError, match="^a machine must be a preset \\(edge, mobile, server\\) or a file, not 'phone'$"
    ):
        Machine.load("phone")


def test_replacing_a_field_is_checked_too():
    with pytest.raises(InputError, match="^array.lanes must be a power of two in 4..256, not 48$"):
        dataclasses.replace(Machine.load("mobile"), lanes=48)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clock_mhz = " + "1" * 5000, "is not TOML: an integer has more than 4300 digits$"),
        ("clock_mhz = 0x" + "f" * 5000, ": missing key "),
        (
            "clock_mhz = " + "[" * 50_000,
            "must have at most 65536 bytes|must be nested at most 100 levels deep",
        ),
        (
            "clock_mhz = " + "[" * 30_000 + "]" * 30_000,
            "must be nested at most 100 levels deep, not deeper$",
        ),
        ("a." * 30_000 + "b = 1", ": a key must have at most 100 parts, not more$"),
        ("a = {" * 12_000, "must be nested at most 100 levels deep"),
        ("# " + "x" * (1 << 16), "must have at most 65536 bytes, not more$"),
        ("\n".join(f"key{k} = 1" for k in range(3000)), ": unknown key key0, .*, key7, ...; known are"),
        ("x" * 60_000 + " = 1", ": unknown key 'xxx"),
    ],
    ids=count(),
)
def test_what_is_too_large_is_refused_in_a_sentence(tmp_path, text, sentence):
    path = tmp_path / "machine.toml"
    path.write_text(text)
    begin = time.process_time()
    with pytest.raises(InputError, match=sentence) as error:
        Machine.load(path)
    assert time.process_time() - begin < 1
    assert str(error.value).startswith(str(path)) and len(str(error.value)) < len(str(path)) + 600


def test_a_number_of_many_digits_is_told_by_its_bits(tmp_path):
    path = tmp_path / "machine.toml"
    path.write_text(changed("clock_mhz", 800).replace("800", "0x" + "f" * 5000, 1))
    with pytest.raises(
        InputError, match="clock_mhz must be an integer in 1..5000, not an integer of 20000 bits$"
    ):
        Machine.load(path)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("n" * 5000, "^n* cannot be read: File name too long$"),
        ("n" * 5000 + ".toml", "cannot be read: File name too long$"),
        ("a\0b", r"^a machine must be a preset .* not 'a\\x00b'$"),
        ("a\0b.toml", r"^'a\\x00b.toml' cannot be read: a file name has no NUL$"),
    ],
    ids=count(),
)
def test_names_that_no_file_has(name, sentence):
    with pytest.raises(InputError, match=sentence):
        Machine.load(name)


def test_a_wide_memory_port_is_refused_with_the_reason():
    with pytest.raises(InputError) as error:
        dataclasses.replace(Machine.load("server"), memory_width=256)
    assert str(error.value) == (
        "memory.width_bytes must be a power of two in 1..128 (words of AXI4 end at 1024 bits), not 256"
    )
