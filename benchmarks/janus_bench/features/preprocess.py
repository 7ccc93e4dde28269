"""How pictures are resized before a network sees them: each tool has its own way, and FID changes with it.

Only PIL and ``torch.nn.functional`` are used, so that scoring works where torchvision does not fit torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

Preparation = Literal["clean", "crop256-clean", "clean-legacy", "pytorch-fid", "torchmetrics"]
"""``clean``: clean-fid's own, PIL's bicubic in float on each channel; ``crop256-clean``: before that the middle square,
LANCZOS to 256, as GigaGAN and LlamaGen evaluate; ``clean-legacy``: clean-fid's ``legacy_pytorch``; ``pytorch-fid``:
bilinear without antialiasing; ``torchmetrics``: bilinear with antialiasing (its default since 1.9)."""
PREPARATIONS: tuple[str, ...] = get_args(Preparation)
CROPPED = 256


def resized(image: Image, preparation: str, side: int) -> Tensor:
    """float32 [3, side, side] in [0, 255]; alpha is dropped, grey becomes RGB, as all the tools do."""
    import numpy as np
    import torch
    from torch.nn.functional import interpolate

    image = image.convert("RGB")
    if preparation == "crop256-clean":
        image = middle(image)
    if preparation in ("clean", "crop256-clean"):
        return torch.from_numpy(np.stack([_bicubic(channel, side) for channel in image.split()]))
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None]
    antialias = preparation == "torchmetrics"
    found: Tensor = interpolate(pixels, (side, side), mode="bilinear", align_corners=False, antialias=antialias)[0]
    return found.clip(0, 255) if preparation == "clean-legacy" else found


def scaled(pixels: Tensor, preparation: str) -> Tensor:
    """[0, 255] to about [-1, 1], as Inception gets it: two of the tools map 255 to 1, two to 127/128."""
    if preparation in ("pytorch-fid", "clean-legacy"):
        return pixels / 127.5 - 1
    return (pixels - 128) / 128


def middle(image: Image) -> Image:
    """The middle square, 256 pixels wide."""
    from PIL.Image import Resampling

    side = min(image.size)
    left, top = (round((length - side) / 2) for length in image.size)
    return image.crop((left, top, left + side, top + side)).resize((CROPPED, CROPPED), Resampling.LANCZOS)


def _bicubic(channel: Image, side: int) -> NDArray[np.float32]:
    import numpy as np
    from PIL.Image import Resampling

    return np.asarray(channel.convert("F").resize((side, side), Resampling.BICUBIC), np.float32).clip(0, 255)
