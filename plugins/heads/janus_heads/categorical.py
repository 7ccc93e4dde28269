"""The generation head of Janus: a two-layer classifier over the codes of each codebook."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from janus_core.inference.sampling import choose_ids
from janus_core.interfaces import BuildContext, CodeLayout, GenerationHead, Noise, Sampling
from janus_heads.options import CategoricalOptions


def guide(logits: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance: [2P, K], conditional rows then free rows -> ``free + guidance * (conditional - free)``.

    With guidance 1 all rows are conditional and pass unchanged. `ValueError` if the rows cannot be halved.
    """
    if guidance == 1:
        return logits
    if len(logits) % 2:
        raise ValueError(
            f"guidance {guidance} needs the conditional rows and as many free rows after them, but got {len(logits)} "
            "rows: give both, or guidance 1"
        )
    conditional, free = logits.chunk(2)
    return free + guidance * (conditional - free)


class CategoricalHead(nn.Module):
    """Linear(H, E), exact GELU, Linear(E, K), named as ``vision_head`` of deepseek-ai/Janus.

    With C codebooks the last layer has K1 + … + KC outputs, one slice a codebook; the codebooks of a position are
    independent given the hidden state.
    """

    def __init__(self, width: int, inner_width: int, codebooks: tuple[int, ...]) -> None:
        super().__init__()
        self.codebooks = codebooks
        self.output_mlp_projector = nn.Linear(width, inner_width)
        self.vision_head = nn.Linear(inner_width, sum(codebooks))

    def logits(self, hidden: Tensor) -> Tensor:
        """[..., H] -> [..., K1 + … + KC]."""
        return self.vision_head(F.gelu(self.output_mlp_projector(hidden)))  # type: ignore[no-any-return]

    def loss(self, hidden: Tensor, codes: Tensor, layout: CodeLayout) -> tuple[Tensor, int]:
        """Cross-entropy in float32: summed over the M positions, averaged over the C codebooks.

        Args:
            hidden: [M, H], the states that predict the codes (the caller has shifted them).
            codes: int64 [M, C].
            layout: must have the codebooks that the head was built for.

        Returns:
            The sum, and M. M = 0 gives a sum of 0 that still has a gradient.
        """
        if layout.codebooks != self.codebooks or codes.shape != (len(hidden), len(self.codebooks)):
            raise ValueError(
                f"codes {tuple(codes.shape)} of codebooks {layout.codebooks} for {len(hidden)} states do not fit this "
                f"head: give [{len(hidden)}, {len(self.codebooks)}] of codebooks {self.codebooks}"
            )
        parts = torch.split(self.logits(hidden).float(), list(self.codebooks), dim=-1)
        losses = [F.cross_entropy(p, codes[:, c], reduction="sum") for c, p in enumerate(parts)]
        return torch.stack(losses).sum() / len(losses), len(hidden)

    def sample(self, hidden: Tensor, noise: Noise, sampling: Sampling) -> Tensor:
        """[P, H] (guidance 1) or [2P, H], conditional rows then free rows -> int64 [P, C].

        Exact sampling by Gumbel-max: top-k and top-p are applied to the logits divided by the temperature, then
        ``noise(codebook, size)`` is added and the largest taken. Temperature 0 draws no noise.
        """
        guided = guide(self.logits(hidden).float(), sampling.guidance)
        codes = []
        for codebook, logits in enumerate(torch.split(guided, list(self.codebooks), dim=-1)):
            drawn = noise(codebook, self.codebooks[codebook]) if sampling.temperature > 0 else None
            codes.append(choose_ids(logits, drawn, sampling))
        return torch.stack(codes, dim=-1)


def build(options: CategoricalOptions, context: BuildContext, *, width: int, layout: CodeLayout) -> GenerationHead:
    """A head for the codebooks of ``layout``; `ValueError` if the tokenizer's latents are continuous."""
    if layout.kind != "discrete" or not layout.codebooks:
        raise ValueError(
            f"the generation head categorical needs a tokenizer with codebooks, but this one's layout is {layout.kind} "
            f"with codebooks {layout.codebooks}: choose another tokenizer or another head"
        )
    return CategoricalHead(width, options.inner_width or width, layout.codebooks)
