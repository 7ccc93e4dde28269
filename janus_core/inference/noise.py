"""Gumbel noise that is a function of (seed, image, position, codebook), never drawn from a running generator.

So a picture does not depend on the batch that it is drawn in, and every way of decoding can be tested for equal codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from janus_core.interfaces import Noise


class KeyedGumbel:
    """Noise for the rows of a request.

    Args:
        keys: (seed, image) of each row; ``image`` is the picture's own index in the request, not its row in a batch.
    """

    def __init__(self, keys: Sequence[tuple[int, int]], device: torch.device) -> None:
        seeds, images = zip(*keys, strict=True)
        wrapped = [(seed + 2**63) % 2**64 - 2**63 for seed in seeds]
        seed = torch.tensor(wrapped, dtype=torch.int64, device=device)
        self._rows = _mix(_mix(seed) + torch.tensor(images, dtype=torch.int64, device=device))

    def at(self, position: int) -> Noise:
        """The noise of one position: a function (codebook, size) -> float32 [rows, size]."""
        key = _mix(self._rows + position)

        def noise(codebook: int, size: int) -> Tensor:
            index = torch.arange(size, dtype=torch.int64, device=key.device)
            bits = (_mix(_mix(key + codebook)[:, None] + index) >> 41) & 0x7FFFFF
            # 23 bits and a half: 24 would round the uniform up to 1 and the noise to infinity.
            return -torch.log(-torch.log((bits + 0.5) / 2**23))

        return noise


def _mix(x: Tensor) -> Tensor:
    """A 64-bit finaliser; int64 wraps, and its right shift keeps the sign, hence the masks."""
    x = (x ^ ((x >> 30) & 0x3FFFFFFFF)) * -4658895280553007687
    x = (x ^ ((x >> 27) & 0x1FFFFFFFFF)) * -7723592293110705685
    return x ^ ((x >> 31) & 0x1FFFFFFFF)
