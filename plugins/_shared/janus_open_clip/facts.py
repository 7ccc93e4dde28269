"""What is known of open_clip's SigLIP and EVA-CLIP models, as data: sizes per model, preprocessing per (model, tag).

open_clip holds the right preprocessing of a model in its checkpoint *tags* only: a model built without a tag, or from a
file, gets OpenAI-CLIP's mean and std, and SigLIP then computes on wrong pixels without a word. So this table is ours,
and a test compares every row with the installed open_clip (copied from open_clip 3.3.0 and timm 1.0.31).

Imports neither torch nor open_clip.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Resize = Literal["squash", "shortest", "pad"]
Interpolation = Literal["bicubic", "bilinear"]
Family = Literal["siglip", "eva"]
Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How pixels were prepared when a checkpoint was trained.

    Attributes:
        mean: per channel, subtracted from pixels in [0, 1].
        std: per channel, divides them.
        interpolation: kernel of the resize, always with antialiasing.
        resize: ``squash`` to the square, ``shortest`` side and centre crop, or ``pad`` (Janus).
    """

    mean: Triple
    std: Triple
    interpolation: Interpolation
    resize: Resize


@dataclass(frozen=True, slots=True)
class Architecture:
    """The sizes of a vision tower.

    Attributes:
        family: ``siglip`` (timm VisionTransformer, no class token) or ``eva`` (timm Eva, one class token).
        image_size: side of the input in pixels.
        patch_size: side of a patch in pixels; a rest of the image that fills no patch is not seen.
        width: of the feature tokens.
        depth: number of blocks.
    """

    family: Family
    image_size: int
    patch_size: int
    width: int
    depth: int

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.image_size // self.patch_size

    def num_tokens(self, pool: int = 1) -> int:
        """Patch tokens after average pooling by ``pool`` along each side."""
        return (self.grid // pool) ** 2


HALF = Preprocessing(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), interpolation="bicubic", resize="squash")
"""Every SigLIP and SigLIP 2 checkpoint."""

CLIP = Preprocessing(
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    interpolation="bicubic",
    resize="shortest",
)
"""OpenAI-CLIP's, which EVA-CLIP keeps."""

FAMILY_PREPROCESSING: dict[Family, Preprocessing] = {"siglip": HALF, "eva": CLIP}
"""For custom sizes, which have no tag."""

ARCHITECTURES: dict[str, Architecture] = {
    "EVA01-g-14": Architecture("eva", 224, 14, 1408, 40),
    "EVA01-g-14-plus": Architecture("eva", 224, 14, 1408, 40),
    "EVA02-B-16": Architecture("eva", 224, 16, 768, 12),
    "EVA02-E-14": Architecture("eva", 224, 14, 1792, 64),
    "EVA02-E-14-plus": Architecture("eva", 224, 14, 1792, 64),
    "EVA02-L-14": Architecture("eva", 224, 14, 1024, 24),
    "EVA02-L-14-336": Architecture("eva", 336, 14, 1024, 24),
    "ViT-B-16-SigLIP": Architecture("siglip", 224, 16, 768, 12),
    "ViT-B-16-SigLIP-256": Architecture("siglip", 256, 16, 768, 12),
    "ViT-B-16-SigLIP-384": Architecture("siglip", 384, 16, 768, 12),
    "ViT-B-16-SigLIP-512": Architecture("siglip", 512, 16, 768, 12),
    "ViT-B-16-SigLIP-i18n-256": Architecture("siglip", 256, 16, 768, 12),
    "ViT-B-16-SigLIP2": Architecture("siglip", 224, 16, 768, 12),
    "ViT-B-16-SigLIP2-256": Architecture("siglip", 256, 16, 768, 12),
    "ViT-B-16-SigLIP2-384": Architecture("siglip", 384, 16, 768, 12),
    "ViT-B-16-SigLIP2-512": Architecture("siglip", 512, 16, 768, 12),
    "ViT-B-32-SigLIP2-256": Architecture("siglip", 256, 32, 768, 12),
    "ViT-L-16-SigLIP-256": Architecture("siglip", 256, 16, 1024, 24),
    "ViT-L-16-SigLIP-384": Architecture("siglip", 384, 16, 1024, 24),
    "ViT-L-16-SigLIP2-256": Architecture("siglip", 256, 16, 1024, 24),
    "ViT-L-16-SigLIP2-384": Architecture("siglip", 384, 16, 1024, 24),
    "ViT-L-16-SigLIP2-512": Architecture("siglip", 512, 16, 1024, 24),
    "ViT-SO400M-14-SigLIP": Architecture("siglip", 224, 14, 1152, 27),
    "ViT-SO400M-14-SigLIP-378": Architecture("siglip", 378, 14, 1152, 27),
    "ViT-SO400M-14-SigLIP-384": Architecture("siglip", 384, 14, 1152, 27),
    "ViT-SO400M-14-SigLIP2": Architecture("siglip", 224, 14, 1152, 27),
    "ViT-SO400M-14-SigLIP2-378": Architecture("siglip", 378, 14, 1152, 27),
    "ViT-SO400M-16-SigLIP-i18n-256": Architecture("siglip", 256, 16, 1152, 27),
    "ViT-SO400M-16-SigLIP2-256": Architecture("siglip", 256, 16, 1152, 27),
    "ViT-SO400M-16-SigLIP2-384": Architecture("siglip", 384, 16, 1152, 27),
    "ViT-SO400M-16-SigLIP2-512": Architecture("siglip", 512, 16, 1152, 27),
    "ViT-gopt-16-SigLIP2-256": Architecture("siglip", 256, 16, 1536, 40),
    "ViT-gopt-16-SigLIP2-384": Architecture("siglip", 384, 16, 1536, 40),
    "nllb-clip-base-siglip": Architecture("siglip", 384, 16, 768, 12),
    "nllb-clip-large-siglip": Architecture("siglip", 384, 14, 1152, 27),
}
"""open_clip model name -> sizes."""

