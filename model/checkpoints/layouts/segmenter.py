"""The published Segmenter. Source: github.com/rstrudel/segmenter, segm/model/{segmenter,vit,decoder}.py."""

from __future__ import annotations

from intarsia.model.checkpoints.layouts.layout import Layout

LAYOUT = Layout(
    name="the published Segmenter",
    network="segmenter",
    required=r"decoder\.",  # an encoder alone, with this beginning, is a ViT
    signs=(
        r"encoder\.(patch_embed\.proj\.|cls_token$|pos_embed$)",
        r"encoder\.blocks\.\d+\.(norm1|norm2|attn|mlp)\.",
        r"decoder\.(cls_emb$|proj_dec\.|blocks\.\d+\.(norm1|attn|mlp)\.|mask_norm\.|head\.)",
    ),
)
