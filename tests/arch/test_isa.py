"""Instructions: fields, fixed encoding, assembly text."""

import contextlib
import dataclasses

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intarsia.arch.isa import (
    INSTRUCTION_BYTES,
    UNIT,
    Argmax,
    Expand,
    Gelu,
    Layernorm,
    Layout,
    Load,
    Lookup,
    Matmul,
    Residual,
    Shiftmax,
    Space,
    Store,
    Unit,
    Wait,
    assemble,
    decode,
    disassemble,
    encode,
)
from intarsia.arch.isa.registry import OPCODES
from intarsia.model.errors import InputError
from tests.arch.instructions import instructions

# One of each, and its words as docs/machine.md lays them out.
EXAMPLES = [
    (Wait(Unit.ELEMENTWISE, -2), [1, 6, 0xFFFFFFFE]),
    (
        Load(0x1000, Space.STATIONARY, 0x20, 96, 3, 2, 0x4000, 0x8000, 96, 288, based=True),
        [2 | (2 | 8) << 8, 0x1000, 0x20, 96, 3 | 2 << 16, 0x4000, 0x8000, 96 | 288 << 16],
    ),
    (Store(0x1000, 0x20, 96), [3 | 1 << 8, 0x1000, 0x20, 96, 1 | 1 << 16]),
    (
        Matmul(
            0x100, 0x200, 0x300, 5, 33, 7, 48, 64, 32, Layout.DEPTH_MAJOR, x16=True, out16=True, param=9
        ),
        [4 | (1 | 2 << 1 | 8) << 8 | 9 << 16, 0x100, 0x200, 0x300, 5 | 33 << 16, 7 | 3 << 16, 4 | 2 << 16],
    ),
    (
        Shiftmax(0x100, 0x200, 5, 33, 48, 96, 255, out8=True),
        [5 | 1 << 8 | 255 << 16, 0x100, 0, 0x200, 5 | 33 << 16, 3 | 6 << 16],
    ),
    (
        Layernorm(0x100, 1, 0x200, 5, 33, 96, 48, 2, out16=True),
        [6 | 1 << 8 | 2 << 16, 0x100, 1, 0x200, 5 | 33 << 16, 6 | 3 << 16],
    ),
    (Gelu(0x100, 0x200, 5, 33, 48, 64, 3), [7 | 3 << 16, 0x100, 0, 0x200, 5 | 33 << 16, 3 | 4 << 16]),
    (
        Residual(0x100, 0x200, 0x300, 5, 33, 80, 96, 112, 4),
        [8 | 4 << 16, 0x100, 0x200, 0x300, 5 | 33 << 16, 5 | 7 << 16, 6],
    ),
    (Lookup(0x100, 0x200, 5, 33, 48, 64), [9, 0x100, 0, 0x200, 5 | 33 << 16, 3 | 4 << 16]),
    (Argmax(0x100, 0x200, 5, 150, 304, wide=True), [10 | 1 << 8, 0x100, 0, 0x200, 5 | 150 << 16, 19]),
    (
        Expand(0x100, 0x200, 1, 32, 32, 512, 16, wide=True),
        [11 | 1 << 8, 0x100, 0, 0x200, 1 | 32 << 16, 2 | 32 << 16, 16],
    ),
]


def packed(words) -> bytes:
    return np.array(words + [0] * (8 - len(words)), "<u4").tobytes()


def test_examples_cover_every_opcode():
    assert [type(instruction) for instruction, _ in EXAMPLES] == [kind for kind, _ in OPCODES.values()]
    assert set(UNIT) | {Wait} == {kind for kind, _ in OPCODES.values()}


@pytest.mark.parametrize(("instruction", "words"), EXAMPLES)
def test_encoding_is_the_documented_one(instruction, words):
    assert encode(instruction) == packed(words)
    assert decode(packed(words)) == instruction


@pytest.mark.parametrize(("kind", "table"), OPCODES.values())
def test_tables_name_the_fields_of_the_class_without_overlap(kind, table):
    assert sorted(field.name for field in table) == sorted(field.name for field in dataclasses.fields(kind))
    taken = [0xFF] + [0] * 7
    for field in table:
        mask = (1 << field.bits) - 1 << field.shift
        assert mask < 1 << 32
        assert taken[field.word] & mask == 0
        taken[field.word] |= mask


@given(instructions())
def test_encoding_round_trips(instruction):
    data = encode(instruction)
    assert len(data) == INSTRUCTION_BYTES
    again = decode(data)
    assert again == instruction
    for field in dataclasses.fields(instruction):
        assert type(getattr(again, field.name)) is type(getattr(instruction, field.name))


@given(st.lists(instructions(), max_size=5))
def test_assembly_round_trips(program):
    text = disassemble(program)
    assert assemble(text) == program
    assert len(text.splitlines()) == len(program)


@given(st.integers(0, 12), st.binary(min_size=31, max_size=31))
@example(2, bytes([9]) + bytes(30))
def test_bytes_are_refused_or_say_themselves_again(opcode, rest):
    data = bytes([opcode]) + rest
    try:
        instruction = decode(data)
    except InputError:
        return
    assert encode(instruction) == data


