"""The command line `intarsia`: one file per command, each a thin layer over a package."""

__version__ = "0.1.0"
