"""Mask2Former for instances on COCO, from a folder in the form of transformers.

GenEval uses mmdet's checkpoint of Mask2Former Swin-S (mask2former_swin-s-p4-w7-224_lsj_8x2_50e_coco). How pictures are
prepared, and what scores and boxes objects get, follows mmdet here. Another checkpoint of the same model is another
detector: the id names the weights.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from janus_bench.detectors.classes import CLASSES
from janus_bench.detectors.interface import Detection
from janus_bench.weights import fingerprint
from janus_core.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SHORT, LONG, MULTIPLE = 800, 1333, 32
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
MOST = 100
"""Objects of a picture, the most certain (mmdet's max_per_image)."""


class Mask2FormerDetector:
    """Finds the 80 classes of COCO, with masks.

    Args:
        folder: ``config.json`` and ``model.safetensors`` of a model with 80 classes in COCO's order.
        device: where it runs.

    Raises:
        UserError: the folder is not that of such a model, or transformers is not there.
    """

    stand_in = ""

    def __init__(self, folder: Path, device: str = "cpu") -> None:
        import torch

        weights = folder / "model.safetensors"
        self.id = f"mask2former-{fingerprint(weights)}"
        self.device = torch.device(device)
        self.model, self.classes = _load(folder, weights)
        self.model.to(self.device).eval()
        self.classes.to(self.device)

    def detect(self, image: Image) -> list[Detection]:
        """The 100 most certain objects."""
        import torch

        pixels, (height, width) = _prepare(image)
        with torch.inference_mode():
            output = self.model(pixels.to(self.device), output_hidden_states=True, return_dict=True)
            logits = self.classes(output.transformer_decoder_last_hidden_state[0])
            masks = _whole_size(output.masks_queries_logits[-1], pixels, (height, width), image)
            return objects(logits.float(), masks.float())


def objects(logits: Tensor, masks: Tensor) -> list[Detection]:
    """The objects of a picture's queries, as mmdet scores them: certainty of the class times that of the mask.

    Args:
        logits: float [Q, classes + 1], the last is "no object".
        masks: float [Q, height, width], logits of the masks in the size of the picture.
    """
    scores = logits.softmax(-1)[:, :-1]
    best, index = scores.flatten().topk(min(MOST, scores.numel()))
    found = []
    for score, place in zip(best.tolist(), index.tolist(), strict=True):
        query, label = divmod(place, scores.shape[1])
        inside = masks[query] > 0
        certain = float((masks[query].sigmoid() * inside).sum() / (inside.sum() + 1e-6))
        found.append(Detection(CLASSES[label], _box(inside), score * certain, mask=inside.cpu().numpy()))
    return found


def _box(inside: Tensor) -> tuple[float, float, float, float]:
    """Left, top and the pixels behind right and bottom; zeros for an empty mask."""
    columns, rows = inside.any(0).nonzero().flatten(), inside.any(1).nonzero().flatten()
    if not len(columns):
        return (0.0, 0.0, 0.0, 0.0)
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def _prepare(image: Image) -> tuple[Tensor, tuple[int, int]]:
    """float [1, 3, H, W], enlarged and padded, and the height and width without the padding."""
    import numpy as np
    import torch
    from torch.nn.functional import interpolate, pad

    scale = min(LONG / max(image.size), SHORT / min(image.size))
    width, height = (int(side * scale + 0.5) for side in image.size)
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None]
    pixels = interpolate(pixels, size=(height, width), mode="bilinear", align_corners=False)
    pixels = (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    return pad(pixels, (0, -width % MULTIPLE, 0, -height % MULTIPLE)), (height, width)


def _whole_size(masks: Tensor, pixels: Tensor, size: tuple[int, int], image: Image) -> Tensor:
    """[1, Q, h, w] -> [Q, height, width] of the picture, the padding cut off."""
    from torch.nn.functional import interpolate

    masks = interpolate(masks, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    masks = masks[..., : size[0], : size[1]]
    return interpolate(masks, size=(image.height, image.width), mode="bilinear", align_corners=False)[0]


def _load(folder: Path, weights: Path) -> tuple[Any, Any]:
    """The model and its layer of classes; without transformers' own head, which wants scipy for its loss."""
    from safetensors import SafetensorError, safe_open
    from torch import nn

    try:
        from transformers import Mask2FormerModel
    except ImportError as error:
        raise UserError(f"Mask2Former needs transformers: {error}", "pip install 'janus-umm[detector]'") from None
    layer = "class_predictor"
    try:
        with safe_open(weights, framework="pt") as file:
            weight, bias = file.get_tensor(f"{layer}.weight"), file.get_tensor(f"{layer}.bias")
        model, report = Mask2FormerModel.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    except (OSError, SafetensorError, ValueError) as error:
        raise UserError(f"{folder} is not a Mask2Former: {error}", "a folder as transformers saves it") from None
    if report["missing_keys"] or weight.shape[0] != len(CLASSES) + 1:
        missing = ", ".join(sorted(report["missing_keys"])[:3])
        lacks = missing or f"{len(CLASSES)} classes, it has {len(weight) - 1}"
        raise UserError(f"{folder} lacks {lacks}", "a Mask2Former for instances on COCO")
    classes = nn.Linear(weight.shape[1], weight.shape[0])
    classes.load_state_dict({"weight": weight, "bias": bias})
    return model, classes.eval()
