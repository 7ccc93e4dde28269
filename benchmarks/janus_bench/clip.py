"""CLIP from a file of weights, through open_clip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from janus_bench.weights import fingerprint
from janus_core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image
    from torch import Tensor


class Clip:
    """Pictures and sentences in one space.

    Args:
        name: open_clip's name of the model; those of OpenAI have QuickGELU (``ViT-L-14-quickgelu``).
        weights: its file, as open_clip loads it.
        device: where it runs.

    Raises:
        UserError: open_clip cannot load them.
    """

    def __init__(self, name: str, weights: Path, device: str = "cpu") -> None:
        import torch

        self.id = f"{name}-{fingerprint(weights)}"
        self.device = torch.device(device)
        try:
            import open_clip

            made = open_clip.create_model_and_transforms(name, pretrained=str(weights), device=self.device)
            self.tokens = open_clip.get_tokenizer(name)
        except (ImportError, RuntimeError, KeyError, ValueError) as error:
            raise UserError(f"CLIP {name} with {weights} cannot be loaded: {error}", "check name and weights") from None
        self.model, self.transform = made[0].eval(), made[2]

    def pictures(self, images: Sequence[Image]) -> Tensor:
        """Unit vectors [N, width]."""
        import torch

        with torch.inference_mode():
            pixels = torch.stack([self.transform(image) for image in images]).to(self.device)
            found: Tensor = self.model.encode_image(pixels, normalize=True)
        return found

    def sentences(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors [N, width]; long texts are cut off, as the tokenizer does."""
        import torch

        with torch.inference_mode():
            found: Tensor = self.model.encode_text(self.tokens(list(texts)).to(self.device), normalize=True)
        return found
