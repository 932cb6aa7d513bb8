"""Formal proofs about the RTL, by Yosys' SymbiYosys and Yices: what docs/formal.md lists.

`proof` runs one, `prove` names them all. The other modules hold the properties by subject, one class
each, whose docstring says what is proven and how. What is proven of one unit stands beside its bench, in
`sim.units`. `python -m intarsia.sim.formal` proves everything.
"""
