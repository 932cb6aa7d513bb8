"""Hugging Face's ViT, DeiT, DINOv2 (also with registers) and ViTMAE, of transformers 4 and 5.

Source: github.com/huggingface/transformers, models/{vit,deit,dinov2,dinov2_with_registers,vit_mae}.
"""

from __future__ import annotations

from intarsia.model.checkpoints.layouts.joined import join_qkv
from intarsia.model.checkpoints.layouts.layout import Layout

_NETWORK = r"(?:(?:vit|deit|dinov2|dinov2_with_registers)\.)?"
"""Before the names, where a file holds a head too."""

_BLOCK = _NETWORK + r"(?:encoder\.layer|layers|encoder\.layers)\.(\d+)\."

_PARTS = (
    (r"attention\.(?:attention\.)?(?:query|q_proj)\.", "attn.q."),
    (r"attention\.(?:attention\.)?(?:key|k_proj)\.", "attn.k."),
    (r"attention\.(?:attention\.)?(?:value|v_proj)\.", "attn.v."),
    (r"attention\.(?:output\.dense|o_proj)\.", "attn.proj."),
    (r"(?:layernorm_before|norm1)\.", "norm1."),
    (r"(?:layernorm_after|norm2)\.", "norm2."),
    (r"(?:intermediate\.dense|mlp\.fc1)\.", "mlp.fc1."),
    (r"(?:output\.dense|mlp\.fc2)\.", "mlp.fc2."),
)

LAYOUT = Layout(
    name="Hugging Face's ViT",
    network="vit",
    signs=(
        _NETWORK + r"embeddings\.(cls_token|position_embeddings)$",
        _NETWORK + r"embeddings\.patch_embeddings\.projection\.",
        _BLOCK + r"(attention|layernorm_before|norm1|intermediate|output|mlp)\.",
    ),
    renames=(
        (_NETWORK + r"embeddings\.cls_token", "cls_token"),
        (_NETWORK + r"embeddings\.distillation_token", "dist_token"),
        (_NETWORK + r"embeddings\.register_tokens", "reg_token"),
        (_NETWORK + r"embeddings\.mask_token", "mask_token"),
        (_NETWORK + r"embeddings\.position_embeddings", "pos_embed"),
        (_NETWORK + r"embeddings\.patch_embeddings\.projection\.(.+)", r"patch_embed.proj.\1"),
        *((_BLOCK + pattern + "(weight|bias)", rf"blocks.\1.{name}\2") for pattern, name in _PARTS),
        (_BLOCK + r"layer_scale(\d)\.lambda1", r"blocks.\1.ls\2.gamma"),
        (_NETWORK + r"layernorm\.(weight|bias)", r"norm.\1"),
        (_NETWORK + r"pooler\.(.+)", r"pooler.\1"),
        (r"(?:cls_)?classifier\.(weight|bias)", r"head.\1"),
        (r"distillation_classifier\.(weight|bias)", r"head_dist.\1"),
    ),
    refused=((_BLOCK + r"mlp\.(weights_in|weights_out|gate_proj|up_proj)\.", "an MLP that is SwiGLU"),),
    unused=r"mask_token$|pooler\.|decoder\.",
    convert=join_qkv,
    proofs=(
        (r"(deit\.)?embeddings\.distillation_token$", "deit", "DeiT"),
        (r"decoder\.decoder_embed\.", "deit", "MAE"),
        (r"dinov2\w*\.|" + _BLOCK + r"layer_scale1\.", "deit", "DINOv2"),
    ),
)
