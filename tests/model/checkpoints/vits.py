"""Small ViTs by timm's names, and the same by the names that other libraries give them."""

from __future__ import annotations

import torch

D, LAYERS, PATCH, CLASSES = 8, 2, 4, 3


def linear(name, inputs, outputs, bias=True):
    return {f"{name}.weight": (outputs, inputs)} | ({f"{name}.bias": (outputs,)} if bias else {})


def norm(name, width=D):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def shapes(
    *,
    layers=LAYERS,
    patches=9,
    registers=0,
    distilled=False,
    scale=False,
    bias=True,
    position=True,
    head=True,
):
    """Names and shapes of a timm VisionTransformer."""
    tokens = 1 + distilled if position else 0
    found = {"cls_token": (1, 1, D), "pos_embed": (1, tokens + patches, D)}
    if distilled:
        found["dist_token"] = (1, 1, D)
    if registers:
        found["reg_token"] = (1, registers, D)
    found |= {"patch_embed.proj.weight": (D, 3, PATCH, PATCH), "patch_embed.proj.bias": (D,)}
    for i in range(layers):
        found |= norm(f"blocks.{i}.norm1") | linear(f"blocks.{i}.attn.qkv", D, 3 * D, bias)
        found |= linear(f"blocks.{i}.attn.proj", D, D) | norm(f"blocks.{i}.norm2")
        found |= linear(f"blocks.{i}.mlp.fc1", D, 4 * D) | linear(f"blocks.{i}.mlp.fc2", 4 * D, D)
        if scale:
            found |= {f"blocks.{i}.ls1.gamma": (D,), f"blocks.{i}.ls2.gamma": (D,)}
    found |= norm("norm")
    if head:
        found |= linear("head", D, CLASSES)
        if distilled:
            found |= linear("head_dist", D, CLASSES)
    return found


def filled(shapes, seed=4, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator).to(dtype) for name, shape in shapes.items()}


def vit(seed=4, dtype=torch.float32, **kinds):
    return filled(shapes(**kinds), seed, dtype)


def as_torchvision(state):
    """torchvision.models.VisionTransformer."""
    found = {
        "class_token": state["cls_token"],
        "conv_proj.weight": state["patch_embed.proj.weight"],
        "conv_proj.bias": state["patch_embed.proj.bias"],
        "encoder.pos_embedding": state["pos_embed"],
    }
    for i in range(LAYERS):
        theirs, ours = f"encoder.layers.encoder_layer_{i}", f"blocks.{i}"
        for part in ("weight", "bias"):
            found[f"{theirs}.ln_1.{part}"] = state[f"{ours}.norm1.{part}"]
            found[f"{theirs}.self_attention.in_proj_{part}"] = state[f"{ours}.attn.qkv.{part}"]
            found[f"{theirs}.self_attention.out_proj.{part}"] = state[f"{ours}.attn.proj.{part}"]
            found[f"{theirs}.ln_2.{part}"] = state[f"{ours}.norm2.{part}"]
            found[f"{theirs}.mlp.0.{part}"] = state[f"{ours}.mlp.fc1.{part}"]
            found[f"{theirs}.mlp.3.{part}"] = state[f"{ours}.mlp.fc2.{part}"]
    for part in ("weight", "bias"):
        found[f"encoder.ln.{part}"] = state[f"norm.{part}"]
        found[f"heads.head.{part}"] = state[f"head.{part}"]
    return found


_FOUR = {
    "query": "attention.attention.query", "key": "attention.attention.key",
    "value": "attention.attention.value", "proj": "attention.output.dense",
    "fc1": "intermediate.dense", "fc2": "output.dense",
}  # fmt: skip
_FIVE = {
    "query": "attention.q_proj", "key": "attention.k_proj", "value": "attention.v_proj",
    "proj": "attention.o_proj", "fc1": "mlp.fc1", "fc2": "mlp.fc2",
}  # fmt: skip


