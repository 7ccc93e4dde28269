"""The network of FID: Inception-v3 (arXiv:1512.00567) as TensorFlow published it on 2015-12-05.

Three things differ from torchvision's: averages in the blocks leave out the padding, the last block takes the maximum
instead, and there are 1008 classes (mseitzer/pytorch-fid, inception.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, CLASSES = 2048, 1008
Kernel = int | tuple[int, int]
Convolution = tuple[str, int, Kernel, int]
"""Name, channels out, kernel, stride."""
Branch = Sequence[Convolution | list[Convolution]]
"""A chain of convolutions; a list in place of one: two side by side, at the end."""


class Unit(nn.Module):
    """Convolution, batch norm, ReLU. With stride 2 (and in the stem) nothing is padded."""

    def __init__(self, channels: int, out: int, kernel: Kernel, stride: int = 1, pad: bool = True) -> None:
        super().__init__()
        sides = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (sides[0] // 2, sides[1] // 2) if pad else (0, 0)
        self.conv = nn.Conv2d(channels, out, sides, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class Block(nn.Module):
    """Branches side by side and a pooled branch.

    Args:
        branches: side by side.
        pooled: channels of the convolution behind the pooling; 0: none, and the pooling has stride 2.
        pool: ``average`` (without the padding) or ``maximum``.
    """

    def __init__(
        self,
        channels: int,
        branches: Sequence[Branch],
        pooled: int,
        pool: str = "average",
    ) -> None:
        super().__init__()
        self.branches: list[list[list[str]]] = []
        self.pool = pool
        self.channels = 0
        for branch in branches:
            inside, chain = channels, []
            for step in branch:
                units = step if isinstance(step, list) else [step]
                for name, out, kernel, stride in units:
                    self.add_module(name, Unit(inside, out, kernel, stride, pad=stride == 1))
                chain.append([unit[0] for unit in units])
                inside = sum(unit[1] for unit in units)
            self.branches.append(chain)
            self.channels += inside
        self.branch_pool = Unit(channels, pooled, 1) if pooled else None
        self.channels += pooled or channels

    def forward(self, x: Tensor) -> Tensor:
        outputs = []
        for chain in self.branches:
            inside = x
            for names in chain:
                inside = torch.cat([self.get_submodule(name)(inside) for name in names], 1)
            outputs.append(inside)
        return torch.cat([*outputs, self._pooled(x)], 1)

    def _pooled(self, x: Tensor) -> Tensor:
        if self.branch_pool is None:
            return functional.max_pool2d(x, 3, 2)
        if self.pool == "maximum":
            return self.branch_pool(functional.max_pool2d(x, 3, 1, 1))  # type: ignore[no-any-return]
        return self.branch_pool(functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))  # type: ignore[no-any-return]


def _block_35(channels: int, pooled: int) -> Block:
    double: Branch = [
        ("branch3x3dbl_1", 64, 1, 1),
        ("branch3x3dbl_2", 96, 3, 1),
        ("branch3x3dbl_3", 96, 3, 1),
    ]
    five: Branch = [("branch5x5_1", 48, 1, 1), ("branch5x5_2", 64, 5, 1)]
    return Block(channels, [[("branch1x1", 64, 1, 1)], five, double], pooled)


def _block_17(channels: int, inside: int) -> Block:
    seven: Branch = [
        ("branch7x7_1", inside, 1, 1),
        ("branch7x7_2", inside, (1, 7), 1),
        ("branch7x7_3", 192, (7, 1), 1),
    ]
    double: Branch = [
        ("branch7x7dbl_1", inside, 1, 1),
        ("branch7x7dbl_2", inside, (7, 1), 1),
        ("branch7x7dbl_3", inside, (1, 7), 1),
        ("branch7x7dbl_4", inside, (7, 1), 1),
        ("branch7x7dbl_5", 192, (1, 7), 1),
    ]
    return Block(channels, [[("branch1x1", 192, 1, 1)], seven, double], 192)


def _block_8(channels: int, pool: str) -> Block:
    three: Branch = [
        ("branch3x3_1", 384, 1, 1),
        [("branch3x3_2a", 384, (1, 3), 1), ("branch3x3_2b", 384, (3, 1), 1)],
    ]
    double: Branch = [
        ("branch3x3dbl_1", 448, 1, 1),
        ("branch3x3dbl_2", 384, 3, 1),
        [("branch3x3dbl_3a", 384, (1, 3), 1), ("branch3x3dbl_3b", 384, (3, 1), 1)],
    ]
    return Block(channels, [[("branch1x1", 320, 1, 1)], three, double], 192, pool)


def _shrink_35(channels: int) -> Block:
    double: Branch = [
        ("branch3x3dbl_1", 64, 1, 1),
        ("branch3x3dbl_2", 96, 3, 1),
        ("branch3x3dbl_3", 96, 3, 2),
    ]
    return Block(channels, [[("branch3x3", 384, 3, 2)], double], 0)


def _shrink_17(channels: int) -> Block:
    three: Branch = [("branch3x3_1", 192, 1, 1), ("branch3x3_2", 320, 3, 2)]
    seven: Branch = [
        ("branch7x7x3_1", 192, 1, 1),
        ("branch7x7x3_2", 192, (1, 7), 1),
        ("branch7x7x3_3", 192, (7, 1), 1),
        ("branch7x7x3_4", 192, 3, 2),
    ]
    return Block(channels, [three, seven], 0)


class Inception(nn.Module):
    """float [B, 3, 299, 299] in [-1, 1] -> features [B, 2048]; keys are those of torchvision's ``inception_v3``."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2, pad=False)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, pad=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, pad=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_35(192, 32), _block_35(256, 64), _block_35(288, 64)
        self.Mixed_6a = _shrink_35(288)
        self.Mixed_6b, self.Mixed_6c = _block_17(768, 128), _block_17(768, 160)
        self.Mixed_6d, self.Mixed_6e = _block_17(768, 160), _block_17(768, 192)
        self.Mixed_7a = _shrink_17(768)
        self.Mixed_7b, self.Mixed_7c = _block_8(1280, "average"), _block_8(2048, "maximum")
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(functional.max_pool2d(x, 3, 2)))
        x = functional.max_pool2d(x, 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean((2, 3))
