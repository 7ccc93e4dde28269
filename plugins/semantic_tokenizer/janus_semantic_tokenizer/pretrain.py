"""Train the semantic tokenizer: LlamaGen's losses, and the likeness of its semantic tokens to a teacher's features."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from janus_conv_vq.pretrain import VQPretraining
from janus_conv_vq.quantize import Quantized, precise
from janus_core.interfaces import BuildContext, CodeLayout
from janus_open_clip.tower import VisionTower, build_options_trunk
from janus_open_clip.weights import load_weights
from janus_semantic_tokenizer.model import SemanticTokenizer
from janus_semantic_tokenizer.options import SemanticLosses, TeacherOptions

CUSTOM_BASE = "vit_large_patch16_siglip_384"
"""The timm model that custom sizes of a teacher vary: Janus' own."""


class SemanticPretraining(VQPretraining):
    """A semantic tokenizer with a teacher, and a small head that maps its tokens to the teacher's width.

    The head (linear, tanh, linear) is that of BEiT v2 (arXiv:2208.06366, ``modeling_vqkd.py``); Janus does not say how
    it bridges 768 and 1024. It is thrown away afterwards: the language model sees the tokens before it.
    """

    def __init__(self, tokenizer: SemanticTokenizer, options: SemanticLosses, context: BuildContext) -> None:
        super().__init__(tokenizer, options, context)
        self.understand = tokenizer.understand
        self.teacher = self.head = None
        if options.teacher is None:
            return
        layout = tokenizer.layout(context.image_size)
        with torch.random.fork_rng(devices=[]):  # the head's first weights do not depend on the teacher's depth
            self.teacher = build_teacher(options.teacher, context, layout)
        width = tokenizer.semantic_width
        self.head = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, self.teacher.width))
        if options.teacher.weights == "none":
            self.notes += ("the teacher is RANDOM: losses.teacher.weights is none",)

    def train(self, mode: bool = True) -> Self:
        """The teacher stays in eval mode."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def generator(self) -> list[nn.Module]:
        """The tokenizer and the head."""
        return [*super().generator(), *([self.head] if self.head is not None else [])]

    def terms(self, pixels: Tensor, drawn: Tensor, quantized: Quantized) -> dict[str, Tensor]:
        """Those of the pixels, and ``semantic``: the mean over the tokens of 1 - cosine similarity, from 0 to 2."""
        found = super().terms(pixels, drawn, quantized)
        if self.teacher is None or self.head is None:
            return found
        with torch.no_grad():
            targets = self.teacher(pixels).tokens
        guessed = self.head(self.understand(quantized.vectors))
        likeness = F.cosine_similarity(precise(guessed), precise(targets), dim=-1)
        return {**found, "semantic": 1 - likeness.mean()}


def build_teacher(options: TeacherOptions, context: BuildContext, layout: CodeLayout) -> VisionTower:
    """The frozen teacher: its last block's tokens after the final norm, as Janus' understanding encoder gives them.

    Raises:
        ValueError: it has another grid than the tokenizer's codes, takes pictures of another size, or its weights do
            not fit.
    """
    tower = options.tower()
    sizes = tower.architecture()
    if (sizes.grid, sizes.grid) != layout.grid or sizes.image_size != context.image_size:
        rows, columns = layout.grid or (layout.positions, 1)
        raise ValueError(
            f"the teacher takes pictures of {sizes.image_size} pixels and gives {sizes.grid} x {sizes.grid} tokens, "
            f"but for image_size {context.image_size} the tokenizer has {rows} x {columns} codes: each code needs a "
            f"target; set image_size to {sizes.image_size} and take a teacher with patches of "
            f"{context.image_size // rows} pixels"
        )
    trunk = build_options_trunk(tower, CUSTOM_BASE)
    load_weights(trunk, tower, context.folder)
    return VisionTower(trunk).requires_grad_(False).eval()


def begin(tokenizer: SemanticTokenizer, losses: SemanticLosses, context: BuildContext) -> SemanticPretraining:
    """What trains the semantic tokenizer alone; `ValueError` if the teacher does not fit."""
    return SemanticPretraining(tokenizer, losses, context)
