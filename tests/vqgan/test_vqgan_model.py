"""VQGAN against its published sizes and the taming quantizer."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from janus_conv_vq.options import VQLosses
from janus_conv_vq.pretrain import begin
from janus_core.interfaces import BuildContext
from janus_vqgan.model import VQGAN, build
from janus_vqgan.options import VQGANOptions
from janus_vqgan.plugin import janus_generation_tokenizers

(SPEC,) = janus_generation_tokenizers()


def tiny() -> VQGAN:
    torch.manual_seed(0)
    tokenizer = build(VQGANOptions(**SPEC.presets["tiny"]), BuildContext()).eval()
    torch.nn.init.normal_(tokenizer.quantize.embedding.weight, std=0.3)
    return tokenizer


@pytest.mark.parametrize(
    ("preset", "parameters"), [("imagenet_f16_1024", 72_141_699), ("imagenet_f16_16384", 76_073_859)]
)
def test_published_sizes(preset: str, parameters: int) -> None:
    with torch.device("meta"):
        tokenizer = build(VQGANOptions(weights="none", **SPEC.presets[preset]), BuildContext())
    state = tokenizer.state_dict()
    assert len(state) == 343
    assert sum(p.numel() for p in tokenizer.parameters()) == parameters
    assert tokenizer.layout(256).grid == (16, 16)
    assert tokenizer.layout(384).positions == 576
    assert state["decoder.up.4.attn.2.proj_out.weight"].shape == (512, 512, 1, 1)
    assert "encoder.down.3.attn.0.q.weight" not in state


def test_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    tiny()
    assert capsys.readouterr() == ("", "")


def test_equals_the_taming_quantizer() -> None:
    from taming.modules.vqvae.quantize import VectorQuantizer

    tokenizer = tiny()
    reference = VectorQuantizer(64, 16, 0.25)
    reference.load_state_dict(tokenizer.quantize.state_dict(), strict=True)
    pixels = torch.rand(2, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        latents = tokenizer.latents(pixels)
        expected, loss, (perplexity, _, ids) = reference(latents)
        quantized = tokenizer.quantize(latents)
        told = begin(tokenizer, VQLosses(adversarial=0), BuildContext()).losses({"inputs": pixels, "captions": []}, 0)
    assert torch.equal(tokenizer.encode(pixels).flatten(), ids.flatten())
    assert ids.unique().numel() > 1
    assert (quantized.vectors - expected).abs().max() <= 1e-6
    assert torch.allclose(quantized.commitment * 1.25, loss)
    assert torch.allclose(told["perplexity"], perplexity, rtol=1e-4)
    entries = reference.get_codebook_entry(ids.flatten(), (2, 4, 3, 16))
    assert torch.equal(tokenizer.embed(ids.view(2, 12, 1)).transpose(1, 2).reshape(entries.shape), entries)


def test_published_file_with_discriminator_and_wrapper(tmp_path: Path) -> None:
    source = tiny()
    state = dict(source.state_dict())
    wrapped = state | {"loss.discriminator.main.0.weight": torch.zeros(2), "loss.perceptual_loss.net.x": torch.zeros(2)}
    torch.save({"epoch": 1, "state_dict": wrapped}, tmp_path / "last.ckpt")
    options = VQGANOptions(**{**SPEC.presets["tiny"], "weights": "last.ckpt"})
    read = build(options, BuildContext(folder=tmp_path)).state_dict()
    assert all(torch.equal(read[key], value) for key, value in state.items())
