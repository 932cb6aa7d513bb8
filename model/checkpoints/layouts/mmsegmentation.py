"""mmsegmentation's Segmenter, with the mask transformer or with one linear layer.

The mask transformer's last two matrices are linear layers there (x W^T) and right factors in the
published code (x P): they are transposed. Source: github.com/open-mmlab/mmsegmentation,
mmseg/models/backbones/vit.py, mmseg/models/decode_heads/{segmenter_mask_head,fcn_head}.py, and
configs/segmenter, which give attention heads of 64 channels and mean and deviation 127.5.
"""

from __future__ import annotations

from pathlib import Path

from intarsia.model.checkpoints.layouts.layout import Layout
from intarsia.model.checkpoints.tensors import State, checked

_PARTS = (
    (r"ln([12])\.", r"norm\3."),
    (r"attn\.attn\.in_proj_()", "attn.qkv."),
    (r"attn\.attn\.out_proj\.()", "attn.proj."),
    (r"ffn\.layers\.0\.0\.()", "mlp.fc1."),
    (r"ffn\.layers\.1\.()", "mlp.fc2."),
)

_HEAD = "decode_head.conv_seg"

_MASK = "decoder.cls_emb"


def _converted(state: State, source: Path) -> State:
    """Transposes the two right factors; the last convolution is a linear decoder where it is the only one,
    and a leftover of the base class where there is a mask transformer."""
    found: State = {}
    for name, value in state.items():
        if name in ("decoder.proj_patch", "decoder.proj_classes"):
            matrix = checked(name, value, source)
            value = matrix.T.contiguous() if matrix.ndim == 2 else matrix
        elif name.startswith(f"{_HEAD}.") and _MASK in state:
            continue
        elif name.startswith(f"{_HEAD}."):
            kernel = checked(name, value, source)
            name = name.replace(_HEAD, "decoder.head")
            value = kernel[:, :, 0, 0] if kernel.shape[2:] == (1, 1) else kernel
        found[name] = value
    return found


def _blocks(theirs: str, ours: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (rf"({theirs})\.layers\.(\d+)\.{pattern}(weight|bias)", rf"{ours}.blocks.\2.{name}\4")
        for pattern, name in _PARTS
    )


LAYOUT = Layout(
    name="mmsegmentation's Segmenter",
    network="segmenter",
    signs=(
        r"backbone\.layers\.\d+\.(ln1|attn\.attn|ffn)\b",
        r"decode_head\.(cls_emb$|classes_proj\.|patch_proj\.|dec_proj\.|conv_seg\.)",
    ),
    absent=r"decode_head\.(?!(cls_emb|classes_proj|patch_proj|dec_proj|conv_seg|layers|decoder_norm|mask_norm)\b)",
    renames=(
        *_blocks("backbone", "encoder"),
        *_blocks("decode_head", "decoder"),
        (r"backbone\.patch_embed\.projection\.(.+)", r"encoder.patch_embed.proj.\1"),
        (r"backbone\.ln1\.(.+)", r"encoder.norm.\1"),
        (r"backbone\.(cls_token|pos_embed)", r"encoder.\1"),
        (r"decode_head\.dec_proj\.(.+)", r"decoder.proj_dec.\1"),
        (r"decode_head\.patch_proj\.weight", "decoder.proj_patch"),
        (r"decode_head\.classes_proj\.weight", "decoder.proj_classes"),
        (r"decode_head\.(cls_emb|decoder_norm\..+|mask_norm\..+)", r"decoder.\1"),
    ),
    unused=r"auxiliary_head\.",
    convert=_converted,
    normalization="vit",
    head_width=64,
)
