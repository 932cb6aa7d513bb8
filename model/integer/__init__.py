"""The integer reference: arithmetic, operators, graph, executor, artifact. Nothing here is a float."""
