"""``inception-2015``: FID's network with its published weights.

Two files are read: pytorch-fid's port (pt_inception-2015-12-05-6726825d.pth) into our network, and the TorchScript that
clean-fid uses (inception-2015-12-05.pt), which brings its own.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from janus_bench.features.inception_network import WIDTH, Inception
from janus_bench.features.preprocess import resized, scaled
from janus_bench.weights import fingerprint
from janus_core.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

SIDE = 299


class InceptionFeatures:
    """``inception-2015``: the features of FID.

    Args:
        weights: one of the two files.
        preparation: see `janus_bench.features.preprocess`.
        device: where it runs.

    Raises:
        UserError: the file is neither.
    """

    id = "inception-2015"
    width = WIDTH
    stand_in = ""

    def __init__(self, weights: Path, preparation: str, device: str = "cpu") -> None:
        self.preparation, self.preprocess = preparation, f"{preparation}-{SIDE}"
        self.weights = fingerprint(weights)
        self.device = torch.device(device)
        if _is_script(weights):
            self.network: Any = torch.jit.load(weights, map_location=self.device).eval().layers  # type: ignore[no-untyped-call]
        else:
            self.network = _load(weights).to(self.device).eval()

    def __call__(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """Features [N, 2048]."""
        return self._numbers(self._features(images))

    def logits(self, images: Sequence[Image]) -> NDArray[np.float64]:
        """What the Inception Score is computed from, [N, 1008]: logits without bias, as torch-fidelity has them.

        Raises:
            UserError: the weights are clean-fid's TorchScript, whose last layer is not reached.
        """
        if not isinstance(self.network, Inception):
            raise UserError("the Inception Score needs pytorch-fid's weights", "pt_inception-2015-12-05-6726825d.pth")
        return self._numbers(self._features(images) @ self.network.fc.weight.detach().T)

    def _features(self, images: Sequence[Image]) -> Tensor:
        pixels = torch.stack([scaled(resized(image, self.preparation, SIDE), self.preparation) for image in images])
        with torch.inference_mode():
            found: Tensor = self.network(pixels.to(self.device)).flatten(1)
        return found

    @staticmethod
    def _numbers(found: Tensor) -> NDArray[np.float64]:
        import numpy as np

        return np.asarray(found.double().cpu().numpy())


def _is_script(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _load(path: Path) -> Inception:
    try:
        state: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        network = Inception()
        network.load_state_dict(dict(state))
    except Exception as error:  # noqa: BLE001  # torch.load raises what the file makes it raise
        first = str(error).strip().splitlines()[0][:200]
        raise UserError(
            f"{path} is not FID's Inception: {first}",
            "pt_inception-2015-12-05-6726825d.pth (pytorch-fid) or inception-2015-12-05.pt (clean-fid)",
        ) from None
    return network
