"""How good the tests of `tests/hw` are: mutants of components that have no bench in cocotb.

The tests run as they are, in Amaranth's simulator; in place of the component stands its netlist with all
mutants, compiled. A mutant is killed if an assertion of a test fails.
"""
