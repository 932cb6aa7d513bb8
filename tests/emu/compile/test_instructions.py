"""What the compiler derives from the classes of instructions, for every operator that there is."""

from __future__ import annotations

from intarsia.arch.isa import INSTRUCTIONS, Matmul
from intarsia.arch.machine import KEYS
from intarsia.emu.compile.instructions import has_word, length_key, parameters_of
from intarsia.model.ops import OPERATORS
from intarsia.model.quantize.outline import outline
from tests.model.networks.variants import VARIANTS, config_of

NODES = {node.op: node for name in VARIANTS for node in outline(config_of(name)).nodes}


def test_rows_are_bounded_by_keys_of_the_machine():
    bounds = {op: key for op in OPERATORS if (key := length_key(op))}
    assert bounds == {
        "gelu": "units.row_length",
        "layernorm": "units.layernorm_length",
        "shiftmax": "units.row_length",
    }
    assert set(bounds.values()) <= {key for key, _, _ in KEYS}


def test_what_computes_has_a_word():
    """Whatever scales by one multiplier, but not linear nodes, which have one per output."""
    assert {op for op, node in NODES.items() if has_word(node)} == {
        *("gelu", "layernorm", "matmul", "mean", "mix", "residual", "scores", "shiftmax")
    }


def test_a_word_is_of_the_instruction_of_that_name():
    kinds = {kind.mnemonic(): kind for kind in INSTRUCTIONS}
    for op in OPERATORS:
        if op != "table":  # which LOOKUP carries out
            assert parameters_of(op) is kinds.get(op, Matmul).parameter()
    assert parameters_of("table") is None
