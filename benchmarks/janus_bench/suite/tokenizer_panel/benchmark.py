"""The benchmark ``tokenizer_panel``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from PIL.Image import Image
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

from janus_bench.features.distance import frechet_of
from janus_bench.features.extractors import extractor
from janus_bench.opening import open_rgb
from janus_bench.suite.folders import picture_files
from janus_bench.suite.tokenizer_panel.options import TokenizerPanelOptions
from janus_bench.suite.tokenizer_panel.spec import SPEC
from janus_core.errors import UserError
from janus_core.inference.session import Session, to_image
from janus_core.interfaces import BenchmarkWork, BuildContext, CodeLayout, GenerationTokenizer, device_of
from janus_core.scores import Score, ScoreCard, ScoredItem

BATCH = 8
RANGE = 2.0
"""Largest less smallest value of a pixel: pictures are in [-1, 1]."""
PERFECT = 100.0
"""PSNR in dB that an exact picture is given, so that a mean stays finite."""
MEANS = {"PSNR (dB)": "psnr", "SSIM": "ssim"}
PREPARATION = "clean"
"""How clean-fid prepares pictures: its rFID is the one that the LlamaGen and VQGAN papers of late print."""


class TokenizerPanel:
    """Encodes and decodes every picture once."""

    def __init__(self, options: TokenizerPanelOptions) -> None:
        self.options = options

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Reconstruct the pictures of ``work.data``; a stopped run begins anew."""
        session = cast(Session, work.session)
        layout = session.built.model.code_layout
        if layout is None:
            raise UserError("this model has no generation tokenizer", "measure a model that draws")
        if work.data is None:
            raise UserError("this benchmark needs pictures", f"give --data DIR: {SPEC.data}")
        files = picture_files(work.data)[: work.limit]
        counts = [torch.zeros(size, dtype=torch.int64) for size in layout.codebooks]
        card = ScoreCard(SPEC.name, f"{SPEC.name}@{work.protocol}", SPEC.protocols[0].version, [])
        before: list[Image] = []
        after: list[Image] = []
        for start in work.progress(range(0, len(files), BATCH), "reconstructing"):
            part = files[start : start + BATCH]
            pixels, drawn, codes = _reconstructed(session, [open_rgb(path) for path in part], layout)
            names = [path.relative_to(work.data).as_posix() for path in part]
            card.items += _items(names, pixels, drawn)
            for number, count in enumerate(counts):
                count += torch.bincount(codes[..., number].flatten(), minlength=len(count))
            if self.options.extractor is not None:
                before += [to_image(one) for one in pixels]
                after += [to_image(one) for one in drawn]
        values = self.aggregate(work.protocol, card.items)
        card.scores = [Score(name, values[name], len(files), unit="points", task="generation") for name in MEANS]
        card.scores += self._distance(before, after, device_of(session.built.model), card)
        card.scores += _use(counts, len(files))
        card.details["codes"] = {"positions": layout.positions, "codebooks": list(layout.codebooks)}
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The means over pictures; distances and the use of codes belong to the whole set and are left out."""
        return {
            name: sum(item.facts[key] for item in items) / len(items) if items else math.nan
            for name, key in MEANS.items()
        }

    def _distance(
        self, before: Sequence[Image], after: Sequence[Image], device: torch.device, card: ScoreCard
    ) -> list[Score]:
        if self.options.extractor is None:
            return []
        network = extractor(self.options.extractor, PREPARATION, self.options.weights, str(device))
        if len(before) < 2:
            raise UserError(f"rFID needs two pictures or more, not {len(before)}", "give more pictures")
        if len(before) <= network.width:
            card.warnings.append(
                f"rFID of {len(before)} pictures and {network.width} features is biased upwards: compare equal sets"
            )
        card.stand_in = network.stand_in
        card.settings |= {"extractor": network.id, "preprocess": network.preprocess, "weights": network.weights}
        value = frechet_of(network(before), network(after))
        return [Score(f"rFID[{network.id}]", value, len(before), unit="distance", task="generation")]


@torch.inference_mode()
def _reconstructed(session: Session, images: Sequence[Image], layout: CodeLayout) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels as prepared and as decoded, [B, 3, H, W] in [-1, 1] on the host; codes int64 [B, N, C]."""
    transform, model = session.built.target_transform, session.built.model
    assert transform is not None
    pixels: Any = transform.collate([transform(image) for image in images])
    codes = model.encode_pixels(pixels.to(device_of(model)))
    drawn = cast(GenerationTokenizer, model.generation_tokenizer).decode(codes, layout)
    return pixels.float().cpu(), drawn.float().clamp(-1, 1).cpu(), codes.cpu()


def _items(names: Sequence[str], pixels: Tensor, drawn: Tensor) -> list[ScoredItem]:
    """torchmetrics' PSNR and SSIM (11 x 11 Gaussian) of each picture."""
    ratio = peak_signal_noise_ratio(drawn, pixels, data_range=RANGE, dim=(1, 2, 3), reduction="none")
    likeness = structural_similarity_index_measure(drawn, pixels, data_range=RANGE, reduction="none")
    assert isinstance(likeness, Tensor)
    found = []
    for name, one, other in zip(names, ratio.clamp(max=PERFECT).tolist(), likeness.tolist(), strict=True):
        found.append(ScoredItem(name, name, None, facts={"psnr": one, "ssim": other}))
    return found


def _use(counts: Sequence[Tensor], pictures: int) -> list[Score]:
    """The share of the codes that occur and exp of their entropy, means over the codebooks."""
    used = [float((count > 0).double().mean()) for count in counts]
    perplexities = []
    for count in counts:
        shares = count[count > 0].double() / count.sum()
        perplexities.append(math.exp(float(-(shares * shares.log()).sum())))
    total = len(counts)
    return [
        Score("codebook usage", sum(used) / total, pictures, task="generation"),
        Score("codebook perplexity", sum(perplexities) / total, pictures, unit="points", task="generation"),
    ]


def build(options: TokenizerPanelOptions, context: BuildContext) -> TokenizerPanel:
    """The benchmark."""
    return TokenizerPanel(options)
