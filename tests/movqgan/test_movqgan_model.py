"""MoVQGAN against its published sizes and diffusers' VQModel."""

from __future__ import annotations

import pytest
import torch

from janus_core.checkpoints.layouts import to_ours, to_theirs
from janus_core.interfaces import BuildContext
from janus_movqgan.model import build
from janus_movqgan.options import MoVQGANOptions
from janus_movqgan.plugin import janus_generation_tokenizers

(SPEC,) = janus_generation_tokenizers()


@pytest.mark.parametrize(
    ("preset", "tensors", "parameters"),
    [("67m", 431, 67_832_495), ("102m", 671, 101_614_255), ("270m", 431, 270_669_103)],
)
def test_published_sizes_and_every_key_has_a_name_in_diffusers(preset: str, tensors: int, parameters: int) -> None:
    with torch.device("meta"):
        tokenizer = build(MoVQGANOptions(weights="none", **SPEC.presets[preset]), BuildContext())
    state = tokenizer.state_dict()
    assert len(state) == tensors
    assert sum(p.numel() for p in tokenizer.parameters()) == parameters
    assert tokenizer.layout(256).grid == (32, 32)
    theirs = to_theirs(SPEC.layouts["diffusers"], state)
    assert len(theirs) == tensors
    assert not any(part in key for key in theirs for part in (".mid.", ".block.", ".attn.", "nin_shortcut", ".up."))


def test_67m_keys_are_those_of_diffusers() -> None:
    from diffusers import VQModel

    with torch.device("meta"):
        state = build(MoVQGANOptions(weights="none", **SPEC.presets["67m"]), BuildContext()).state_dict()
        reference = vq_model(VQModel, (128, 256, 256, 512), 2, 16384)
    theirs = {key: tuple(value.shape) for key, value in to_theirs(SPEC.layouts["diffusers"], state).items()}
    assert theirs == {key: tuple(value.shape) for key, value in reference.state_dict().items()}


def vq_model(kind: type, widths: tuple[int, ...], layers: int, codes: int) -> torch.nn.Module:
    return kind(
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
        block_out_channels=widths,
        layers_per_block=layers,
        latent_channels=4,
        vq_embed_dim=4,
        num_vq_embeddings=codes,
        norm_type="spatial",
    )


@pytest.mark.parametrize("batch", [1, 2])
def test_equals_vqmodel_of_diffusers(batch: int) -> None:
    from diffusers import VQModel

    torch.manual_seed(0)
    tokenizer = build(MoVQGANOptions(**SPEC.presets["tiny"]), BuildContext()).eval()
    torch.nn.init.normal_(tokenizer.quantize.embedding.weight, std=0.5)
    reference = vq_model(VQModel, (32, 32, 32, 64), 1, 64).eval()
    layout = SPEC.layouts["diffusers"]
    reference.load_state_dict(to_theirs(layout, tokenizer.state_dict()), strict=True)
    pixels = torch.rand(batch, 3, 64, 48) * 2 - 1
    with torch.no_grad():
        latents = reference.encode(pixels).latents
        assert (tokenizer.latents(pixels) - latents).abs().max() <= 3e-5
        ids = reference.quantize(latents)[2][2].reshape(batch, -1)
        codes = tokenizer.encode(pixels)
        assert torch.equal(codes[..., 0], ids)
        assert codes.unique().numel() > 1
        codes = torch.randint(64, (batch, 48, 1))
        entries = reference.quantize.get_codebook_entry(codes.flatten(), (batch, 8, 6, 4))
        expected = reference.decode(entries, force_not_quantize=True).sample
        from janus_core.interfaces import CodeLayout

        drawn = tokenizer.decode(codes, CodeLayout(48, (8, 6), (64,)))
    assert (drawn - expected).abs().max() <= 3e-5
    back = to_ours(layout, reference.state_dict(), {k: v.shape for k, v in tokenizer.state_dict().items()})
    assert back.faults == 0
    assert all(torch.equal(back.state[key], value) for key, value in tokenizer.state_dict().items())


def test_ema_copies_are_left_out(tmp_path) -> None:
    source = build(MoVQGANOptions(**SPEC.presets["tiny"]), BuildContext())
    state = source.state_dict()
    extra = {"ema_encoder.conv_in.weight": torch.zeros(1), "loss.discriminator.main.0.weight": torch.zeros(1)}
    torch.save(state | extra, tmp_path / "w.ckpt")
    options = MoVQGANOptions(**{**SPEC.presets["tiny"], "weights": "w.ckpt"})
    read = build(options, BuildContext(folder=tmp_path)).state_dict()
    assert all(torch.equal(read[key], value) for key, value in state.items())
