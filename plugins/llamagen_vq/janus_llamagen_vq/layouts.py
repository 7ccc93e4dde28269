"""The formats in which VQ-16 and VQ-8 are stored. Imports no torch."""

from __future__ import annotations

from janus_core.hookspecs import Layout, Rename

CARRIED = ("quantize.codebook_used",)
MIDDLE = ("block_1", "attn_1", "block_2")


def layouts(levels: int) -> dict[str, Layout]:
    """The formats of a tokenizer with this many levels (VQ-16 has 5, VQ-8 has 4).

    ``deepseek``: our names, those of LlamaGen and Janus. ``huggingface``: transformers' JanusVQVAE, which numbers the
    decoder's levels as we do, in order of execution. ``taming``: VQGAN's modules, which number them by resolution.
    """
    encoder = tuple(Rename(f"encoder.conv_blocks.{i}.res", f"encoder.down.{i}.block") for i in range(levels))
    middle = tuple(
        Rename(f"{half}.mid.{i}", f"{half}.mid.{name}")
        for half in ("encoder", "decoder")
        for i, name in enumerate(MIDDLE)
    )
    shared = (Rename("encoder.conv_blocks", "encoder.down"), *encoder, *middle)

    def decoder(numbers: range) -> tuple[Rename, ...]:
        places = [(f"decoder.conv_blocks.{i}", f"decoder.up.{number}") for i, number in enumerate(numbers)]
        return tuple(
            rule for ours, theirs in places for rule in (Rename(ours, theirs), Rename(f"{ours}.res", f"{theirs}.block"))
        )

    return {
        "deepseek": Layout(),
        "huggingface": Layout(rules=(*shared, *decoder(range(levels))), carried=CARRIED),
        "taming": Layout(
            rules=(*shared, *decoder(range(levels - 1, -1, -1))),
            carried=CARRIED,
            ignored=("loss",),
            prefixes=("state_dict.", "model."),
        ),
    }