@given(instructions(), st.integers(0, 255))
def test_every_bit_means_something(instruction, bit):
    data = bytearray(encode(instruction))
    data[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(InputError):
        assert decode(bytes(data)) != instruction


@pytest.mark.parametrize(("kind", "table"), OPCODES.values())
def test_values_out_of_range_are_refused(kind, table):
    sound = next(instruction for instruction, _ in EXAMPLES if type(instruction) is kind)
    for field in table:
        wrong = [field.low - field.scale, field.high + field.scale, "1", 1.0, None]
        wrong += [8] if field.scale > 1 else []
        for value in wrong:
            with pytest.raises(InputError) as error:
                encode(dataclasses.replace(sound, **{field.name: value}))
            name = kind.__name__.lower()
            assert str(error.value) == f"{name}: {field.name} must be {field.wanted()}, not {value!r}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([0], "opcode must be in 1..11, not 0"),
        ([12], "opcode must be in 1..11, not 12"),
        ([1, 7], "wait: unit must be an integer in 0..6, not 7"),
        ([1, 6, 0, 1], "wait: w3 must have no bit outside 0x0, not 0x1"),
        ([9 | 1 << 8, 0, 0, 0, 1 | 1 << 16], "lookup: w0 must have no bit outside 0xff, not 0x109"),
        ([9, 0, 0, 0, 1], "lookup: length must be an integer in 1..65535, not 0"),
        ([2, 0, 0, 1, 1 | 1 << 16], "load: space must be an integer in 1..5, not 0"),
        ([2 | 6 << 8, 0, 0, 1, 1 | 1 << 16], "load: space must be an integer in 1..5, not 6"),
        ([3 | 2 << 8, 0, 0, 1, 1 | 1 << 16], "store: space must be 1 (scratchpad), not 2"),
        ([3, 0, 0, 1, 1 | 1 << 16], "store: space must be 1 (scratchpad), not 0"),
        ([4 | 6 << 8, 0, 0, 0, 1 | 1 << 16, 1], "matmul: layout must be an integer in 0..2, not 3"),
        ([7 | 256 << 16, 0, 0, 0, 1 | 1 << 16], "gelu: param must be an integer in 0..255, not 256"),
        ([6, 0, 2, 0, 1 | 1 << 16], "layernorm: slot must be an integer in 0..1, not 2"),
    ],
)
def test_words_without_meaning_are_refused(words, message):
    with pytest.raises(InputError) as error:
        decode(packed(words))
    assert str(error.value) == message


def test_an_instruction_has_32_bytes():
    with pytest.raises(InputError, match="^an instruction must have 32 bytes, not 31$"):
        decode(bytes(31))


def test_numpy_integers_encode_as_integers():
    instruction = Wait(Unit.LOAD, np.int64(-3))
    assert decode(encode(instruction)) == Wait(Unit.LOAD, -3)


def test_disassembly_reads_well():
    text = disassemble([EXAMPLES[0][0], EXAMPLES[2][0], EXAMPLES[3][0]])
    assert text.splitlines() == [
        "wait unit=elementwise count=-2",
        "store dram=0x1000 address=0x20 size=96",
        "matmul x=0x100 y=0x200 out=0x300 m=5 k=33 n=7 x_stride=48 y_stride=64 out_stride=32"
        " layout=depth_major x16=1 out16=1 param=9",
    ]


def test_comments_blank_lines_and_any_order_assemble():
    text = "# one wait\n\n  wait count=0x10 unit=array # met at once\n"
    assert assemble(text) == [Wait(Unit.ARRAY, 16)]
    assert assemble("") == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("jump to=1", "an instruction must be one of wait, load, store, matmul,"),
        ("wait unit=array", "wait: missing count"),
        (
            "wait unit=array count",
            "wait: fields must be FIELD=VALUE with FIELD one of unit, count",
        ),
        (
            "wait unit=array n=1",
            "wait: fields must be FIELD=VALUE with FIELD one of unit, count",
        ),
        ("wait unit=array count=1 count=1", "wait: count is given twice"),
        ("wait unit=fpu count=1", "wait: unit must be one of load, store, array, shiftmax,"),
        (
            "wait unit=array count=one",
            "wait: count must be an integer in -2147483648..2147483647, not 'one'",
        ),
        (
            "load dram=0 space=dram address=0 size=1",
            "load: space must be one of scratchpad, stationary,",
        ),
        (
            "load dram=0 space=table address=0 size=0",
            "load: size must be an integer in 1..4294967295, not 0",
        ),
        (
            "lookup source=0 target=0 rows=1 length=1 source_stride=8 target_stride=0",
            "lookup: source_stride must be a multiple of 16 in 0..1048560, not 8",
        ),
        (
            "argmax source=0 target=0 rows=1 length=1 source_stride=0 wide=2",
            "argmax: wide must be an integer in 0..1, not 2",
        ),
    ],
)
def test_wrong_lines_are_refused_by_number(line, message):
    with pytest.raises(InputError) as error:
        assemble(f"wait unit=load count=0\n{line}")
    assert str(error.value).startswith(f"line 2: {message}")
