"""Foreign values in messages: short, and without what a terminal would obey."""

from __future__ import annotations

from reprlib import Repr


class _Short(Repr):
    """Of integers with more digits than Python writes, how many bits they have."""

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > MAX_BITS:
            return f"an integer of {x.bit_length()} bits"
        return super().repr_int(x, level)


MAX_BITS = 10_000
"""Of an integer that is written in digits."""

MAX_SHORTENED = 200
"""Characters of a value in a message: one that holds many others is cut, however short each of them is."""

_SHORT = _Short()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60
_SHORT.maxlist = _SHORT.maxdict = _SHORT.maxtuple = _SHORT.maxset = 6
_SHORT.maxlevel = 2


def printable(text: str) -> str:
    """`text` with escapes in the place of control characters and of lone surrogates."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def shortened(value: object) -> str:
    """The beginning and the end of what `repr` says of a value."""
    text = printable(_SHORT.repr(value))
    if len(text) <= MAX_SHORTENED:
        return text
    half = (MAX_SHORTENED - 3) // 2
    return f"{text[:half]}...{text[-half:]}"


def one_line(error: BaseException) -> str:
    """What an error of another library says, in one line of at most 300 characters."""
    return printable(" ".join(str(error).split())[:300]) or type(error).__name__
