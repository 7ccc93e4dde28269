"""Train the quickstart's text tokenizer: a byte-level BPE in which every word of the scenes is one token."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from janus_core.text.tokenizer import train_byte_bpe
from janus_openmoji_scenes.options import SceneOptions
from janus_openmoji_scenes.source import OpenMojiScenes

OUT = Path(__file__).resolve().parent.parent / "recipes" / "quickstart" / "text_tokenizer.json"
SIZE = 1024
"""An upper bound: training ends when no pair of tokens is left to join."""


def texts() -> Iterator[str]:
    """What samples of every task say, as the chat template will say it."""
    for task in ("text", "understanding"):
        source = OpenMojiScenes(SceneOptions(task=task, ask="both", questions_per_scene=5))  # type: ignore[arg-type]
        for index in range(2000):
            for message in source[index].messages:
                yield " ".join(part for part in message.parts if isinstance(part, str))
    yield from ["User: ", "\n\nAssistant:"] * 1000


if __name__ == "__main__":
    tokenizer = train_byte_bpe((text for said in texts() for text in (said, f" {said}")), SIZE)
    tokenizer.save(str(OUT))
    print(f"{OUT}: {tokenizer.get_vocab_size()} ids")
