"""The source: the same samples always, balanced answers, splits apart, questions that can be answered."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from janus_core.interfaces import Given, Sample
from janus_tones.options import SourceOptions
from janus_tones.source import COUNT_QUESTION, COUNTS, PITCH_QUESTION, PITCHES, Tones


def waveform(sample: Sample) -> np.ndarray:
    given = sample.messages[0].parts[0]
    assert isinstance(given, Given)
    return given.raw


def test_a_sample_is_a_sound_a_question_and_one_word() -> None:
    sample = Tones(SourceOptions(route="ear"))[0]
    given, question = sample.messages[0].parts
    assert isinstance(given, Given)
    assert given.route == "ear"
    assert given.raw.dtype == np.float32
    assert question == f"\n{PITCH_QUESTION}"
    assert sample.messages[1].parts == (sample.facts["answer"],)
    assert [m.role for m in sample.messages] == ["user", "assistant"]
    assert sample.task == "understanding"


def test_the_same_index_is_the_same_sound_and_seeds_and_splits_differ() -> None:
    first, again = Tones(SourceOptions())[7], Tones(SourceOptions(length=9))[7]
    assert np.array_equal(waveform(first), waveform(again))
    for other in (SourceOptions(seed=1), SourceOptions(split="test")):
        assert not np.array_equal(waveform(first)[:4000], waveform(Tones(other)[7])[:4000])
        assert Tones(other)[7].id != first.id
    with pytest.raises(IndexError, match="0 … 9999"):
        Tones(SourceOptions())[10000]


def test_answers_are_balanced_and_durations_vary_without_telling_them() -> None:
    source = Tones(SourceOptions(length=1200))
    samples = [source[i] for i in range(len(source))]
    for question, answers in ((PITCH_QUESTION, PITCHES), (COUNT_QUESTION, COUNTS)):
        mine = [s for s in samples if s.facts["question"] == question]
        counted = Counter(s.facts["answer"] for s in mine)
        assert set(counted) == set(answers)
        assert max(abs(n / len(mine) - 0.25) for n in counted.values()) < 0.06
        means = [np.mean([s.facts["seconds"] for s in mine if s.facts["answer"] == a]) for a in answers]
        assert max(abs(m - 0.9) for m in means) < 0.1
    seconds = [s.facts["seconds"] for s in samples]
    assert min(seconds) >= 0.29
    assert max(seconds) <= 1.5
    assert max(float(np.abs(waveform(s)).max()) for s in samples[:100]) <= 1


def test_the_answers_are_in_the_sounds() -> None:
    source = Tones(SourceOptions(length=400))
    for index in range(len(source)):
        sample = source[index]
        sound, answer = waveform(sample), sample.facts["answer"]
        if sample.facts["question"] == COUNT_QUESTION:
            level = np.sqrt(np.convolve(sound**2, np.ones(320) / 320, "same"))
            loud = level > 0.3 * level.max()
            assert COUNTS[int(loud[0]) + int((np.diff(loud.astype(int)) == 1).sum()) - 1] == answer
        else:
            third = len(sound) // 4
            start, end = (_pitch(part) for part in (sound[:third], sound[-third:]))
            heard = {(0, 0): "low", (1, 1): "high", (0, 1): "rising", (1, 0): "falling"}
            assert heard[int(start > 700), int(end > 700)] == answer


def _pitch(sound: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.fft.rfftfreq(len(sound), 1 / 16000)[spectrum.argmax()])
