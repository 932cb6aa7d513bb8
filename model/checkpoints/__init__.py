"""Checkpoints as people have them: any file, folder or set of shards to one state dict of known names.

`load.open_checkpoint` is the way in. It finds the files (`places`), reads them (`reader`, `shards`), finds
the state dict inside (`nesting`, `prefixes`), and translates its names by the one of `layouts` that
recognizes them. Nothing in a file is executed.
"""
