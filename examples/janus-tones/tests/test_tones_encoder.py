"""The encoder and its transform: any length, padding that changes nothing, gradients, errors."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from janus_core.interfaces import BuildContext
from janus_tones.encoder import TonesEncoder, build
from janus_tones.options import EncoderOptions
from janus_tones.plugin import janus_understanding_encoders
from janus_tones.transform import LogMel, build_transform, mel_bands

torch.set_num_threads(1)
SPEC = next(iter(janus_understanding_encoders()))


def sound(samples: int, hertz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(samples) / 16000).astype(np.float32)


def make(**options: object) -> TonesEncoder:
    torch.manual_seed(0)
    encoder = build(EncoderOptions(**(SPEC.presets["tiny"] | options)), BuildContext())
    assert isinstance(encoder, TonesEncoder)
    return encoder


@pytest.mark.parametrize(("samples", "tokens"), [(1, 1), (1280, 1), (1281, 2), (16000, 13), (24001, 19)])
def test_number_of_tokens_follows_the_duration_and_a_real_forward(samples: int, tokens: int) -> None:
    transform = LogMel(40, 8)
    prepared = transform(sound(samples))
    assert prepared.num_tokens == tokens
    assert prepared.inputs.shape == (8 * tokens, 40)
    features = make()(transform.collate([prepared]))
    assert features.tokens.shape == (1, tokens, 32)
    assert int(features.mask.sum()) == tokens


def test_the_loudest_band_is_the_pitch() -> None:
    bands = mel_bands(40)
    for hertz in (300.0, 1000.0, 3000.0):
        spectrogram = LogMel(40, 8)(sound(16000, hertz)).inputs
        loudest = int(spectrogram[20:80].mean(0).argmax())
        centre = float(bands[:, loudest].argmax()) * 40
        assert abs(centre - hertz) < 0.15 * hertz
        assert -1.01 < float(spectrogram.min()) <= float(spectrogram.max()) < 1.5


def test_padding_and_neighbours_change_no_token() -> None:
    transform, encoder = LogMel(40, 8), make()
    prepared = [transform(sound(n, h)) for n, h in [(5000, 300.0), (24000, 900.0), (12345, 2000.0)]]
    batch = transform.collate(prepared)
    together = encoder(batch)
    frames = batch["mask"].repeat_interleave(8, dim=1)
    dirty = {**batch, "spectrogram": batch["spectrogram"].masked_fill(~frames[..., None], 1e4)}
    again = encoder(dirty)
    for row, item in enumerate(prepared):
        alone = encoder(transform.collate([item])).tokens[0]
        for features in (together, again):
            torch.testing.assert_close(features.tokens[row, : item.num_tokens], alone, atol=1e-5, rtol=1e-5)
            assert int(features.mask[row].sum()) == item.num_tokens


def test_gradients_reach_every_parameter_and_the_input() -> None:
    transform, encoder = LogMel(40, 8), make()
    batch = transform.collate([transform(sound(9000)), transform(sound(3000))])
    batch["spectrogram"].requires_grad_()
    features = encoder(batch)
    (features.tokens * torch.randn_like(features.tokens))[features.mask].sum().backward()
    assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in encoder.parameters())
    assert bool((batch["spectrogram"].grad[0].abs().sum(-1) > 0).all())
    assert bool((batch["spectrogram"].grad[1, 24:] == 0).all())


def test_transform_is_the_same_when_pickled_and_its_digest_follows_its_settings() -> None:
    transform = build_transform(EncoderOptions(weights="none"), BuildContext())
    copy = pickle.loads(pickle.dumps(transform))
    assert copy.digest == transform.digest
    assert torch.equal(copy(sound(5000)).inputs, transform(sound(5000)).inputs)
    other = build_transform(EncoderOptions(weights="none", mels=20), BuildContext())
    assert other.digest != transform.digest


def test_weights_are_read_strictly_and_the_seed_decides_random_ones(tmp_path: Path) -> None:
    first, second = make(), make()
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    state = {key: value + 1 for key, value in first.state_dict().items()}
    save_file(state, tmp_path / "tones.safetensors")
    options = EncoderOptions(**(SPEC.presets["tiny"] | {"weights": "tones.safetensors"}))
    loaded = build(options, BuildContext(tmp_path))
    assert isinstance(loaded, TonesEncoder)
    assert all(torch.equal(loaded.state_dict()[key], state[key]) for key in state)
    build(options, BuildContext(Path("elsewhere"), skip_weights=True))
    save_file({"norm.weight": torch.ones(32)}, tmp_path / "tones.safetensors")
    with pytest.raises(RuntimeError, match="embed.weight"):
        build(options, BuildContext(tmp_path))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (np.zeros((2, 100), np.float32), "(2, 100)"),
        (np.zeros(100, np.int16), "int16"),
        (np.zeros(0, np.float32), "(0,)"),
        ([0.0, 1.0], "list"),
        (np.array([0.0, np.nan], np.float32), "1 samples that are not finite"),
    ],
)
def test_unusable_sounds_are_refused(raw: object, words: str) -> None:
    with pytest.raises(ValueError, match="sound") as caught:
        LogMel(40, 8)(raw)
    assert words in str(caught.value)


def test_wrong_batches_and_options_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(1, 9, 40\).*8 frames of 40"):
        make()({"spectrogram": torch.zeros(1, 9, 40), "mask": torch.ones(1, 1, dtype=torch.bool)})
    with pytest.raises(ValueError, match="heads 5"):
        EncoderOptions(weights="none", heads=5)
    with pytest.raises(ValueError, match="weights"):
        EncoderOptions()
