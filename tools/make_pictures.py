"""Write the pictures of `pictures/`: generated scenes that no training run has seen.

.venv/bin/python tools/make_pictures.py
"""

from pathlib import Path

from intarsia.model.data.images import write_png
from intarsia.model.data.scenes import SIZE, generate

PICTURES = {"street": (12, SIZE), "crossing": (27, SIZE), "avenue": (33, (256, 448))}
"""Name to seed and (height, width); the last is larger than the model's window."""

for name, (seed, size) in PICTURES.items():
    write_png(Path("pictures") / f"{name}.png", generate(seed, size).image)
