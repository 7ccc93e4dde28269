"""Text <-> ids, with the special tokens that mark turns and the places of other modalities."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from janus_core.errors import UserError
from janus_core.text.gguf import SUFFIX, read_gguf_tokenizer

BYTES = "bytes"


class SpecialTokens(BaseModel):
    """Names of the special tokens, by default those of Janus; ``{modality}`` stands for ``image``, ``audio`` ..."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bos: str = Field(default="<｜begin▁of▁sentence｜>", description="first token of every sample")
    eos: str = Field(default="<｜end▁of▁sentence｜>", description="ends what the assistant says")
    pad: str = Field(default="<｜▁pad▁｜>", description="stands for a dropped condition in classifier-free guidance")
    begin: str = Field(default="<begin_of_{modality}>", description="before the tokens or codes of a modality")
    end: str = Field(default="<end_of_{modality}>", description="after the tokens of a modality")
    placeholder: str = Field(default="<{modality}_placeholder>", description="stands for the tokens of one input")


class TextTokenizer:
    """A `tokenizers.Tokenizer` with its special tokens; ids are read from the file, never assumed.

    Args:
        tokenizer: the tokenizer; tokens that it lacks are added at its end.
        special: names of the special tokens.
        modalities: modalities that get a begin, an end and a placeholder token.
    """

    def __init__(self, tokenizer: Tokenizer, special: SpecialTokens, modalities: Iterable[str]) -> None:
        self._tokenizer, self.special = tokenizer, special
        names = [special.bos, special.eos, special.pad]
        for modality in sorted({"image", *modalities}):
            names += [text.format(modality=modality) for text in (special.begin, special.end, special.placeholder)]
        # normalized=False: a normalizer must not change the text in which these tokens are looked for.
        tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
        self._control = frozenset(names)
        self.bos, self.eos, self.pad = (self.id(name) for name in names[:3])

    @classmethod
    def load(cls, source: str | Path, special: SpecialTokens, modalities: Iterable[str]) -> TextTokenizer:
        """Read a ``tokenizer.json`` or a GGUF file, or build the byte tokenizer for the word ``bytes``.

        Raises:
            UserError: the file is missing or is no tokenizer.
        """
        if str(source) == BYTES:
            return cls(byte_tokenizer(), special, modalities)
        path = Path(source)
        if not path.is_file():
            raise UserError(f"text tokenizer {path} does not exist", f"give a tokenizer.json, or write '{BYTES}'")
        try:
            found = read_gguf_tokenizer(path) if path.suffix == SUFFIX else Tokenizer.from_file(str(path))
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"text tokenizer {path} cannot be read: {error}", "give a tokenizer.json") from error
        return cls(found, special, modalities)

    def __len__(self) -> int:
        """Number of ids, special tokens included."""
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    def id(self, token: str) -> int:
        """The id of one token; `KeyError` if there is none."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise KeyError(token)
        return found

    def begin(self, modality: str) -> int:
        return self.id(self.special.begin.format(modality=modality))

    def end(self, modality: str) -> int:
        return self.id(self.special.end.format(modality=modality))

    def control_token_in(self, text: str) -> str | None:
        """The first special token spelled out in a user's text, which would be read as a command, or None."""
        return next((name for name in sorted(self._control) if name in text), None)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, special tokens spelled in it recognised, none added."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ids, special tokens left out."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)

    def save(self, path: Path) -> None:
        self._tokenizer.save(str(path))


def byte_tokenizer() -> Tokenizer:
    """One id a byte, for tests and tiny runs: no vocabulary file."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    return _byte_level(Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(alphabet)}, merges=[])))


def train_byte_bpe(texts: Iterable[str], size: int, phrases: Sequence[str] = ()) -> Tokenizer:
    """A byte-level BPE of at most ``size`` ids, trained on the texts.

    Args:
        phrases: groups of words that may become one token; other tokens end with their word.
    """
    tokenizer = _byte_level(Tokenizer(models.BPE()), phrases)
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _byte_level(tokenizer: Tokenizer, phrases: Sequence[str] = ()) -> Tokenizer:
    words: pre_tokenizers.PreTokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if phrases:
        together = Regex(" ?(?:" + "|".join(map(re.escape, phrases)) + r")| ?\w+| ?[^\s\w]+|\s+")
        split = pre_tokenizers.Split(together, behavior="isolated")
        words = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer
