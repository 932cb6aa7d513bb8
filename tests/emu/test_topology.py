"""SCALE-Sim's topologies: matrix products and convolutions."""

from __future__ import annotations

import pytest

from intarsia.emu.scalesim import Systolic, compute_cycles
from intarsia.emu.topology import Product, read_topology
from intarsia.model.errors import InputError

CONV = (
    "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
)
GEMM = "Layer, M, N, K,\n"


@pytest.fixture
def topology(tmp_path):
    def write(text):
        (tmp_path / "topology.csv").write_text(text)
        return read_topology(tmp_path / "topology.csv")

    return write


def test_products_are_read(topology):
    text = GEMM + "qkv, 1025, 576, 192,\n\nscores,1025,1025,64\nfc, 3, 4, 5, 1:1,\n"
    assert topology(text) == (
        Product("qkv", 1025, 576, 192),
        Product("scores", 1025, 1025, 64),
        Product("fc", 3, 4, 5),
    )


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("C, 12, 12, 3, 3, 3, 8, 1,", [("C", 100, 8, 27)]),
        # What a stride leaves over at the border still counts: ceil((10 - 3 + 2) / 2) = 5.
        ("C, 16, 10, 3, 3, 4, 6, 2,", [("C", 8 * 5, 6, 36)]),
        ("FC, 1, 1, 1, 1, 64, 10, 1,", [("FC", 1, 10, 64)]),
        ("C1     ,224         ,224        ,11           ,11          ,3       ,96        ,4      ,",
         [("C1", 55 * 55, 96, 363)]),
        # Without the comma at the end, a remark, dense sparsity, two strides, a batch of one.
        ("C, 12, 12, 3, 3, 3, 8, 1", [("C", 100, 8, 27)]),
        ("C, 12, 12, 3, 3, 3, 8, 1,#dw", [("C", 100, 8, 27)]),
        ("C, 12, 12, 3, 3, 3, 8, 1, 2:2,", [("C", 100, 8, 27)]),
        ("C, 12, 12, 3, 3, 3, 8, 1, 2,", [("C", 10 * 6, 8, 27)]),
        ("C, 12, 12, 3, 3, 3, 8, 2, 2, 1,", [("C", 36, 8, 27)]),
        # Depthwise: every channel is a layer of its own.
        ("DP1, 5, 5, 3, 3, 2, 1, 1,", [("DP1Channel_0", 9, 1, 9), ("DP1Channel_1", 9, 1, 9)]),
    ],
)  # fmt: skip
def test_convolutions_become_products(topology, line, wanted):
    assert topology(CONV + line) == tuple(Product(*row, "conv") for row in wanted)


def test_the_first_line_names_further_columns(topology):
    strides = CONV.replace("Strides,", "Stride height, Stride width, Batch, IFMAP Base Addr, Type,")
    (product,) = topology(strides + "C, 12, 12, 3, 3, 3, 8, 1, 2, 4, 4096, conv,\n")
    assert product == Product("C", 4 * 10 * 6, 8, 27, "conv")
    assert topology("layer,m,n,k,note,\na,1,2,3,what it is,\n") == (Product("a", 1, 2, 3),)
    assert topology("Layer,M,N,K,Batch\na,5,2,3,4\n") == (Product("a", 20, 2, 3),)


@pytest.mark.parametrize("first", ["anything", "# made by a script", "Name, rows, columns, depth", ",,,x"])
def test_any_first_line(topology, first):
    assert topology(f"{first}\na, 1, 2, 3,\n") == (Product("a", 1, 2, 3),)
    (product,) = topology(f"{first}\nC, 12, 12, 3, 3, 3, 8, 1,\n")
    assert product == Product("C", 100, 8, 27, "conv")


@pytest.mark.parametrize(
    ("array", "dataflow", "cycles"),
    [
        ((8, 8), "ws", (487, 309, 367)),
        ((8, 8), "os", (532, 249, 155)),
        ((8, 8), "is", (1559, 699, 255)),
        ((12, 14), "ws", (407, 227, 221)),
        ((12, 14), "os", (458, 239, 87)),
        ((12, 14), "is", (1055, 377, 275)),
        ((16, 4), "ws", (535, 443, 419)),
        ((16, 4), "os", (629, 323, 245)),
        ((16, 4), "is", (2099, 1199, 175)),
        ((32, 32), "ws", (193, 267, 189)),
        ((32, 32), "os", (355, 195, 125)),
        ((32, 32), "is", (407, 399, 207)),
    ],
)
def test_cycles_that_scalesim_printed(topology, array, dataflow, cycles):
    text = CONV + "C1,12,12,3,3,3,8,1,\nC2,16,10,3,3,4,6,2,\nFC,1,1,1,1,64,10,1,\n"
    found = tuple(compute_cycles(product, Systolic("a", *array, dataflow)) for product in topology(text))
    assert found == cycles


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a first line and a line for each layer, not none"),
        ("a, 1, 2, 3,\n", "must name the columns, it is the layer 'a, 1, 2, 3'"),
        ("Layer, M, K, N,\na, 1, 2, 3,\n", "'Layer, m, n, k,' in this order, 'k' stands in another place"),
        (CONV.replace("Filter Height, Filter Width", "Filter Width, Filter Height"), "in this order"),
        (GEMM + "\n", "must have at least one line after the first, not none"),
        (CONV, "must have at least one line after the first, not none"),
        (GEMM + "a, 1, 2,\n", "line 2 must have the fields NAME, M, N, K, not 3 fields"),
        (CONV + "a, 5, 5, 3, 3, 1, 1,\n", "line 2 must have the fields NAME, ifmap height"),
        (
            GEMM + "a, 1, 2, 3, 4, 5,\n",
            "line 2 must have 4 fields, as the first line has, not 6: what is '4'?",
        ),
        (GEMM + "a, 1, 2, 3,\nb, 1, x, 3,\n", "line 3: N must be a positive integer, not 'x'"),
        (GEMM + "a, 0, 2, 3,\n", "line 2: M must be a positive integer, not '0'"),
        (GEMM + "a, 1, 2, 1.5,\n", "line 2: K must be a positive integer, not '1.5'"),
        (GEMM + "a, 1, 2, 99999999999999999999,\n", "line 2: K must be"),
        (GEMM + ", 1, 2, 3,\n", "line 2: the name"),
        (GEMM + "a, 1, 2, 3, 2:4,\n", "line 2: sparsity must be dense (1:1), not '2:4'"),
        (CONV + "a, 5, 5, 3, 3, 1, 1, 1, 1:4,\n", "line 2: sparsity must be dense"),
        (CONV + "a, 5, 5, 3, 3, 1, 1, 0,\n", "line 2: strides must be a positive integer, not '0'"),
        (CONV + "a, 5, 5, 3, 3, 1, 1, 1, x,\n", "line 2: stride width must be a positive integer, not 'x'"),
        (CONV + "a, 5, 5, 3, 3, 1, 1, 1, 1, 7,\n", "what is '7'?"),
        (
            CONV + "a, 5, 5, 3, 6, 1, 1, 1,\n",
            "a filter must be at most as large as its IFMAP of 5 x 5, not 3 x 6",
        ),
        (CONV + "DP, 5, 5, 3, 3, 2000000, 1, 1,\n", "must have at most 1000000 products"),
    ],
)
def test_bad_topologies_are_refused(topology, text, message):
    with pytest.raises(InputError, match="topology.csv") as caught:
        topology(text)
    assert message in str(caught.value)
