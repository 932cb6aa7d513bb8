"""Bytes on the lanes of a port: the byte of address a is on lane a % lanes, whatever the port."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.utils import exact_log2

from intarsia.hw.interfaces.ports import LINE_BYTES, LINE_SHIFT

LINE = 8 * LINE_BYTES


def touched(address: Value, count: Value, lines: int) -> Value:
    """Per line from an address on, whether one of so many bytes, at least one, is in it."""
    end = address[:LINE_SHIFT] + count
    return Cat(Const(1, 1), *(end > k * LINE_BYTES for k in range(1, lines)))


def rotated(m: Module, word: Value, places: Value, *, unit: int = 8, alignment: int = 1) -> Value:
    """Lanes of `unit` bits, a power of two of them, moved up by so many places, modulo their number;
    places are a multiple of `alignment`."""
    lanes = len(word) // unit
    for k in range(exact_log2(alignment), min(exact_log2(lanes), len(places))):
        stage = Signal(len(word))
        m.d.comb += stage.eq(Mux(places[k], word.rotate_left(unit << k), word))
        word = stage
    return word


def lane_address(address: Value, lane: int, lanes: int) -> Value:
    """The address of the byte on a lane, of `lanes` bytes from `address` on, in as many bits."""
    low = exact_log2(lanes)
    wraps: Any = lane < address[:low]
    above = (address[low:] + wraps)[: len(address) - low]
    return Cat(Const(lane, low), above) if low else address


def folded(m: Module, word: Value, address: Value, lanes: int) -> Value:
    """Of the lanes of a wider port, those that a port of `lanes` shows for an address."""
    wide = len(word) // 8
    while wide > lanes:
        wide //= 2
        half = Signal(8 * wide)
        for lane in range(wide):
            high = lane_address(address[: exact_log2(wide) + 1], lane, wide)[-1]
            m.d.comb += half.word_select(lane, 8).eq(
                Mux(high, word.word_select(wide + lane, 8), word.word_select(lane, 8))
            )
        word = half
    return word


def spread(m: Module, mask: Value, address: Value, lanes: int) -> Value:
    """By lane of a wider port, whether it holds one of a port's lanes of the mask, from an address on."""
    narrow = len(mask)
    if narrow == lanes:
        return mask
    chosen = Signal(lanes)
    low, bits = exact_log2(narrow), exact_log2(lanes)
    for lane in range(narrow):
        group = lane_address(address[:bits], lane, narrow)[low:]
        for k in range(lanes // narrow):
            m.d.comb += chosen[k * narrow + lane].eq(mask[lane] & (group == k))
    return chosen


def row_of(line: Value, column: int, columns: int) -> Value:
    """Of lines from `line` on that stand in turn in `columns` memories: the row of the one that stands in
    this memory."""
    return (line + (columns - 1 - column)) >> exact_log2(columns)


def in_column(line: Value, enable: Value, column: int, columns: int) -> Value:
    """Whether that line is one of those that are enabled, of `len(enable)` lines from `line` on."""
    bits = exact_log2(columns)
    place = (column - line[:bits])[:bits]
    return Cat(enable, Const(0, columns - len(enable))).bit_select(place, 1) if bits else enable[0]
