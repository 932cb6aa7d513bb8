"""The bits of a stream's payload: fields read off a component, integer arrays packed and unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape, ShapeLike
from amaranth.lib import data

from intarsia.sim.transaction import Beats, Ints


@dataclass(frozen=True)
class Field:
    """`count` integers of `width` bits side by side, the first lowest; `scalar` where it is just one."""

    name: str
    width: int
    signed: bool
    count: int
    scalar: bool

    @property
    def bits(self) -> int:
        return self.width * self.count


@dataclass(frozen=True)
class Payload:
    """Fields in order, the first in the lowest bits."""

    fields: tuple[Field, ...]

    @classmethod
    def of(cls, shape: ShapeLike) -> Payload:
        """The fields of a struct, or one field '' for an array or a plain integer."""
        if isinstance(shape, data.StructLayout):
            return cls(tuple(_field(name, member.shape) for name, member in shape))
        return cls((_field("", shape),))

    @property
    def bits(self) -> int:
        return sum(field.bits for field in self.fields)

    def pack(self, beats: Beats) -> list[int]:
        """One integer per beat. A missing, unknown or misshapen field and a value that does not fit
        its field raise ValueError: a bench must not drive anything else than it means."""
        if set(beats) != {field.name for field in self.fields}:
            raise ValueError(f"fields must be {[f.name for f in self.fields]}, not {list(beats)}")
        columns = [_bits(field, np.asarray(beats[field.name])) for field in self.fields]
        packed = np.packbits(np.concatenate(columns, axis=1), axis=1, bitorder="little")
        return [int.from_bytes(row.tobytes(), "little") for row in packed]

    def unpack(self, values: Sequence[int]) -> Beats:
        """The arrays that `pack` made these integers from."""
        size = (self.bits + 7) // 8
        raw = np.frombuffer(b"".join(v.to_bytes(size, "little") for v in values), np.uint8)
        bits = np.unpackbits(raw.reshape(len(values), size), axis=1, bitorder="little")
        beats: Beats = {}
        at = 0
        for field in self.fields:
            part = bits[:, at : at + field.bits].reshape(len(values), field.count, field.width)
            weights = np.int64(1) << np.arange(field.width, dtype=np.int64)
            if field.signed:
                weights[-1] = -weights[-1] if field.width < 64 else np.int64(-(2**63))
            numbers = (part * weights).sum(axis=2)
            beats[field.name] = numbers[:, 0] if field.scalar else numbers
            at += field.bits
        return beats


def _field(name: str, shape: ShapeLike) -> Field:
    if isinstance(shape, data.ArrayLayout):
        element = Shape.cast(shape.elem_shape)
        return Field(name, element.width, element.signed, shape.length, scalar=False)
    element = Shape.cast(shape)
    return Field(name, element.width, element.signed, 1, scalar=True)


def _bits(field: Field, values: Ints) -> Ints:
    """[beats, bits of the field] of 0 and 1."""
    if values.dtype.kind not in "iub":
        raise ValueError(f"field {field.name!r} must hold integers, not {values.dtype}")
    wanted = (len(values),) if field.scalar else (len(values), field.count)
    if values.shape != wanted:
        raise ValueError(f"field {field.name!r} must have the shape {wanted}, not {values.shape}")
    numbers = values.astype(np.int64).reshape(len(values), field.count)
    low = -(1 << field.width - 1) if field.signed else 0
    high = (1 << field.width - field.signed) - 1
    if numbers.size and (numbers.min() < low or numbers.max() > high):
        worst = numbers.min() if numbers.min() < low else numbers.max()
        raise ValueError(f"field {field.name!r} must be in {low}..{high}, not {worst}")
    bits = (numbers[:, :, None] >> np.arange(field.width)) & 1
    return bits.reshape(len(numbers), field.bits).astype(np.uint8)
