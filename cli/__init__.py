"""The command line `intarsia`: one file per command, each a thin layer over a package."""