def as_huggingface(state, network="vit", version=4):
    """ViTForImageClassification and its kin, as transformers 4 and 5 name their parameters.

    network: "vit", "deit" (distilled), "dinov2" (LayerScale), or "" for the bare ViTModel.
    """
    dino = network.startswith("dinov2")
    names = dict(_FOUR if version == 4 else _FIVE)
    if dino:
        names |= {"fc1": "mlp.fc1", "fc2": "mlp.fc2"}
    before = f"{network}." if network else ""
    found = {
        f"{before}embeddings.cls_token": state["cls_token"],
        f"{before}embeddings.position_embeddings": state["pos_embed"],
    }
    if "dist_token" in state:
        found[f"{before}embeddings.distillation_token"] = state["dist_token"]
    if "reg_token" in state:
        found[f"{before}embeddings.register_tokens"] = state["reg_token"]
    for part in ("weight", "bias"):
        found[f"{before}embeddings.patch_embeddings.projection.{part}"] = state[f"patch_embed.proj.{part}"]
        found[f"{before}layernorm.{part}"] = state[f"norm.{part}"]
        if network and "head_dist.weight" in state:
            found[f"cls_classifier.{part}"] = state[f"head.{part}"]
            found[f"distillation_classifier.{part}"] = state[f"head_dist.{part}"]
        elif network and "head.weight" in state:
            found[f"classifier.{part}"] = state[f"head.{part}"]
    norms = ("norm1", "norm2") if dino else ("layernorm_before", "layernorm_after")
    for i in range(LAYERS):
        theirs = f"{before}{'encoder.layer' if version == 4 or dino else 'layers'}.{i}"
        for part in ("weight", "bias"):
            if f"blocks.{i}.attn.qkv.{part}" in state:
                apart = state[f"blocks.{i}.attn.qkv.{part}"].chunk(3)
                for name, rows in zip(("query", "key", "value"), apart, strict=True):
                    found[f"{theirs}.{names[name]}.{part}"] = rows.clone()
            for j in (1, 2):
                found[f"{theirs}.{norms[j - 1]}.{part}"] = state[f"blocks.{i}.norm{j}.{part}"]
            found[f"{theirs}.{names['proj']}.{part}"] = state[f"blocks.{i}.attn.proj.{part}"]
            found[f"{theirs}.{names['fc1']}.{part}"] = state[f"blocks.{i}.mlp.fc1.{part}"]
            found[f"{theirs}.{names['fc2']}.{part}"] = state[f"blocks.{i}.mlp.fc2.{part}"]
        for j in (1, 2):
            if f"blocks.{i}.ls{j}.gamma" in state:
                found[f"{theirs}.layer_scale{j}.lambda1"] = state[f"blocks.{i}.ls{j}.gamma"]
    return found


def as_dinov2(state, chunks=False):
    """DINOv2's own names; `chunks` as its training keeps its blocks, one in a chunk."""
    found = {"mask_token": torch.zeros(1, D)}
    for name, value in state.items():
        number = name.split(".")[1] if name.startswith("blocks.") else ""
        if number and chunks:
            name = name.replace(f"blocks.{number}.", f"blocks.{number}.{number}.", 1)
        found["register_tokens" if name == "reg_token" else name] = value
    return found


def forward(state, picture, heads=2, eps=1e-6):
    """Tokens after the last LayerNorm, from timm's formulas: LayerScale, registers and all."""

    def affine(x, name):
        bias = state.get(f"{name}.bias")
        return x @ state[f"{name}.weight"].T + (0 if bias is None else bias)

    def normalize(x, name):
        centred = x - x.mean(-1, keepdim=True)
        deviation = (centred.square().mean(-1, keepdim=True) + eps).sqrt()
        return centred / deviation * state[f"{name}.weight"] + state[f"{name}.bias"]

    patch = state["patch_embed.proj.weight"].shape[-1]
    kernel = state["patch_embed.proj.weight"].flatten(1)
    x = torch.nn.functional.unfold(picture, patch, stride=patch).transpose(1, 2) @ kernel.T
    x = x + state["patch_embed.proj.bias"]
    tokens = [state[name] for name in ("cls_token", "dist_token") if name in state]
    count, position = len(tokens), state["pos_embed"]
    registers = [state["reg_token"]] if "reg_token" in state else []
    patches, rows = x.shape[1], position.shape[1]
    x = x + position[:, rows - patches :]
    front = torch.cat(tokens, dim=1)
    if rows >= patches + count:
        front = front + position[:, :count]
    if registers and rows > patches + count:
        registers = [registers[0] + position[:, count : rows - patches]]
    x = torch.cat([part.expand(len(x), -1, -1) for part in (front, *registers)] + [x], dim=1)
    layers = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("blocks."))
    for i in range(layers):
        block = f"blocks.{i}"
        q, k, v = affine(normalize(x, f"{block}.norm1"), f"{block}.attn.qkv").chunk(3, dim=-1)
        mixed = [
            ((a @ b.transpose(1, 2)) * a.shape[-1] ** -0.5).softmax(-1) @ c
            for a, b, c in zip(*(t.chunk(heads, dim=-1) for t in (q, k, v)), strict=True)
        ]
        x = x + affine(torch.cat(mixed, dim=-1), f"{block}.attn.proj") * state.get(f"{block}.ls1.gamma", 1)
        hidden = torch.nn.functional.gelu(affine(normalize(x, f"{block}.norm2"), f"{block}.mlp.fc1"))
        x = x + affine(hidden, f"{block}.mlp.fc2") * state.get(f"{block}.ls2.gamma", 1)
    return normalize(x, "norm")
