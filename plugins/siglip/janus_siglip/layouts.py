"""How the encoder's keys are named in published checkpoints; ours are timm's names under ``trunk.``."""

from __future__ import annotations

from janus_core.hookspecs import Layout, Rename, Split

DEEPEST = 40
"""Blocks of the deepest published SigLIP (ViT-gopt-16-SigLIP2), Janus' has 24; rules for absent blocks do nothing."""

TOP = ("pos_embed", "patch_embed", "blocks", "norm", "attn_pool")
"""The first parts of timm's names."""


def timm() -> Layout:
    """timm's files; DeepSeek's Janus has the same under ``vision_model.vision_tower.``, attention pool too."""
    return Layout(rules=tuple(Rename(f"trunk.{part}", part) for part in TOP))


def open_clip() -> Layout:
    """A full open_clip model: the tower is ``visual.``, everything else is the text tower's."""
    return Layout(
        rules=(Rename("trunk", "visual.trunk"),),
        ignored=("text", "logit_scale", "logit_bias", "visual.head"),
    )


def huggingface(depth: int = DEEPEST, output: str = "out_proj") -> Layout:
    """The SigLIP vision tower of Hugging Face transformers.

    Its fused attention pool has other parts than timm's (q with k and v in one tensor), and features never need it:
    ours is carried, theirs ignored.

    Args:
        depth: blocks to name.
        output: name of the attention's output projection: ``out_proj`` in ``SiglipVisionModel``,
            ``projection_layer`` in the Janus port (``JanusVisionModel``), which has no attention pool at all.
    """
    rules: list[Rename | Split] = [
        Rename("trunk.pos_embed", "embeddings.position_embedding.weight", shape="squeeze"),
        Rename("trunk.patch_embed.proj", "embeddings.patch_embedding"),
        Rename("trunk.norm", "post_layernorm"),
    ]
    for index in range(depth):
        ours, theirs = f"trunk.blocks.{index}", f"encoder.layers.{index}"
        rules += [
            Rename(f"{ours}.norm1", f"{theirs}.layer_norm1"),
            Rename(f"{ours}.norm2", f"{theirs}.layer_norm2"),
            Rename(f"{ours}.attn.proj", f"{theirs}.self_attn.{output}"),
            Rename(f"{ours}.mlp", f"{theirs}.mlp"),
        ]
        rules += [
            Split(f"{ours}.attn.qkv.{part}", tuple(f"{theirs}.self_attn.{name}_proj.{part}" for name in "qkv"))
            for part in ("weight", "bias")
        ]
    return Layout(rules=tuple(rules), carried=("trunk.attn_pool",), ignored=("head",), prefixes=("vision_model.",))


LAYOUTS = {
    "timm": timm(),
    "open_clip": open_clip(),
    "deepseek": timm(),
    "huggingface": huggingface(),
    "huggingface_janus": huggingface(output="projection_layer"),
}
