"""timm's VisionTransformer, and what has its names: DeiT, DeiT III, DINO, MAE, MoCo v3.

Source: github.com/huggingface/pytorch-image-models, timm/models/vision_transformer.py and deit.py;
github.com/facebookresearch/mae, models_mae.py (decoder and mask_token).
"""

from __future__ import annotations

from intarsia.model.checkpoints.layouts.layout import Layout

SIGNS = (
    r"patch_embed\.proj\.",
    r"blocks\.(\d+\.){1,2}(norm1|norm2|attn|mlp)\.",
    r"(cls_token|pos_embed|reg_token|register_tokens)$",
)
"""Of timm's names, which DINOv2 has too."""

SWIGLU = (r"blocks\.(\d+\.){1,2}mlp\.(w12|w3|fc1_[gx])\.", "an MLP that is SwiGLU")

DINOV2 = r"register_tokens$|blocks\.\d+\.\d+\."
"""Names of DINOv2's own files that timm has not."""

LAYOUT = Layout(
    name="timm's ViT",
    network="vit",
    signs=SIGNS,
    absent=DINOV2,
    refused=(SWIGLU,),
    unused=r"mask_token$|decoder_|decoder\.",
    proofs=(
        (r"dist_token$", "deit", "DeiT"),
        (r"decoder_embed\.", "deit", "MAE"),
        (r"mask_token$", "deit", "DINOv2 or MAE"),
    ),
)
