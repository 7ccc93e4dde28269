"""A sound -> its log-mel spectrogram, by ``torch.stft`` alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from janus_core.interfaces import BuildContext, Prepared, Transform
from janus_tones.options import EncoderOptions

SAMPLE_RATE, WINDOW, HOP = 16000, 400, 160
"""Hz; samples of a window (25 ms); samples between two windows (10 ms)."""
FLOOR = 1e-6


@cache
def mel_bands(count: int) -> Tensor:
    """Triangles on the mel scale (O'Shaughnessy 1987), float [WINDOW // 2 + 1, count]."""
    top = 2595 * math.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (torch.linspace(0, top, count + 2) / 2595) - 1)
    hertz = torch.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[:, None]
    up = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    return torch.minimum(up, down).clamp(min=0)


class LogMel:
    """Waveform at 16 kHz -> spectrogram float [frames, mels], about in [-1, 1.5]; frames a multiple of one token's."""

    def __init__(self, mels: int, frames_per_token: int) -> None:
        self.mels, self.frames_per_token = mels, frames_per_token
        self.digest = f"janus-tones/log-mel/1/{SAMPLE_RATE}/{WINDOW}/{HOP}/{mels}/{frames_per_token}"

    def __call__(self, raw: Any) -> Prepared:
        """float32 [samples] of any length above 0; one token per started ``frames_per_token`` * 10 ms.

        Raises:
            ValueError: not a one-dimensional array of finite floats, or empty.
        """
        if not isinstance(raw, np.ndarray) or raw.ndim != 1 or raw.dtype.kind != "f" or not raw.size:
            was = f"{raw.dtype} {raw.shape}" if isinstance(raw, np.ndarray) else type(raw).__name__
            raise ValueError(f"a sound is a float32 array [samples] at {SAMPLE_RATE} Hz in [-1, 1], not {was}")
        if not np.isfinite(raw).all():
            raise ValueError(f"the sound has {int((~np.isfinite(raw)).sum())} samples that are not finite: repair it")
        tokens = math.ceil(raw.size / (HOP * self.frames_per_token))
        frames = tokens * self.frames_per_token
        padded = F.pad(torch.from_numpy(raw.astype(np.float32)), (0, (frames - 1) * HOP + WINDOW - raw.size))
        window = torch.hann_window(WINDOW)
        spectrum = torch.stft(padded, WINDOW, HOP, window=window, center=False, return_complex=True)
        energy = spectrum.abs().square().T @ mel_bands(self.mels)
        return Prepared((energy.clamp(min=FLOOR).log10() + 1) / 5, tokens)

    def collate(self, prepared: Sequence[Prepared]) -> dict[str, Tensor]:
        """Spectrograms padded to the longest: ``spectrogram`` [B, frames, mels] and ``mask`` bool [B, tokens]."""
        counts = torch.tensor([item.num_tokens for item in prepared])
        return {
            "spectrogram": torch.nn.utils.rnn.pad_sequence([item.inputs for item in prepared], batch_first=True),
            "mask": torch.arange(int(counts.max())) < counts[:, None],
        }


def build_transform(options: EncoderOptions, context: BuildContext) -> Transform:
    """The transform of ``tones_encoder``."""
    return LogMel(options.mels, options.frames_per_token)
