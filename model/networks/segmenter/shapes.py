"""Shapes of a Segmenter's FP32 parameters."""

from __future__ import annotations

from intarsia.model.networks.segmenter.config import SegmenterConfig
from intarsia.model.networks.shapes import Shapes, blocks, encoder, linear, norm


def shapes(config: SegmenterConfig) -> Shapes:
    """By the keys of the walk, see `model.networks.shapes`."""
    found, embed = encoder(config, "encoder."), config.embed
    if config.decoder == "linear":
        return found | linear("decoder.head", config.classes, embed)
    found |= linear("decoder.proj_dec", embed, embed) | norm("decoder.decoder_norm", embed)
    found["decoder.cls_emb"] = config.classes, embed
    for key in ("decoder.proj_patch", "decoder.proj_classes"):
        found |= linear(key, embed, embed, bias=False)
    found |= norm("decoder.mask_norm", config.classes)
    return found | blocks(config, "decoder.blocks", config.decoder_layers)
