"""Program files: what is saved comes back, what was changed is refused."""

import dataclasses
import hashlib
import json
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intarsia.arch.isa import Gelu, Load, Lookup, Matmul, Space, Store, Unit, Wait
from intarsia.arch.machine import PRESETS, Machine
from intarsia.arch.program import REGION_KINDS, Output, Probe, Program, Region, Segment
from intarsia.model.errors import InputError

PREFIX = struct.Struct("<8sIIQ")
START = PREFIX.size + 32
LOAD = Load(0x40, Space.SCRATCHPAD, 0, 256, based=True)
GELU = Gelu(0, 0x8000, 4, 64, 64, 64, 1)


FLOAT = Probe("x", Unit.LOAD, 0, 0, 64, 4, 64, "float32", 0, 0)


def queues(**by_unit):
    return tuple(tuple(by_unit.get(unit.name.lower(), ())) for unit in Unit)


def segment(**changes):
    parts = {
        "name": "encoder",
        "queues": queues(load=[LOAD, Wait(Unit.GELU, -1), LOAD], gelu=[Wait(Unit.LOAD, 1), GELU]),
        "labels": queues(load=["encoder.{i}.x", "encoder.{i}.y"], gelu=["encoder.{i}.gelu"]),
        "repeat": 12,
        "base": 64,
        "base_step": 4096,
        "probes": (
            Probe("encoder.{i}.gelu", Unit.GELU, 0, 0x8000, 64, 4, 64, "int8", 0, 0),
            Probe("encoder.{i}.y", Unit.LOAD, 1, 0, 64, 4, 64, "int16", 4, 64, head=2),
        ),
    }
    return Segment(**{**parts, **changes})


def program(**changes):
    parts = {
        "machine": Machine.load("mobile"),
        "segments": (segment(), Segment("end", queues(store=[Store(0, 0, 1)]), queues(store=["labels"]))),
        "regions": (Region("image", 0, 64, "image"), Region("block 0", 64, 960, "weights")),
        "dram_bytes": 1024,
        "label_dtype": "uint8",
    }
    return Program(**{**parts, **changes})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "program.bin"
    program().save(path)
    return path


def rewrite(path, change):
    """Changes the header and makes lengths and checksum right again."""
    data = path.read_bytes()
    magic, version, size, _ = PREFIX.unpack_from(data)
    header, code = json.loads(data[START : START + size]), data[START + size :]
    changed = change(header, code)
    header, code = (header, code) if changed is None else changed
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    prefix = PREFIX.pack(magic, version, len(text), len(code))
    path.write_bytes(prefix + hashlib.sha256(prefix + text + code).digest() + text + code)


def refused(path) -> str:
    with pytest.raises(InputError) as error:
        Program.load(path)
    assert str(error.value).startswith(str(path))
    return str(error.value).removeprefix(f"{path}: ").removeprefix(f"{path} ")


def test_what_is_saved_comes_back(path):
    assert Program.load(path) == program()
    assert Program.load(str(path)) == program()


def test_saving_twice_gives_the_same_bytes(path, tmp_path):
    again = tmp_path / "new" / "again"
    Program.load(path).save(again)
    assert again.read_bytes() == path.read_bytes()


def test_instructions_stand_at_the_end_in_their_encoding(path):
    assert path.read_bytes()[-32:][:4] == bytes([3, 1, 0, 0])


names = st.text(max_size=8)
texts = st.sampled_from(["a", "b.{i}", "größe"])


def test_names_in_an_iteration():
    one = segment(repeat=2, names=(("b.{i}", ("x", "b.{i}")),))
    assert [one.name_of("a.{i}", i) for i in range(2)] == ["a.0", "a.1"]
    assert [one.name_of("b.{i}", i) for i in range(2)] == ["x", "b.{i}"]
    assert [one.same_in_all(label) for label in ("a", "a.{i}", "b.{i}")] == [True, False, False]


def test_names_that_do_not_follow_from_the_iteration_are_kept(path):
    listed = program(segments=(segment(repeat=2, names=(("a", ("x", "y")),)),))
    listed.save(path)
    assert Program.load(path) == listed
    with pytest.raises(InputError, match=r"segment encoder: a must have a name for each iteration"):
        program(segments=(segment(repeat=2, names=(("a", ("x",)),)),)).save(path)


@pytest.mark.parametrize(
    "names, sentence",
    [
        (1, "names must be a list, not 1"),
        ([["a"]], "names must hold a label and its names, not 1 values"),
        ([["a", "b"]], "names must be a list, not 'b'"),
        ([["a", [1]]], "names must be a text, not 1"),
    ],
)
def test_names_of_another_kind_are_refused(path, names, sentence):
    def change(header, code):
        header["segments"][0]["names"] = names

    rewrite(path, change)
    assert refused(path) == sentence


