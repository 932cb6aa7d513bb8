"""Segmenter in PyTorch, its quantization, and the integer reference that everything else must equal."""
