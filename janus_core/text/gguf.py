"""The text tokenizer inside a GGUF file, where it is a byte-level BPE (``tokenizer.ggml.model`` is ``gpt2``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from janus_core.errors import UserError

SUFFIX = ".gguf"
SPLITS: dict[str, list[pre_tokenizers.PreTokenizer]] = {
    "gpt-2": [],
    "smollm": [pre_tokenizers.Digits(individual_digits=True)],
}
"""llama.cpp's names (``tokenizer.ggml.pre``) of rules, and what each splits off before GPT-2's own rule."""

CONTROL, USER_DEFINED = 3, 4
"""Values of ``tokenizer.ggml.token_type`` (gguf.TokenType)."""

REMEDY = (
    "give a tokenizer.json; transformers writes one: AutoTokenizer.from_pretrained(FOLDER, gguf_file=NAME)"
    ".save_pretrained(OUT)"
)


def read_gguf_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a GGUF file, its control tokens as special tokens.

    Raises:
        UserError: the library ``gguf`` is not installed, or the file's tokenizer is of another kind.
        ValueError: the file is no GGUF file.
    """
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise UserError(f"{path} needs the library gguf, which is not installed", "pip install gguf") from error
    fields = GGUFReader(path).fields

    def value(name: str, otherwise: Any) -> Any:
        return fields[key].contents() if (key := f"tokenizer.ggml.{name}") in fields else otherwise

    model, split = value("model", "none"), value("pre", "none")
    if model != "gpt2" or split not in SPLITS:
        raise UserError(
            f"{path} has a text tokenizer of the kind {model}, {split}; allowed: gpt2 with {' or '.join(SPLITS)}",
            REMEDY,
        )
    tokens: list[str] = value("tokens", [])
    merges = [tuple(merge.split(" ")) for merge in value("merges", [])]
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*SPLITS[split], byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    kinds = value("token_type", [1] * len(tokens))
    for kind, special in ((CONTROL, True), (USER_DEFINED, False)):
        whole = [token for token, its in zip(tokens, kinds, strict=True) if its == kind]
        added = [AddedToken(token, special=special, normalized=False) for token in whole]
        (tokenizer.add_special_tokens if special else tokenizer.add_tokens)(added)
    return tokenizer
