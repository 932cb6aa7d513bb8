"""A register tile of a matrix product and the operand layout that it reads.

A product is computed as int16 x int16 pairs summed to int32, the widest exact multiply-add that
processors have had since long before they had one for bytes (`vpmaddwd`).
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from intarsia.model.integer.kernels.jit import I16, I32, Emitter, kernel

ROWS = 6  # a tile of 6 rows by 16 columns leaves 4 of the 16 vector registers of AVX2 for operands
COLUMNS = 16
GROUP = 8 * COLUMNS  # columns between two requantizations: they stay in the first cache
ZERO = ir.Constant(ir.VectorType(I32, 8), 8 * [0])


@intrinsic
def multiply_tile(context, a, a_start, a_stride, b, b_start, pairs, acc, acc_start, acc_stride):  # type: ignore[no-untyped-def]
    """Set ROWS x COLUMNS of `acc` to the product of ROWS rows of `a` and one panel of `b`.

    `a` int16, rows of `pairs` pairs, `a_stride` apart; `b` int16, a panel as `pack` writes it;
    `acc` int32, rows `acc_stride` apart. Starts and strides count elements.

    The sums of neighbouring products are written as vectors of a form that LLVM turns into one
    instruction on every x86 since SSE2, and into two or three on other processors.
    """
    n = types.intp
    signature = types.void(a, n, n, b, n, n, acc, n, n)

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        e = Emitter(context, builder, signature, arguments)
        _, a_start, a_stride, _, b_start, pairs, _, acc_start, acc_stride = arguments
        half_panel = ir.VectorType(I16, COLUMNS)
        rows = [e.address(0, [a_start, e.times(a_stride, row)], I32) for row in range(ROWS)]
        panel = e.address(3, [b_start], half_panel)
        sums = [cgutils.alloca_once_value(builder, ZERO) for _ in range(2 * ROWS)]
        with cgutils.for_range(builder, pairs) as loop:
            first = builder.gep(panel, [e.times(loop.index, 2)])
            halves = [builder.load(builder.gep(first, [e.index(half)]), align=2) for half in range(2)]
            for row in range(ROWS):
                pair = builder.load(builder.gep(rows[row], [loop.index]), align=2)
                pair = builder.insert_element(ZERO, pair, I32(0))
                pair = builder.bitcast(e.lanes(pair, 8 * [0]), half_panel)
                for half, total in zip(halves, sums[2 * row : 2 * row + 2], strict=True):
                    products = builder.mul(e.extend(pair, I32), e.extend(half, I32))
                    even, odd = (e.lanes(products, range(i, COLUMNS, 2)) for i in range(2))
                    builder.store(builder.add(builder.load(total), builder.add(even, odd)), total)
        for i, total in enumerate(sums):
            offsets = acc_start, e.times(acc_stride, i // 2), e.index(8 * (i % 2))
            builder.store(builder.load(total), e.address(6, offsets, ZERO.type), align=4)
        return context.get_dummy_value()

    return signature, generate


@kernel(entry=False)
def multiply_block(a, rows, panels, first, columns, acc):  # type: ignore[no-untyped-def]
    """acc[row*GROUP + j] = the product of row and column j, for row < rows, j < columns <= GROUP.

    `a` int16 [at least rows up to a multiple of ROWS, 2*pairs]; `panels` int16 of any shape that
    ends in [pairs, 16, 2], where the first column is that of panel number `first`.
    """
    width = a.shape[1]
    for j in range(0, columns, COLUMNS):
        panel = (first + j // COLUMNS) * width * COLUMNS
        for row in range(0, rows, ROWS):
            place = row * GROUP + j
            multiply_tile(a, row * width, width, panels, panel, width // 2, acc, place, GROUP)


@kernel(entry=False)
def pack(source, panels):  # type: ignore[no-untyped-def]
    """Rearrange int8 `source` [N, K] to int16 `panels` [ceil(N/16), ceil(K/2), 16, 2].

    Places beyond N and K keep what was there: the rows of the other operand end in a zero, and
    nobody reads the columns.
    """
    n, k = source.shape
    for i in range(n):
        for pair in range(k // 2):
            panels[i // COLUMNS, pair, i % COLUMNS, 0] = source[i, 2 * pair]
            panels[i // COLUMNS, pair, i % COLUMNS, 1] = source[i, 2 * pair + 1]
        if k % 2:
            panels[i // COLUMNS, k // 2, i % COLUMNS, 0] = source[i, k - 1]
