"""Training the encoder alone, against captions, with SigLIP's pairwise sigmoid loss (arXiv:2303.15343, §3.2)."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.interfaces import BuildContext
from janus_siglip.model import SigLIPEncoder
from janus_siglip.options import SigLIPLosses

WORD = re.compile(r"\w+|[^\w\s]")
PAD, BEGIN, FIRST_WORD = 0, 1, 2


def word_ids(caption: str, vocabulary: int, length: int) -> list[int]:
    """A begin mark and one hashed id a word or sign, lower case, at most ``length`` ids.

    The hash is CRC-32, the same on every machine and in every run; two words share an id with probability
    1 / vocabulary.
    """
    words = [zlib.crc32(word.encode()) % (vocabulary - FIRST_WORD) for word in WORD.findall(caption.lower())]
    return [BEGIN, *(FIRST_WORD + word for word in words)][:length]


class TextTower(nn.Module):
    """Captions -> one vector each: a small bidirectional transformer over hashed words, mean of its tokens.

    It exists to teach the encoder and is thrown away afterwards, so it needs no tokenizer of its own.
    """

    def __init__(
        self,
        out_width: int,
        *,
        width: int = 128,
        depth: int = 2,
        heads: int = 4,
        vocabulary: int = 4096,
        length: int = 64,
    ) -> None:
        super().__init__()
        self.vocabulary, self.length = vocabulary, length
        self.words = nn.Embedding(vocabulary, width, padding_idx=PAD)
        self.positions = nn.Parameter(torch.randn(length, width) * 0.01)
        nn.init.normal_(self.words.weight, std=0.02)
        with torch.no_grad():
            self.words.weight[PAD].zero_()
        layer = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, out_width)

    def forward(self, captions: Sequence[str]) -> Tensor:
        """list of B captions -> [B, out_width]."""
        rows = [word_ids(caption, self.vocabulary, self.length) for caption in captions]
        longest = max(map(len, rows))
        ids = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows], device=self.positions.device)
        real = ids != PAD
        tokens = self.words(ids) + self.positions[:longest]
        tokens = self.norm(self.blocks(tokens, src_key_padding_mask=~real))
        weight = real.unsqueeze(-1).to(tokens.dtype)
        return self.out((tokens * weight).sum(1) / weight.sum(1))  # type: ignore[no-any-return]


def sigmoid_loss(images: Tensor, texts: Tensor, same: Tensor, scale: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of all pairs and the similarities.

    ``-sum over i, j of log sigmoid(z_ij (t x_i . y_j + b)) / B``; z_ij is 1 where text j is said of image i, else -1.

    Args:
        images: [B, C], unit length.
        texts: [T, C], unit length.
        same: bool [B, T].
        scale: t, a scalar.
        bias: b, a scalar.
    """
    logits = scale * images @ texts.T + bias
    signs = same.to(logits.dtype) * 2 - 1
    return -F.logsigmoid(signs * logits).sum() / len(images), logits


class SigLIPPretraining(nn.Module):
    """An encoder with all that its training needs beside it: pooling, a text tower, temperature t and bias b.

    Satisfies `janus_core.interfaces.Pretrainable`. Only ``encoder`` is worth saving afterwards.
    """

    def __init__(self, encoder: SigLIPEncoder, *, pooling: Literal["map", "mean"] = "map") -> None:
        """Wrap an encoder.

        Args:
            encoder: trained in place.
            pooling: ``map``, the tower's own attention pool (SigLIP's way), or ``mean`` of the patch tokens.
        """
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.text = TextTower(encoder.width)
        self.log_scale = nn.Parameter(torch.tensor(math.log(10.0)))
        self.bias = nn.Parameter(torch.tensor(-10.0))

    def optimizer_groups(self) -> list[dict[str, Any]]:
        """Matrices, which decay, and vectors and scalars, which do not."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [
            {"params": [parameter for parameter in parameters if parameter.ndim >= 2]},
            {"params": [parameter for parameter in parameters if parameter.ndim == 1], "weight_decay": 0.0},
            # Temperature and bias must travel far in a short training.
            {"params": [self.log_scale, self.bias], "weight_decay": 0.0, "factor": 10.0},
        ]

    def image_vectors(self, pixels: Tensor) -> Tensor:
        """[B, 3, S, S] -> [B, width], unit length; always from the last block, whatever layer the features are of."""
        trunk = self.encoder.trunk
        tokens: Tensor = trunk.forward_features(pixels.to(trunk.patch_embed.proj.weight.dtype))
        pooled = trunk.attn_pool(tokens) if self.pooling == "map" else tokens.mean(1)
        return F.normalize(pooled, dim=-1)

    def losses(self, batch: Mapping[str, Any], step: int) -> dict[str, Tensor]:
        """``loss``, and ``accuracy``: how often the text nearest to a picture in the batch is one of its own.

        ``batch`` holds ``inputs`` [B, 3, S, S] and ``captions``, B strings. Every line of a caption is a text of its
        own; a text that several pictures share is a positive of each.
        """
        captions: Sequence[str] = batch["captions"]
        pixels: Tensor = batch["inputs"]
        if len(captions) != len(pixels):
            raise ValueError(f"{len(pixels)} pictures but {len(captions)} captions in one batch")
        said = [set(caption.split("\n")) for caption in captions]
        words = list(dict.fromkeys(text for caption in captions for text in caption.split("\n")))
        images = self.image_vectors(pixels)
        texts = F.normalize(self.text(words), dim=-1)
        same = torch.tensor([[word in own for word in words] for own in said], device=pixels.device)
        loss, logits = sigmoid_loss(images, texts, same, self.log_scale.exp(), self.bias)
        nearest = logits.argmax(1, keepdim=True)
        return {"loss": loss, "accuracy": same.gather(1, nearest).float().mean()}


def begin(encoder: SigLIPEncoder, losses: SigLIPLosses, context: BuildContext) -> SigLIPPretraining:
    """What trains the encoder alone, against captions; its weights stay shared with the encoder's."""
    return SigLIPPretraining(encoder, pooling=losses.pooling)
