"""How the kernels are compiled: Numba's options and shorthands over LLVM's vector operations."""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic
from numpy.typing import NDArray

from intarsia.model.cache import cache_folder, is_kept, own_folder, unusable, usable
from intarsia.model.errors import InputError

Int8 = NDArray[np.int8]
Int16 = NDArray[np.int16]
I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)

_SOURCES = b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
_VERSION = hashlib.sha256(_SOURCES).hexdigest()[:8]


@cache
def _cache_folder() -> Path:
    """Where Numba keeps machine code, which it loads by pickle: what others may have written is refused."""
    given = numba.config.CACHE_DIR
    folder = own_folder(Path(given)) if given else cache_folder("numba")
    is_kept(folder)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Numba makes folders and files for the user alone, in this folder; what fails is one sentence."""
    settings = {"CACHE_DIR": str(folder), "CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
    given = {name: getattr(numba.config, name) for name in settings}
    before = os.umask(0o077)
    try:
        vars(numba.config).update(settings)
        with usable(folder):
            yield
    finally:
        os.umask(before)
        vars(numba.config).update(given)


class _PrivateCache(FunctionCache):  # type: ignore[misc]
    """In the folder of `_cache_folder` and nowhere else: Numba by itself would try one after the other."""

    def __init__(self, function: Callable[..., Any]) -> None:
        folder = _cache_folder()
        try:
            with _alone(folder):
                super().__init__(function)
        except RuntimeError:  # no locator is left
            raise InputError(unusable(folder, "nothing can be written there")) from None

    def save_overload(self, sig: Any, data: Any) -> None:
        with _alone(_cache_folder()):
            super().save_overload(sig, data)


def kernel(*, entry: bool = True, parallel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`, cached until any file of this package changes; InputError if the cache cannot be used.

    Numba compares only the file of the function itself, but the code of the functions that it
    calls is part of what is cached; hence the name that carries all of them. A function that
    is no `entry` can be called from kernels only: the wrappers would treble its compilation.
    """

    def compile_lazily(function: Callable[..., Any]) -> Any:
        function.__qualname__ += _VERSION
        options = {"no_cpython_wrapper": not entry, "no_cfunc_wrapper": True}
        compiled = numba.njit(nogil=True, parallel=parallel, **options)(function)
        compiled._cache = _PrivateCache(function)  # what cache=True does, with Numba's own class
        return compiled

    return compile_lazily


def threads() -> int:
    """Number of threads that a kernel divides its rows among."""
    return int(numba.get_num_threads())


class Emitter:
    """Shorthands over llvmlite inside the code generator of an intrinsic."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        self.signature, self.arguments = signature, arguments

    def index(self, value: int) -> Any:
        return ir.Constant(self.context.get_value_type(types.intp), value)

    def times(self, value: Any, factor: int) -> Any:
        return self.builder.mul(value, self.index(factor))

    def address(self, argument: int, offsets: Iterable[Any], element: Any) -> Any:
        """Pointer to `element` in an array argument; the offsets count the array's elements."""
        array = self.context.make_array(self.signature.args[argument])
        pointer = array(self.context, self.builder, self.arguments[argument]).data
        for offset in offsets:
            pointer = self.builder.gep(pointer, [offset])
        return self.builder.bitcast(pointer, element.as_pointer())

    def lanes(self, vector: Any, chosen: Iterable[int]) -> Any:
        mask = list(chosen)
        mask = ir.Constant(ir.VectorType(I32, len(mask)), mask)
        return self.builder.shuffle_vector(vector, vector, mask)

    def extend(self, vector: Any, element: Any) -> Any:
        return self.builder.sext(vector, ir.VectorType(element, vector.type.count))

    def every(self, like: Any, value: int) -> Any:
        return ir.Constant(like.type, like.type.count * [value])

    def clamp(self, x: Any, low: Any, high: Any) -> Any:
        x = self.builder.select(self.builder.icmp_signed("<", x, low), low, x)
        return self.builder.select(self.builder.icmp_signed(">", x, high), high, x)


@intrinsic
def shift_right(context, x, count):  # type: ignore[no-untyped-def]
    """x >> count that stays int32, where Numba would widen it; count < 32."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ashr(*arguments)

    return types.int32(types.int32, types.int32), generate
