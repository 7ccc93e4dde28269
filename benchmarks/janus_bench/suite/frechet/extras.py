"""Inception Score and CLIPScore through torchmetrics, without a claim that they equal anybody's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from janus_bench.clip import Clip
from janus_bench.features.interface import FeatureExtractor
from janus_bench.features.pictures import BATCH
from janus_bench.opening import open_rgb
from janus_core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

SPLITS = 10


def inception_score(pictures: Mapping[str, Path], network: FeatureExtractor, seed: int) -> tuple[float, float]:
    """Mean and standard deviation over ten splits, which ``seed`` draws.

    Raises:
        UserError: the network gives no logits, or there are fewer than ten pictures.
    """
    import torch

    metrics = _torchmetrics("torchmetrics.image.inception")
    logits = getattr(network, "logits", None)
    if logits is None or len(pictures) < SPLITS:
        few = f"{len(pictures)} pictures are fewer than {SPLITS}"
        what = f"{network.id} gives no logits" if logits is None else few
        raise UserError(f"no Inception Score: {what}", "extractor=inception-2015 with pytorch-fid's weights")
    metric = metrics.InceptionScore(feature=torch.nn.Identity(), splits=SPLITS)
    paths = list(pictures.values())
    for start in range(0, len(paths), BATCH):
        metric.update(torch.from_numpy(logits([open_rgb(path) for path in paths[start : start + BATCH]])))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def clip_scores(pictures: Mapping[str, Path], prompts: Mapping[str, str], clip: Clip) -> dict[str, float]:
    """100 times the cosine of each picture and its prompt, by name; torchmetrics clamps their mean at 0.

    Raises:
        UserError: a picture has no prompt.
    """
    import numpy as np
    import torch

    metrics = _torchmetrics("torchmetrics.multimodal.clip_score")
    without = [name for name in pictures if name not in prompts]
    if without:
        raise UserError(f"no CLIPScore: there is no prompt for {without[0]}", "give the prompts, or drop clip_score")
    metric = metrics.CLIPScore(model_name_or_path=lambda: (_Model(clip), _Processor(clip)))
    found = {}
    for name, path in pictures.items():
        pixels = torch.from_numpy(np.array(open_rgb(path))).permute(2, 0, 1)
        metric.reset()
        metric.update(pixels, prompts[name])
        found[name] = float(metric.score)
    return found


def _torchmetrics(module: str) -> Any:
    """Imported only here: it needs a torchvision that fits torch, and FID must do without."""
    try:
        return import_module(module)
    except (ImportError, RuntimeError) as error:
        raise UserError(
            f"torchmetrics cannot be imported: {error}", "install torch and torchvision as a pair"
        ) from None


class _Processor:
    """What torchmetrics asks of a processor of transformers."""

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    def __call__(self, text: list[str] | None = None, images: list[Tensor] | None = None, **_: object) -> Any:
        import torch
        from PIL import Image

        if images is not None:
            pictures = [Image.fromarray(each.permute(1, 2, 0).numpy()) for each in images]
            return {"pixel_values": torch.stack([self.clip.transform(each) for each in pictures])}
        ids = self.clip.tokens(text)
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class _Model:
    """What torchmetrics asks of a CLIP of transformers."""

    config = SimpleNamespace()

    def __init__(self, clip: Clip) -> None:
        self.clip = clip

    def to(self, device: object) -> _Model:
        return self

    def get_image_features(self, pixels: Tensor) -> Tensor:
        import torch

        with torch.inference_mode():
            found: Tensor = self.clip.model.encode_image(pixels.to(self.clip.device)).cpu()
        return found

    def get_text_features(self, ids: Tensor, mask: Tensor) -> Tensor:
        import torch

        with torch.inference_mode():
            found: Tensor = self.clip.model.encode_text(ids.to(self.clip.device)).cpu()
        return found
