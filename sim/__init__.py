"""Benches that hold the RTL against the reference: cocotb on Verilator, vectors, formal, mutation."""