PREPROCESSING: dict[tuple[str, str], Preprocessing] = {
    ("EVA01-g-14", "laion400m_s11b_b41k"): CLIP,
    ("EVA01-g-14-plus", "merged2b_s11b_b114k"): CLIP,
    ("EVA02-B-16", "merged2b_s8b_b131k"): CLIP,
    ("EVA02-E-14", "laion2b_s4b_b115k"): CLIP,
    ("EVA02-E-14-plus", "laion2b_s9b_b144k"): CLIP,
    ("EVA02-L-14", "merged2b_s4b_b131k"): CLIP,
    ("EVA02-L-14-336", "merged2b_s6b_b61k"): CLIP,
    ("ViT-B-16-SigLIP", "webli"): HALF,
    ("ViT-B-16-SigLIP-256", "webli"): HALF,
    ("ViT-B-16-SigLIP-384", "webli"): HALF,
    ("ViT-B-16-SigLIP-512", "webli"): HALF,
    ("ViT-B-16-SigLIP-i18n-256", "webli"): HALF,
    ("ViT-B-16-SigLIP2", "webli"): HALF,
    ("ViT-B-16-SigLIP2-256", "webli"): HALF,
    ("ViT-B-16-SigLIP2-384", "webli"): HALF,
    ("ViT-B-16-SigLIP2-512", "webli"): HALF,
    ("ViT-B-32-SigLIP2-256", "webli"): HALF,
    ("ViT-L-16-SigLIP-256", "webli"): HALF,
    ("ViT-L-16-SigLIP-384", "webli"): HALF,
    ("ViT-L-16-SigLIP2-256", "webli"): HALF,
    ("ViT-L-16-SigLIP2-384", "webli"): HALF,
    ("ViT-L-16-SigLIP2-512", "webli"): HALF,
    ("ViT-SO400M-14-SigLIP", "webli"): HALF,
    ("ViT-SO400M-14-SigLIP-378", "webli"): HALF,
    ("ViT-SO400M-14-SigLIP-384", "webli"): HALF,
    ("ViT-SO400M-14-SigLIP2", "webli"): HALF,
    ("ViT-SO400M-14-SigLIP2-378", "webli"): HALF,
    ("ViT-SO400M-16-SigLIP-i18n-256", "webli"): HALF,
    ("ViT-SO400M-16-SigLIP2-256", "webli"): HALF,
    ("ViT-SO400M-16-SigLIP2-384", "webli"): HALF,
    ("ViT-SO400M-16-SigLIP2-512", "webli"): HALF,
    ("ViT-gopt-16-SigLIP2-256", "webli"): HALF,
    ("ViT-gopt-16-SigLIP2-384", "webli"): HALF,
    ("nllb-clip-base-siglip", "mrl"): HALF,
    ("nllb-clip-base-siglip", "v1"): HALF,
    ("nllb-clip-large-siglip", "mrl"): HALF,
    ("nllb-clip-large-siglip", "v1"): HALF,
}
"""(open_clip model name, checkpoint tag) -> preprocessing."""


def tags(model: str) -> tuple[str, ...]:
    """The checkpoint tags of a model."""
    return tuple(tag for name, tag in PREPROCESSING if name == model)


def nearest(name: str, allowed: Iterable[str]) -> str:
    """``name is not known; did you mean ...?`` with the allowed values."""
    names = sorted(allowed)
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.4)
    hint = f" Did you mean {lowered[close[0]]!r}?" if close else ""
    return f"{name!r} is not known.{hint} Allowed: {', '.join(names)}"


def architecture(model: str, family: Family) -> Architecture:
    """The sizes of an open_clip model of this family; `ValueError` with the nearest name if there is none."""
    found = ARCHITECTURES.get(model)
    if found is None or found.family != family:
        raise ValueError("model " + nearest(model, (n for n, a in ARCHITECTURES.items() if a.family == family)))
    return found


def preprocessing(model: str, tag: str) -> Preprocessing:
    """The preprocessing of a checkpoint; `ValueError` with the nearest tag if the model has no such tag."""
    found = PREPROCESSING.get((model, tag))
    if found is None:
        raise ValueError(f"tag of model {model!r}: " + nearest(tag, tags(model)))
    return found
