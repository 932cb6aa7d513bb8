"""The operators against the formulas of I-ViT's published code, restated in float64.

Source: github.com/zkkli/I-ViT, models/quantization_utils/quant_modules.py and quant_utils.py.
There integers travel as floats; in float64 every step below is exact up to 2**53, and in float32,
the type of the published code, it is not. Where the contract knowingly differs, a test says so.
"""

import decimal
import math

import numpy as np
import pytest
import torch

from intarsia.model.integer import arithmetic as ia

I31 = 2**31 - 1


@pytest.fixture(autouse=True)
def float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def floor_div(a, b):
    return torch.floor(a / b)


def published_frexp(ratio, bits=31):
    """`batch_frexp`: 31-bit mantissas rounded half up in decimal, and their exponents."""
    mantissa, exponent = np.frexp(np.atleast_1d(ratio))
    whole = [
        int(decimal.Decimal(float(m) * 2**bits).quantize(1, rounding=decimal.ROUND_HALF_UP))
        for m in mantissa
    ]
    return torch.tensor(whole, dtype=torch.double), torch.tensor(bits - exponent).double()


def published_fixedpoint_mul(x, s_x, s_out, bits, identity=None, s_identity=None):
    """`fixedpoint_mul`: x (real numbers at scale s_x) as integers at scale s_out."""
    m, e = published_frexp((s_x / s_out).numpy())
    out = torch.round(torch.round(x / s_x) * m / 2.0**e)
    if identity is not None:
        m, e = published_frexp((s_identity / s_out).numpy())
        out = out + torch.round(torch.round(identity / s_identity) * m / 2.0**e)
    return torch.clamp(out, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def published_exp(x, scale, n):
    x = x + torch.floor(x / 2) - torch.floor(x / 16)
    x0 = torch.floor(-1.0 / scale)
    x = torch.maximum(x, n * x0)
    q = floor_div(x, x0)
    r = x - x0 * q
    return torch.clamp(torch.floor((r / 2 - x0) * 2.0 ** (n - q)), min=0)


def published_softmax(x, scale, bits):
    e = published_exp(x - x.amax(-1, keepdim=True), scale, 15)
    factor = floor_div(torch.tensor(float(I31)), e.sum(-1, keepdim=True).clamp(max=I31))
    return torch.floor(e * factor / 2 ** (31 - bits + 1))


def published_gelu(x, scale):
    top = x.amax(-1, keepdim=True)
    e = published_exp(x - top, scale * 1.702, 23)
    total = (e + published_exp(-top, scale * 1.702, 23)).clamp(max=I31)
    sigmoid = torch.floor(e * floor_div(torch.tensor(float(I31)), total) / 2**24)
    return x * sigmoid


def published_root(v):
    k = torch.full_like(v, 2.0**16)
    for _ in range(10):
        k = torch.floor((k + floor_div(v, k)) / 2)
    return k


def published_layernorm(x, gamma, beta):
    """Integers and their scale per channel; the caller requantizes them."""
    y = x - torch.round(x.mean(-1, keepdim=True))
    s = published_root((y * y).sum(-1, keepdim=True))
    z = torch.floor(y * floor_div(torch.tensor(float(I31)), s) / 2)
    unit = math.sqrt(x.shape[-1]) / 2**30
    bias = torch.floor(beta / gamma / unit)
    return z, bias, unit * gamma


def rng_tensor(seed, low, high, shape):
    return torch.tensor(np.random.default_rng(seed).integers(low, high, shape)).double()


SCALES = [2**-k * m for k in (0, 2, 4, 6, 8, 10) for m in (1.0, 1.37, 0.731)]


@pytest.mark.parametrize("scale", [*SCALES, 2.0**-18, 1 / 60_000])
@pytest.mark.parametrize("bits", [8, 16])
def test_shiftmax(scale, bits):
    for width, spread in ((1, 128), (7, 128), (197, 30), (1025, 128)):
        x = rng_tensor(width, -spread, spread, (5, width))
        x[0] = x[0, 0]
        want = published_softmax(x, torch.tensor(scale), bits)
        got = ia.shiftmax(x.numpy().astype(np.int8), ia.softmax_i0(scale), out_bits=bits)
        # The cap is ours: with I0 above 65535 one e is beyond I31 and theirs passes 1.0.
        assert (got == np.minimum(want.numpy(), 2 ** (bits - 1) - 1)).all()


@pytest.mark.parametrize("scale", [s for s in SCALES if 1 / (1.702 * s) <= 255])
def test_shiftgelu(scale):
    x = rng_tensor(11, -128, 128, (40, 384))
    x[0] = -torch.abs(x[0]) - 1  # no channel is positive
    x[1] = x[1, 0]
    x[2] = torch.clamp(x[2], max=-100)
    x = torch.clamp(x, -128, 127)
    want = published_gelu(x, torch.tensor(scale))
    got = ia.shiftgelu(x.numpy().astype(np.int8), ia.gelu_i0(scale, "shift"), form="shift")
    assert (got == want.numpy()).all()


def test_shiftgelu_of_tiny_scales_is_capped_here_and_not_there():
    """Known difference: I0 > 255 makes e1 exceed I31, and theirs goes on beyond 127 / 128."""
    scale = 2.0**-11
    x = torch.tensor([[100.0, 3.0, -5.0]])
    want = published_gelu(x, torch.tensor(scale)) / x
    got = ia.gelu_sigmoid(x.numpy().astype(np.int8), ia.gelu_i0(scale, "shift"), form="shift")
    assert want.max() > 127
    assert (got == np.minimum(want.numpy(), 127)).all()


@pytest.mark.parametrize("bits", [8, 16])
def test_requantize(bits):
    rng = np.random.default_rng(bits)
    s_x, s_out = torch.tensor(rng.uniform(1e-6, 1e-3, 64)), torch.tensor(0.013)
    acc = rng_tensor(5, -(2**21), 2**21, (50, 64))
    want = published_fixedpoint_mul(acc * s_x, s_x, s_out, bits)
    b, c = ia.dyadic((s_x / s_out).numpy(), 32)
    assert (ia.requantize(acc.numpy().astype(np.int32), b, c, out_bits=bits) == want.numpy()).all()


def test_requantize_of_ties():
    """Powers of two between the scales, so that a quarter of the values are exact ties."""
    acc = torch.arange(-4096.0, 4096.0)[:, None]
    s_x, s_out = torch.tensor([0.25]), torch.tensor([1.0])
    want = published_fixedpoint_mul(acc * s_x, s_x, s_out, 16)
    for bits in (16, 32):
        b, c = ia.dyadic(0.25, bits)
        assert (ia.requantize(acc.numpy().astype(int), b, c, out_bits=16) == want.numpy()).all()


def test_residual():
    rng = np.random.default_rng(9)
    s_x, s_id, s_out = (torch.tensor([v]) for v in (3.1e-4, 2.2e-4, 2.9e-4))
    x, identity = (torch.tensor(rng.integers(-32768, 32768, (400, 96))).double() for _ in "ab")
    want = published_fixedpoint_mul(x * s_x, s_x, s_out, 16, identity * s_id, s_id)
    b1, c1 = ia.dyadic(float(s_x / s_out), 32)
    b2, c2 = ia.dyadic(float(s_id / s_out), 32)
    x, identity = (v.numpy().astype(np.int16) for v in (x, identity))
    got = ia.residual(x, b1, c1, identity, b2, c2)
    assert (got == want.numpy()).all()
    assert (np.abs(want) == 32767).any()  # saturation took part


def test_dyadic_is_theirs_at_32_bits():
    ratios = np.concatenate(
        [np.random.default_rng(2).uniform(2**-20, 2, 500), 2.0 ** np.arange(-20, 20), [0.0]]
    )
    m, e = published_frexp(ratios)
    b, c = ia.dyadic(ratios, 32)
    assert (b == m.numpy()).all()
    assert (c == e.numpy()).all()


def test_dyadic_differs_only_when_the_mantissa_rounds_up_to_one():
    """Known difference: theirs keeps 2**31, ours the same number as 2**30 over half the power."""
    m, e = published_frexp(1 - 2.0**-40)
    assert (float(m), float(e)) == (2**31, 31)
    assert ia.dyadic(1 - 2.0**-40, 32) == (2**30, 30)


@pytest.mark.parametrize("width", [192, 768, 1024])
def test_layernorm(width):
    rng = np.random.default_rng(width)
    x = rng_tensor(width, -8000, 8000, (60, width)) * torch.tensor(rng.uniform(0.05, 4, (60, 1)))
    x = torch.clamp(torch.round(x), -32768, 32767)
    gamma = torch.tensor(rng.uniform(0.3, 1.5, width) * rng.choice([-1, 1], width))
    beta = torch.tensor(rng.normal(0, 0.2, width))
    z, bias, scale = published_layernorm(x, gamma, beta)
    v = x.numpy().astype(np.int64)
    assert (((v - v.mean(1, keepdims=True)) ** 2).sum(1) > 1e6).all()

    # z itself, then the output at 8 bits with their constants: one multiplier, shift and bias
    # per channel.
    assert (ia.layernorm(v, 1, 0, 0, out_bits=32) == z.numpy()).all()
    s_out = 0.021
    want = published_fixedpoint_mul((z + bias) * scale, scale, torch.tensor(s_out), 8)
    b, c = ia.dyadic((scale / s_out).numpy(), 32)
    got = ia.layernorm(v, b, b * bias.numpy().astype(np.int64), c)
    assert (got == want.numpy()).all()

    # With our own constants (one shift, beta rounded once) the outputs differ by one at most.
    for bits in (16, 32):
        ours = ia.layernorm(v, *ia.layernorm_constants(gamma.numpy(), beta.numpy(), s_out, bits))
        assert np.abs(ours - want.numpy()).max() <= 1
        assert (ours != want.numpy()).mean() < 0.01


def test_square_root():
    """Known difference: theirs oscillates between t - 1 and t at v = t**2 - 1, for any t."""
    rng = np.random.default_rng(4)
    v = np.unique((2 ** rng.uniform(20, 43, 50_000)).astype(np.int64))
    v = np.concatenate([v, np.arange(1000, 5000) ** 2, np.arange(1000, 5000) ** 2 + 1])
    got, theirs = ia.isqrt(v), published_root(torch.tensor(v).double()).numpy()
    short = got + 1
    assert (got == theirs)[short**2 - 1 != v].all()

    t = np.arange(1000, 5000)
    theirs = published_root(torch.tensor(t**2 - 1).double()).numpy()
    assert (ia.isqrt(t**2 - 1) == t - 1).all()
    assert set((theirs - t).tolist()) == {-1.0, 0.0}

    small = np.arange(1, 1_000_000)
    wrong = small[ia.isqrt(small) != published_root(torch.tensor(small).double()).numpy()]
    assert len(wrong) > 10_000
    assert wrong[np.sqrt(wrong + 1) % 1 != 0].max() == 142_882
