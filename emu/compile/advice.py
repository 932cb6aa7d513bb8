"""What to set where a machine has no room for a network: keys and the least values that suffice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from intarsia.arch.machine import KEYS, Machine
from intarsia.model.errors import InputError

RANGES = {key: (field, allowed) for key, field, allowed in KEYS if allowed is not None}
SCRATCHPAD = ("scratchpad.banks", "scratchpad.bank_kib")
"""Either makes the scratchpad larger."""


@dataclass(frozen=True)
class Need:
    """`key` must be at least `value`, whatever the plan; `problem` says so, and for what."""

    key: str
    value: int
    problem: str


def largest(needs: Iterable[Need], machine: Machine) -> list[Need]:
    """Of those that the machine does not meet, the largest per key."""
    found: dict[str, Need] = {}
    for need in needs:
        if need.value > max(_value(machine, need.key), found[need.key].value if need.key in found else 0):
            found[need.key] = need
    return list(found.values())


def refusal(
    machine: Machine, needs: Sequence[Need], problem: str, fits: Callable[[Machine], bool]
) -> InputError:
    """What does not fit, and what to set so that it does.

    needs: that the machine does not meet;  problem: of the scratchpad, if that is too small by itself;
    fits: whether a network finds room in the scratchpad of a machine that meets them.
    """
    problems = [f"{need.problem}, not {_value(machine, need.key)}" for need in needs]
    problems += [problem] * bool(problem)
    settings, better = [], machine
    for need in needs:
        allowed = RANGES[need.key][1]
        value = allowed.at_least(need.value)
        if value is None:
            return InputError(f"{need.problem}, not at most {allowed.high}")
        better = _changed(better, need.key, value)
        settings.append(_setting(machine, need.key, value))
    if not fits(better):
        choices = [(key, _least(better, key, fits)) for key in SCRATCHPAD]
        words = [_setting(machine, key, value) for key, value in choices if value is not None]
        if not words:
            banks, bank_kib = (RANGES[key][1].high for key in SCRATCHPAD)
            most = replace(better, banks=banks, bank_kib=bank_kib)
            if not fits(most):
                return InputError(f"{'; '.join(problems)}: no scratchpad that can be described holds it")
            value = _least(replace(better, bank_kib=most.bank_kib), SCRATCHPAD[0], fits)
            assert value is not None
            words = [f"{SCRATCHPAD[1]} to {most.bank_kib} and {_setting(machine, SCRATCHPAD[0], value)}"]
        settings.append(" or ".join(words))
    return InputError(f"{'; '.join(problems)}: set {' and '.join(settings)}")


def _least(machine: Machine, key: str, fits: Callable[[Machine], bool]) -> int | None:
    """The least value of a key above the machine's with which it fits; None if none does."""
    allowed = RANGES[key][1]

    def enough(value: int) -> bool:
        return fits(_changed(machine, key, value))

    low, high = _value(machine, key), allowed.high
    step = 1
    while low + step < high and not enough(low + step):
        low, step = low + step, 2 * step
    high = min(low + step, high)
    if high == low or not enough(high):
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _changed(machine: Machine, key: str, value: int) -> Machine:
    changes: dict[str, Any] = {RANGES[key][0]: value}
    return replace(machine, **changes)


def _value(machine: Machine, key: str) -> int:
    return int(getattr(machine, RANGES[key][0]))


def _setting(machine: Machine, key: str, value: int) -> str:
    return f"{key} to at least {value} (it is {_value(machine, key)})"
