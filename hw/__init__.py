"""The accelerator in Amaranth: arithmetic units with streams, proven against `model.integer.arithmetic`."""
