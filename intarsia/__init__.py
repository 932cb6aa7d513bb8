"""Intarsia: integer-only vision transformers from PyTorch to silicon.

The sub-packages are links to the folders of the same names beside this one.
"""

__version__ = "0.2.0"
