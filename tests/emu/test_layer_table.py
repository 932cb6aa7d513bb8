"""The layers as CSV: the JSON's values under the JSON's keys."""

from __future__ import annotations

import csv

import pytest

from intarsia.emu.layer_table import COLUMNS, write_layers
from intarsia.emu.simulation import network, simulate
from intarsia.model.errors import InputError


@pytest.fixture(scope="module")
def layers():
    return simulate(model=network("mini", "scenes", (64, 80)), machine="edge").layers


def keys(layer, prefix=""):
    for key, value in layer.items():
        yield from keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]


def test_a_row_per_layer_with_every_key(layers, tmp_path):
    write_layers(layers, tmp_path / "page.csv")
    with (tmp_path / "page.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS) == list(keys(layers[0]))
    assert [row["name"] for row in rows] == [layer["name"] for layer in layers]
    for row, layer in zip(rows, layers, strict=True):
        assert int(row["cycles"]) == layer["cycles"]
        assert float(row["utilization"]) == layer["utilization"]
        assert int(row["dram_bits.read"]) == layer["dram_bits"]["read"]


def test_names_are_quoted(layers, tmp_path):
    name = 'a,"b"\nc; =d'
    write_layers([{**layers[0], "name": name}], tmp_path / "page.csv")
    with (tmp_path / "page.csv").open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [name]


def test_only_a_table_of_layers_is_replaced(layers, tmp_path):
    path = tmp_path / "page.csv"
    for _ in range(2):
        write_layers(layers, path)
    for foreign in (b"Layer, M, N, K,\n", b"\n", b"\xff\xfe\0"):
        path.write_bytes(foreign)
        with pytest.raises(InputError, match=r"page\.csv exists and is not a table of layers"):
            write_layers(layers, path)
        assert path.read_bytes() == foreign
