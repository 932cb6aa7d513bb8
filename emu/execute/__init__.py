"""The functional half of the emulator: runs a program on memory images, exact to the bit."""

from emu.execute.memory import POISON, MachineError
from emu.execute.queues import OnProbe, execute

__all__ = ["POISON", "MachineError", "OnProbe", "execute"]
