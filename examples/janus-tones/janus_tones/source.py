"""The data source ``tones``: sounds that are a function of (seed, split, index), with questions and answers."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from janus_core.interfaces import BuildContext, DataSource, Given, Message, Sample
from janus_tones.options import SourceOptions

Sound = NDArray[np.float32]
Floats = NDArray[np.floating[Any]]
SAMPLE_RATE = 16000
SECONDS = (0.3, 1.5)
PITCH_QUESTION = "Is the pitch high, low, rising or falling?"
COUNT_QUESTION = "How many beeps are there?"
PITCHES = ("high", "low", "rising", "falling")
COUNTS = ("one", "two", "three", "four")
LOW, HIGH = (180.0, 320.0), (1400.0, 2600.0)
"""Ranges in Hz; a rising tone begins in the low one and ends in the high one."""


def glide(frequencies: Floats, loudness: Floats) -> Sound:
    """A sine whose frequency (Hz) and loudness are given at each sample."""
    phase = 2 * np.pi * np.cumsum(frequencies, dtype=np.float64) / SAMPLE_RATE
    return (np.sin(phase) * loudness).astype(np.float32)


def pitch_sound(answer: str, samples: int, random: np.random.Generator) -> Sound:
    """One tone over the whole length: steady in the high or low range, or moving between them."""
    low, high = random.uniform(*LOW), random.uniform(*HIGH)
    start, end = {"high": (high, high), "low": (low, low), "rising": (low, high), "falling": (high, low)}[answer]
    frequencies = np.geomspace(start, end, samples)
    return glide(frequencies, fade(samples))


def count_sound(answer: str, samples: int, random: np.random.Generator) -> Sound:
    """Beeps of one pitch, each somewhere in its equal share of the length, at least 30 % of a share apart."""
    count = COUNTS.index(answer) + 1
    share = samples // count
    loudness = np.zeros(samples, np.float32)
    for beep in range(count):
        length = int(share * random.uniform(0.4, 0.7))
        start = beep * share + int(random.uniform(0, share * 0.7 - length))
        loudness[start : start + length] = fade(length)
    pitch = random.uniform(LOW[0], HIGH[1])
    return glide(np.full(samples, pitch), loudness)


def fade(samples: int) -> Sound:
    """Ones that rise from and fall to 0 in 5 ms, against clicks."""
    edge = np.minimum(np.arange(samples), np.arange(samples)[::-1]) / (0.005 * SAMPLE_RATE)
    return np.minimum(edge, 1).astype(np.float32)


class Tones:
    """``length`` samples; even indices ask for the pitch, odd ones for the number of beeps."""

    def __init__(self, options: SourceOptions) -> None:
        self.options = options

    def __len__(self) -> int:
        return self.options.length

    def __getitem__(self, index: int) -> Sample:
        """The sample at this index, the same at any time and in any process; `IndexError` beyond the length."""
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} lies outside 0 … {len(self) - 1}: raise the option length")
        name = f"tones/{self.options.split}/{self.options.seed}/{index}"
        random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "big"))
        samples = int(random.uniform(*SECONDS) * SAMPLE_RATE)  # drawn first: the length tells nothing of the answer
        asks_pitch = index % 2 == 0
        answer = str(random.choice(PITCHES if asks_pitch else COUNTS))
        sound = (pitch_sound if asks_pitch else count_sound)(answer, samples, random)
        noise = random.normal(0, 0.005, samples)
        waveform = (sound * random.uniform(0.2, 0.9) + noise).clip(-1, 1).astype(np.float32)
        question = PITCH_QUESTION if asks_pitch else COUNT_QUESTION
        return Sample(
            id=name,
            task="understanding",
            messages=(
                Message("user", (Given(self.options.route, waveform), f"\n{question}")),
                Message("assistant", (answer,)),
            ),
            facts={"question": question, "answer": answer, "seconds": samples / SAMPLE_RATE},
        )


def build(options: SourceOptions, context: BuildContext) -> DataSource:
    """The source; it reads no files."""
    return Tones(options)
