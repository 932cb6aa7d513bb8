"""Whether the pieces of accesses have bytes in common, exactly."""

from __future__ import annotations

import numpy as np

from intarsia.arch.access import Access


def repeated(access: Access) -> int | None:
    """The first byte that two pieces of an access share; None where none is."""
    inner = access.count1 == 1 or access.stride1 >= access.size
    extent = (access.count1 - 1) * access.stride1 + access.size
    if inner and (access.count2 == 1 or access.stride2 >= extent):
        return None
    starts = np.sort(access.starts())
    close = np.flatnonzero(np.diff(starts) < access.size)
    return int(starts[close[0] + 1]) if close.size else None


def meeting(one: Access, other: Access) -> int | None:
    """The first byte that two accesses to one memory share; None where none is."""
    if one.high <= other.low or other.high <= one.low:
        return None
    first, second = np.sort(one.starts()), np.sort(other.starts())
    # Of every piece of the first: those of the second that begin before its end and end behind its start.
    low = np.searchsorted(second, first - other.size, side="right")
    high = np.searchsorted(second, first + one.size, side="left")
    hits = np.flatnonzero(low < high)
    if not hits.size:
        return None
    return int(np.maximum(first[hits], second[low[hits]]).min())
