"""DINOv2's own files, with registers or from a training that kept its blocks in chunks.

Its other files have timm's names, see `timm`. Source: github.com/facebookresearch/dinov2,
dinov2/models/vision_transformer.py.
"""

from __future__ import annotations

from intarsia.model.checkpoints.layouts.layout import Layout
from intarsia.model.checkpoints.layouts.timm import DINOV2, SIGNS, SWIGLU

LAYOUT = Layout(
    name="DINOv2",
    network="vit",
    signs=SIGNS,
    required=DINOV2,
    renames=(
        (r"register_tokens", "reg_token"),
        # Chunks number their blocks on: blocks.1.6 is block 6.
        (r"blocks\.\d+\.(\d+\..+)", r"blocks.\1"),
    ),
    refused=(SWIGLU,),
    unused=r"mask_token$",
    normalization="deit",
)
