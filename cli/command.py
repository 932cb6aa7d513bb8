"""Commands that take every option once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand

from intarsia.model.errors import InputError


class Command(TyperCommand):
    """A command that refuses an option with one value that is given twice: the first would be ignored."""

    def make_parser(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        parser = super().make_parser(ctx)
        options = (*parser._long_opt.items(), *parser._short_opt.items())
        for option, name in {option: name for name, option in options}.items():
            if option.action == "store":
                vars(option)["process"] = _once(option.process, name)
        return parser


def _once(process: Callable[[Any, Any], None], name: str) -> Callable[[Any, Any], None]:
    given: list[Any] = []

    def checked(value: Any, state: Any) -> None:
        given.append(value)
        if len(given) > 1:
            raise InputError(f"{name} must be given once, not as {given[0]!r} and as {given[1]!r}")
        process(value, state)

    return checked
