"""Components that are one module in Verilog however often they are used: Amaranth sees them once."""

from __future__ import annotations

import re
from typing import Any

from amaranth.back import rtlil
from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal
from amaranth.lib import wiring

PORT = re.compile(r"^  wire width \d+ (input|output) \d+ +(?:signed )?\\(\S+)$", re.M)


class Part(wiring.Component):
    """A component that may be used hundreds of times.

    `body` says what it is made of. In simulation that is all; where `Parts` is the platform, each use
    becomes an instance of a module that is converted once. Parts of one `module_name` must be alike, and
    clock enables or resets that an inserter adds do not reach into them.
    """

    @property
    def module_name(self) -> str:
        """Of the class and its parameters."""
        raise NotImplementedError

    def body(self) -> Module:
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Module | Instance:
        if isinstance(platform, Parts) and not platform.converts(self):
            return platform.instance(self)
        return self.body()


class Parts:
    """The platform of a conversion that keeps parts as modules of their own.

    Parameters
    ----------
    top, name : what is converted; the names of its modules begin with its own

    netlists : RTLIL by name of the module, as far as parts have been used
    """

    def __init__(self, top: wiring.Component, name: str) -> None:
        self.netlists: dict[str, str] = {}
        self._ports: dict[str, list[tuple[str, str]]] = {}
        self.name, self._whole = name, top

    def converts(self, part: Part) -> bool:
        """Whether it is this very part that is being converted."""
        return part is self._whole

    def instance(self, part: Part) -> Instance:
        """The part as an instance of its module."""
        name = f"{self.name}.{part.module_name}"
        if name not in self.netlists:
            self._whole = part
            text = rtlil.convert(part, name=name, platform=self, emit_src=False)
            self.netlists[name] = text.replace("attribute \\top 1\n", "")
            self._ports[name] = PORT.findall(text)
        signals: dict[str, Any] = {"clk": ClockSignal(), "rst": ResetSignal()}
        for path, _, value in part.signature.flatten(part):
            signals["__".join(map(str, path))] = value
        return Instance(name, *((way[0], port, signals[port]) for way, port in self._ports[name]))
