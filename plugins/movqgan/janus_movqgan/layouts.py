"""The formats in which MoVQGAN is stored. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator

from janus_core.hookspecs import Layout, Rename

DEEPEST = 16
"""More residual blocks a level than any model has; a rule for a block that is not there does nothing."""


def layouts(levels: int) -> dict[str, Layout]:
    """The formats of a tokenizer with this many levels (the published ones have 4).

    ``movqgan``: our names, the published ones, beside EMA copies. ``diffusers``: ``VQModel(norm_type="spatial")``.
    """
    return {
        "movqgan": Layout(ignored=("loss", "ema_"), prefixes=("state_dict.", "model.")),
        "diffusers": Layout(rules=(*_half("encoder", levels), *_half("decoder", levels))),
    }


def _half(half: str, levels: int) -> Iterator[Rename]:
    down = half == "encoder"
    norm = "group_norm" if down else "spatial_norm"
    yield Rename(f"{half}.norm_out", f"{half}.conv_norm_out")
    yield from _attention(f"{half}.mid.attn_1", f"{half}.mid_block.attentions.0", norm)
    yield Rename(f"{half}.mid.block_1", f"{half}.mid_block.resnets.0")
    yield Rename(f"{half}.mid.block_2", f"{half}.mid_block.resnets.1")
    for level in range(levels):
        ours = f"{half}.{'down' if down else 'up'}.{level}"
        theirs = f"encoder.down_blocks.{level}" if down else f"decoder.up_blocks.{levels - 1 - level}"
        resample = ("downsample", "downsamplers") if down else ("upsample", "upsamplers")
        yield Rename(f"{ours}.{resample[0]}", f"{theirs}.{resample[1]}.0")
        for block in range(DEEPEST):
            yield Rename(f"{ours}.block.{block}", f"{theirs}.resnets.{block}")
            yield Rename(f"{ours}.block.{block}.nin_shortcut", f"{theirs}.resnets.{block}.conv_shortcut")
            if level == levels - 1:
                yield from _attention(f"{ours}.attn.{block}", f"{theirs}.attentions.{block}", norm)


def _attention(ours: str, theirs: str, norm: str) -> Iterator[Rename]:
    yield Rename(f"{ours}.norm", f"{theirs}.{norm}")
    for part in "qkv":
        yield Rename(f"{ours}.{part}", f"{theirs}.to_{part}", shape="linear")
    yield Rename(f"{ours}.proj_out", f"{theirs}.to_out.0", shape="linear")