sizes = st.integers(0, 2**31)
instructions = {
    Unit.LOAD: st.just(LOAD),
    Unit.STORE: st.builds(Store, sizes, sizes, st.just(4)),
    Unit.ARRAY: st.builds(Matmul, sizes, *[st.just(16)] * 8),
    Unit.GELU: st.just(GELU),
    Unit.ELEMENTWISE: st.builds(Lookup, sizes, *[st.just(16)] * 5),
}
waits = st.builds(Wait, st.sampled_from(Unit), st.integers(-9, 9))


@st.composite
def segments(draw):
    lists = [
        draw(st.lists(waits | instructions[unit] if unit in instructions else waits, max_size=4))
        for unit in Unit
    ]
    totals = [sum(not isinstance(each, Wait) for each in queue) for queue in lists]
    labels = tuple(tuple(draw(texts) for _ in range(total)) for total in totals)
    places = [(unit, index) for unit in Unit for index in range(totals[unit])]
    bases = st.integers(0, 2**20).map(lambda words: words * 64)  # words of the widest port of a preset
    small = st.integers(0, 99)
    probes = [
        Probe(draw(texts), *place, *(draw(small) for _ in range(4)), "int8", 1, 2, draw(st.none() | small))
        for place in places
    ]
    return Segment(
        draw(names), tuple(map(tuple, lists)), labels, draw(st.integers(1, 99)), draw(bases), draw(bases),
        tuple(probes),
    )  # fmt: skip


@settings(max_examples=30)
@given(
    st.sampled_from(PRESETS),
    st.lists(segments(), max_size=3),
    st.lists(st.builds(Region, names, sizes, sizes, st.sampled_from(REGION_KINDS)), max_size=3),
    st.sampled_from(["uint8", "uint16"]),
)
def test_any_program_round_trips(tmp_path_factory, preset, segments, regions, dtype):
    whole = Program(Machine.load(preset), tuple(segments), tuple(regions), 2**32, dtype)
    path = tmp_path_factory.getbasetemp() / "any.bin"
    whole.save(path)
    assert Program.load(path) == whole


def test_every_truncation_is_refused(path):
    data = path.read_bytes()
    for size in [*range(START + 1), (START + len(data)) // 2, len(data) - 1]:
        path.write_bytes(data[:size])
        kind = "is not a program: " if size < 8 else "is cut off or damaged: it must have "
        assert refused(path).startswith(kind)
    path.write_bytes(data + b"\0")
    assert refused(path) == f"is cut off or damaged: it must have {len(data)} bytes, not {len(data) + 1}"


def test_every_changed_byte_is_refused(path):
    data = path.read_bytes()
    for place in [*range(START + 8), *range(START, len(data), 7), len(data) - 1]:
        changed = bytearray(data)
        changed[place] ^= 0x10
        path.write_bytes(changed)
        refused(path)
    changed = bytearray(data)
    changed[-1] ^= 1
    path.write_bytes(changed)
    assert refused(path) == "is damaged: its SHA-256 is not the one that was written"


def test_another_version_is_refused(path):
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(data)
    assert refused(path) == "must be a program of version 1, not 2"


def test_another_kind_of_file_and_none_are_refused(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    assert refused(path).startswith("is not a program: it must begin with b'")
    assert refused(tmp_path / "none") == "does not exist"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header, code: (b"{", code), "the header is not JSON"),
        (lambda header, code: (b"[" * 100000, code), "the header is not JSON"),
        (lambda header, code: (b"[]", code), "the header lacks 'names'"),
        (
            lambda header, code: (header, code + code[:32]),
            "all instructions must belong to segments, not all but 1",
        ),
        (lambda header, code: (header, code[:-32]), "a queue must have 1 instructions, not 0"),
        (lambda header, code: (header, code[:-1]), "an instruction must have 32 bytes, not 31"),
        (lambda header, code: (header, code[:-32] + bytes(32)), "opcode must be in 1..11, not 0"),
        (lambda header, code: header.pop("regions") and None, "the header lacks 'regions'"),
        (lambda header, code: header.update(machine=3), "machine must be an object, not 3"),
        (
            lambda header, code: header["machine"].update(clock_mhz=0),
            "machine: clock_mhz must be an integer in 1..5000, not 0",
        ),
        (lambda header, code: header.update(dram_bytes="1"), "dram_bytes must be an integer, not '1'"),
        (lambda header, code: header.update(names=[1]), "names must be a text, not 1"),
        (lambda header, code: header.update(segments={}), "segments must be a list, not {}"),
        (
            lambda header, code: header["segments"][0].update(lengths=[-1]),
            "lengths must be 0 or more, not -1",
        ),
        (
            lambda header, code: header["segments"][0]["labels"][0].append(4),
            "labels must be in 0..3, not 4",
        ),
        (
            lambda header, code: header["segments"][0]["probes"][0].pop() and None,
            "a Probe must have 11 values, not 10",
        ),
        (
            lambda header, code: header["segments"][0]["probes"][0].__setitem__(1, 7),
            "unit must be in 0..6, not 7",
        ),
        (
            lambda header, code: header["segments"][0].update(repeat=0),
            "segment encoder: repeat must be 1 or more, not 0",
        ),
    ],
)
def test_a_wrong_header_is_refused_even_with_its_checksum(path, change, message):
    rewrite(path, change)
    assert refused(path).startswith(message)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (program(label_dtype="int8"), "label_dtype must be one of uint8, uint16, not 'int8'"),
        (program(dram_bytes=2**32 + 1), "dram_bytes must be in 0..4294967296, not 4294967297"),
        (
            program(regions=(Region("image", 1000, 25, "image"),)),
            "region image must be inside 0..1024, not at 1000 with 25 bytes",
        ),
        (
            program(regions=(Region("image", 0, 1, "picture"),)),
            f"kind of region image must be one of {', '.join(REGION_KINDS)}, not 'picture'",
        ),
        (program(segments=(segment(queues=()),)), "segment encoder: queues must be 7, not 0"),
        (program(segments=(segment(labels=()),)), "segment encoder: labels must be 7, not 0"),
        (
            program(segments=(segment(queues=queues(load=[GELU, LOAD])),)),
            "segment encoder: the queue of LOAD must hold its own instructions, not Gelu",
        ),
        (
            program(segments=(segment(labels=queues()),)),
            "segment encoder: labels of LOAD must be 2 as its instructions, not 0",
        ),
        (
            program(segments=(segment(probes=(dataclasses.replace(segment().probes[0], index=1),)),)),
            "segment encoder: index of the probe of encoder.{i}.gelu must be in 0..0 of GELU, not 1",
        ),
        (
            program(segments=(segment(probes=(FLOAT,)),)),
            "segment encoder: dtype of the probe of x must be one of int8, ",
        ),
        (
            program(segments=(segment(queues=queues(load=[LOAD, dataclasses.replace(LOAD, size=0)]),
                                      labels=queues(load=["a", "b"]), probes=()),)),
            "load: size must be an integer in 1..4294967295, not 0",
        ),
    ],
)  # fmt: skip
def test_programs_that_contradict_themselves_are_not_saved(tmp_path, wrong, message):
    with pytest.raises(InputError) as error:
        wrong.save(tmp_path / "program.bin")
    assert str(error.value).startswith(message)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["base", "base_step"])
