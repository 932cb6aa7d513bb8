"""torchvision's VisionTransformer.

Source: github.com/pytorch/vision, torchvision/models/vision_transformer.py; its MLP was called linear_1 and
linear_2 before version 2 of the module.
"""

from __future__ import annotations

from intarsia.model.checkpoints.layouts.layout import Layout

_BLOCK = r"encoder\.layers\.encoder_layer_(\d+)\."

LAYOUT = Layout(
    name="torchvision's ViT",
    network="vit",
    signs=(r"class_token$", r"conv_proj\.", r"encoder\.pos_embedding$", _BLOCK),
    renames=(
        (r"class_token", "cls_token"),
        (r"encoder\.pos_embedding", "pos_embed"),
        (r"conv_proj\.(weight|bias)", r"patch_embed.proj.\1"),
        (_BLOCK + r"ln_([12])\.(.+)", r"blocks.\1.norm\2.\3"),
        (_BLOCK + r"self_attention\.in_proj_(weight|bias)", r"blocks.\1.attn.qkv.\2"),
        (_BLOCK + r"self_attention\.out_proj\.(.+)", r"blocks.\1.attn.proj.\2"),
        (_BLOCK + r"mlp\.(?:0|linear_1)\.(.+)", r"blocks.\1.mlp.fc1.\2"),
        (_BLOCK + r"mlp\.(?:3|linear_2)\.(.+)", r"blocks.\1.mlp.fc2.\2"),
        (r"encoder\.ln\.(.+)", r"norm.\1"),
        (r"heads\.pre_logits\.(.+)", r"pre_logits.\1"),
        (r"heads\.head\.(.+)", r"head.\1"),
    ),
    normalization="deit",
)
