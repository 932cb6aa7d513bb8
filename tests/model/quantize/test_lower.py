"""Integer constants against their definitions, and the refusals."""

from __future__ import annotations

import numpy as np
import pytest

from intarsia.model.errors import InputError
from intarsia.model.integer import arithmetic, bounds
from intarsia.model.integer.graph import QuantizeOptions
from intarsia.model.ops.layernorm import lower_layernorm
from intarsia.model.ops.linear import lower_linear
from intarsia.model.ops.pixels import pixel_table
from tests.model.ops.builder import Bench

OPTIONS = QuantizeOptions()


def test_a_linear_layer_is_close_to_the_real_one():
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(0, 0.2, (24, 48)), rng.normal(0, 1, 24)
    x = rng.integers(-128, 128, (10, 48)).astype(np.int8)
    lowered = lower_linear("fc", weight, bias, 0.02, 0.05, 8, OPTIONS)
    k = lowered.constants
    acc = x.astype(np.int64) @ k["weight"].astype(np.int64).T + k["bias"]
    out = arithmetic.requantize(acc, k["b"], k["c"], out_bits=8)
    real = (x * 0.02) @ weight.T + bias
    assert np.abs(out * 0.05 - np.clip(real, -128 * 0.05, 127 * 0.05)).max() < 0.1
    assert np.abs(k["weight"]).max(axis=1).tolist() == [127] * 24


def test_a_dead_channel_keeps_its_bias():
    weight = np.zeros((2, 4))
    weight[1] = 0.5
    lowered = lower_linear("fc", weight, np.array([0.7, 0.0]), 0.02, 0.05, 8, OPTIONS)
    b, c = lowered.constants["b"][0], lowered.constants["c"][0]
    out = arithmetic.requantize(lowered.constants["bias"][0], b, c, out_bits=8)
    assert out == 14


@pytest.mark.parametrize(("bits", "multiplier_bits", "s_out"), [(8, 16, 0.05), (16, 32, 0.0002)])
@pytest.mark.parametrize("exponent", [-300, -12, -8, -6, -5, -4])
def test_a_pruned_channel_with_a_bias_is_right(bits, multiplier_bits, s_out, exponent):
    """Where the weights are too small for the bias to fit at their scale, the scale grows."""
    rng = np.random.default_rng(7)
    weight, bias = rng.normal(0, 0.2, (4, 96)), np.array([6.0, -6.0, 0.3, 0.0])
    weight[:2] *= 10.0**exponent
    options = QuantizeOptions(multiplier_bits=multiplier_bits)
    lowered = lower_linear("fc", weight, bias, 0.02, s_out, bits, options)
    k = lowered.constants
    x = rng.integers(-128, 128, (50, 96)).astype(np.int8)
    reach = bounds.linear_reach(k["weight"], k["bias"])
    assert reach.max() <= bounds.I31 and (exponent == -4 or reach[:2].min() > bounds.I31 * 0.99)
    acc = x.astype(np.int64) @ k["weight"].astype(np.int64).T + k["bias"]
    out = arithmetic.requantize(acc, k["b"], k["c"], out_bits=bits)
    real = ((x * 0.02) @ weight.T + bias) / s_out
    assert np.abs(out - real)[:, :2].max() <= 1
    plain = lower_linear("fc", weight[2:], bias[2:], 0.02, s_out, bits, options).constants
    for role, array in plain.items():
        np.testing.assert_array_equal(k[role][2:], array)


def test_a_deep_product_that_may_overflow_is_refused_by_name():
    weight = np.ones((1, 140_000))
    with pytest.raises(InputError, match=r"deep: the int32 accumulator could reach \d+"):
        lower_linear("deep", weight, None, 1.0, 1.0, 8, OPTIONS)
    builder = Bench(x=((1, 2**17), "int8", 1.0), y=((1, 2**17), "int8", 1.0))
    with pytest.raises(InputError, match="masks: the int32 accumulator"):
        builder.matmul("masks", "x", "y", bits=16)


def test_a_ratio_without_a_shift_is_refused_by_name():
    shape = (1, 1)
    far = Bench(2.0**40, x=(shape, "int16", 2.0**-23), y=(shape, "int16", 1.0))
    with pytest.raises(InputError, match="r1: ratio must have its shift c in"):
        far.residual("r1", "x", "y")
    near = Bench(1.0, x=(shape, "int16", 1.0), y=(shape, "int16", 2.0**20))
    with pytest.raises(InputError, match="r2: ratio must have its shift c in"):
        near.residual("r2", "x", "y")


def test_a_layernorm_beyond_62_bits_is_refused_by_name():
    with pytest.raises(InputError, match="norm: "):
        lower_layernorm("norm", np.full(8, 1e-6), np.full(8, 1e6), 1e-6, 8, OPTIONS)


def test_probability_rows_are_bounded():
    """No row of Shiftmax sums to more than the bound that the accumulator was checked with."""
    rng = np.random.default_rng(1)
    for i0, tokens, bits, scale in [
        (1, 50, 31, 1.0),
        (3000, 900, 31, 1 / 3000),
        (2**20, 300, 46, 2.0**-20),
    ]:
        options = QuantizeOptions(reciprocal_bits=bits)
        builder = Bench(options=options, x=((1, tokens, tokens), "int8", scale))
        assert builder.nodes[builder.shiftmax("s", "x")].attributes["i0"] == i0
        bound = bounds.shiftmax_row(tokens, i0=i0, n=15, reciprocal_bits=bits, out_bits=16)
        for x in (np.zeros(tokens, np.int8), rng.integers(-3, 4, tokens).astype(np.int8)):
            p = arithmetic.shiftmax(x, i0, reciprocal_bits=bits)
            assert int(p.astype(np.int64).sum()) <= bound


def test_probabilities_that_could_overflow_are_refused_by_name():
    builder = Bench(x=((2, 4096, 4096), "int8", 2.0**-23), qkv=((4096, 12), "int8", 1.0))
    probabilities = builder.shiftmax("s", "x")
    with pytest.raises(InputError, match="mix: the int32 accumulator"):
        builder.mix("mix", probabilities, "qkv")


@pytest.mark.parametrize("name", ["vit", "deit"])
def test_the_pixel_table_is_the_normalization(name):
    from intarsia.model.networks.segmenter.config import NORMALIZATIONS

    table, scale = pixel_table(name)
    mean, deviation = NORMALIZATIONS[name]
    for channel in range(3):
        real = (np.arange(256) / 255 - mean[channel]) / deviation[channel]
        assert np.abs(table[channel] * scale - real).max() <= scale / 2 + 1e-12
    assert np.abs(table.astype(int)).max() == 127
