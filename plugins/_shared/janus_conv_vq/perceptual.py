"""LPIPS (Zhang et al. 1801.03924) on VGG16, as a loss; needs the weights of VGG16 as a file."""

from __future__ import annotations

from importlib.resources import as_file, files

import torch
from torch import Tensor, nn
from torchvision.models import vgg16

from janus_conv_vq.weights import WeightsError, locate, read_state
from janus_core.interfaces import BuildContext

ENDS = (4, 9, 16, 23, 30)
"""Where the five slices of torchvision's VGG16 end, each after the last ReLU before a pooling."""
MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""The ImageNet statistics for pixels in [-1, 1], as LPIPS' own code (richzhang/PerceptualSimilarity) rounds them."""
MEASURES = ("torchmetrics", "functional/image/lpips_models/vgg.pth")
"""Package and file of the published weights of LPIPS' channels: torchmetrics carries them."""


class Perceptual(nn.Module):
    """The distance of two pictures in the features of VGG16; made by `load`; nothing of it trains."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        with torch.device("meta"):  # 138 M random numbers, most of them of the classifier, would be thrown away
            features = vgg16(weights=None).features
        begins = (0, *ENDS[:-1])
        self.slices = nn.ModuleList(features[begin:end] for begin, end in zip(begins, ENDS, strict=True))
        for index, weight in enumerate(_channel_weights()):
            self.register_buffer(f"channels_{index}", weight)
        for name, values in (("mean", MEAN), ("deviation", DEVIATION)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    @classmethod
    def load(cls, weights: str, context: BuildContext) -> Perceptual:
        """With the VGG16 of a file in torchvision's layout.

        Raises:
            WeightsError: there is no such file, or it is not of VGG16.
        """
        path = locate(weights, context.folder)
        made = cls()
        state = {
            name.removeprefix("features."): value for name, value in read_state(path).items() if "features." in name
        }
        places = {str(at): f"{index}.{at}" for index, s in enumerate(made.slices) for at, _ in s.named_children()}
        named = {f"{places.get(key.partition('.')[0])}.{key.partition('.')[2]}": value for key, value in state.items()}
        try:
            made.slices.load_state_dict({key: value.float() for key, value in named.items()}, assign=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise WeightsError(
                f"{path} is not VGG16 in torchvision's layout (features.0.weight ...): {reason}"
            ) from error
        return made.requires_grad_(False)

    def forward(self, drawn: Tensor, pixels: Tensor) -> Tensor:
        """Two of [B, 3, H, W] in [-1, 1] -> the mean distance of the pairs, a scalar."""
        x, y = ((picture - self.mean) / self.deviation for picture in (drawn, pixels))
        total = x.new_zeros(())
        for index, part in enumerate(self.slices):
            x, y = part(x), part(y)
            difference = (_unit(x) - _unit(y)).square()
            total = total + (difference * getattr(self, f"channels_{index}")).sum(1).mean()
        return total


def _unit(x: Tensor) -> Tensor:
    """[B, C, H, W] with the channels of every place at length 1."""
    x = x.float()
    # The small number lies inside the root, so that an all-zero place has a gradient that is a number.
    return x * torch.rsqrt(x.square().sum(1, keepdim=True) + 1e-8)


def _channel_weights() -> list[Tensor]:
    """The weight of each channel of each slice, [1, C, 1, 1]."""
    package, name = MEASURES
    with as_file(files(package).joinpath(name)) as path:
        state = read_state(path)
    return [state[f"lin{index}.model.1.weight"].float() for index in range(len(ENDS))]