def test_a_base_inside_a_word_of_the_bus_is_refused(tmp_path, name):
    with pytest.raises(InputError) as refusal:
        program(segments=(segment(**{name: 100}),)).save(tmp_path / "x.bin")
    assert f"{name} must be a multiple of memory.width_bytes = 16, not 100" in str(refusal.value)


CLASSES, FEATURES = Region("scores", 64, 20, "classes"), Region("rows", 128, 64, "features")


def with_outputs(*outputs, label_dtype="", regions=(CLASSES, FEATURES)):
    return program(label_dtype=label_dtype, regions=regions, outputs=outputs)


def test_outputs_other_than_labels_come_back(path):
    made = with_outputs(Output("scores", "int16"), Output("rows", "int8"))
    made.save(path)
    assert Program.load(path) == made
    assert [made.output_dtype(region) for region in made.regions] == ["int16", "int8"]


def test_labels_beside_other_outputs(path):
    regions = CLASSES, Region("labels", 128, 64, "labels")
    made = with_outputs(Output("scores", "int16"), label_dtype="uint16", regions=regions)
    made.save(path)
    assert Program.load(path) == made
    assert [made.output_dtype(region) for region in made.regions] == ["int16", "uint16"]


def test_labels_alone_need_no_list_of_outputs(path):
    assert b'"outputs"' not in path.read_bytes()
    assert Program.load(path).outputs == ()


@pytest.mark.parametrize(
    "outputs, sentence",
    [
        ([Output("scores", "int16")], "the dtype of region rows must be listed in outputs, not missing"),
        (
            [Output("scores", "int16"), Output("rows", "int8"), Output("x", "int8")],
            "output x must be a region of labels, classes, features, not missing",
        ),
    ],
)
def test_outputs_that_contradict_the_regions_are_refused(outputs, sentence, path):
    with pytest.raises(InputError) as error:
        with_outputs(*outputs).save(path)
    assert str(error.value) == sentence


def test_an_output_of_another_type_is_refused(path):
    with pytest.raises(InputError, match="dtype of output scores"):
        with_outputs(Output("scores", "float32"), Output("rows", "int8")).save(path)
