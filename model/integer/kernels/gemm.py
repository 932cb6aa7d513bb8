"""Linear layers: int8 x int8 products, int32 bias, requantization."""

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from intarsia.model.integer.kernels.jit import Int8, kernel, threads
from intarsia.model.integer.kernels.requantize import requantize_block, scale
from intarsia.model.integer.kernels.tile import COLUMNS, GROUP, ROWS, multiply_block, pack

BLOCK = 8 * ROWS  # rows that share one pass over the weights


def has_byte_products() -> bool:
    """Whether this processor multiplies bytes faster than 16-bit words (AVX-512 VNNI)."""
    return bool(llvm.get_host_cpu_features().get("avx512vnni", False))


def linear(
    x: Int8,
    weight: Int8,
    bias: NDArray[np.int32] | None,
    b: ArrayLike,
    c: ArrayLike,
    *,
    out_bits: int = 8,
    byte_products: bool | None = None,
) -> NDArray[Any]:
    """sat(RHE((x @ weight.T + bias) * b / 2^c)), int8 or int16 as `out_bits` says.

    `x` [M, K], `weight` [N, K], `bias` [N], `b` (|b| < 2^31) and `c` (0..63) [N] or scalars.
    `byte_products` overrides the choice of engine; both give the same numbers.
    """
    if x.shape[1] != weight.shape[1]:
        raise ValueError(f"x must have the {weight.shape[1]} columns of the weight, not {x.shape[1]}")
    m, n = x.shape[0], weight.shape[0]
    out = np.empty((m, n), np.int8 if out_bits == 8 else np.int16)
    constants = scale(b, c, n, out_bits, bias)
    bytewise = has_byte_products() if byte_products is None else byte_products
    if bytewise and x.shape[1] > 1:  # of a single column torch mistakes the strides
        _requantize(_torch_product(x, weight), constants, out, threads())
    else:
        _linear(x, weight, constants, out, threads())
    return out


def _torch_product(x: Int8, weight: Int8) -> NDArray[np.int32]:
    import torch  # only where it is the faster engine: it takes a second to import

    def tensor(array: Int8) -> torch.Tensor:
        return torch.from_numpy(array if array.flags.writeable else array.copy())

    product: NDArray[np.int32] = torch._int_mm(tensor(x), tensor(weight).T).numpy()
    return product


@kernel(parallel=True)
def _requantize(acc, scale, out, workers):  # type: ignore[no-untyped-def]
    m, n = acc.shape
    for worker in numba.prange(workers):
        first, last = m * worker // workers, m * (worker + 1) // workers
        block = acc[first:last].reshape(-1)
        requantize_block(block, n, scale, out, first, last - first, 0, n)


@kernel(parallel=True)
def _linear(x, weight, scale, out, workers):  # type: ignore[no-untyped-def]
    (m, k), n = x.shape, weight.shape[0]
    tiles, count = -(-m // ROWS), -(-n // COLUMNS)
    panels = np.empty((count, -(-k // 2), COLUMNS, 2), np.int16)
    for worker in numba.prange(workers):
        first, last = count * worker // workers, count * (worker + 1) // workers
        pack(weight[first * COLUMNS : last * COLUMNS], panels[first:last])
    for worker in numba.prange(workers):
        first, last = tiles * worker // workers, tiles * (worker + 1) // workers
        _rows(x[first * ROWS : last * ROWS], panels, scale, out[first * ROWS : last * ROWS])


@kernel(entry=False)
def _rows(x, panels, scale, out):  # type: ignore[no-untyped-def]
    (m, k), n = x.shape, out.shape[1]
    wide = np.zeros((BLOCK, 2 * panels.shape[1]), np.int16)  # an odd k ends in a zero
    acc = np.empty(BLOCK * GROUP, np.int32)
    for start in range(0, m, BLOCK):
        rows = min(BLOCK, m - start)
        for row in range(rows):
            for i in range(k):
                wide[row, i] = x[start + row, i]
        for column in range(0, n, GROUP):
            columns = min(GROUP, n - column)
            multiply_block(wide, rows, panels, column // COLUMNS, columns, acc)
            requantize_block(acc, GROUP, scale, out, start, rows, column, columns)
