"""The functional half of the emulator: runs a program on memory images, exact to the bit."""

from intarsia.emu.execute.memory import MachineError, Memories, unwritten
from intarsia.emu.execute.queues import OnProbe, execute, run

__all__ = ["MachineError", "Memories", "OnProbe", "execute", "run", "unwritten"]
