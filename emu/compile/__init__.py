"""The compiler: integer graph and machine to a program, and the memory images around it."""

from intarsia.emu.compile.network import Compiler, compile_graph, labels_of, memory_image, outputs_of

__all__ = ["Compiler", "compile_graph", "labels_of", "memory_image", "outputs_of"]
