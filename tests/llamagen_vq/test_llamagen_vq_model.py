"""VQ-16 against its published facts, transformers' JanusVQVAE and the taming modules."""

from __future__ import annotations

import contextlib
import io

import pytest
import torch
from torch.nn import functional as F

from janus_core.checkpoints.layouts import to_ours, to_theirs
from janus_core.interfaces import BuildContext
from janus_llamagen_vq.layouts import layouts
from janus_llamagen_vq.model import LlamaGenVQ, build
from janus_llamagen_vq.options import LlamaGenVQOptions
from janus_llamagen_vq.plugin import janus_generation_tokenizers

(SPEC,) = janus_generation_tokenizers()


def tiny() -> LlamaGenVQ:
    torch.manual_seed(0)
    tokenizer = build(LlamaGenVQOptions(**SPEC.presets["tiny"]), BuildContext()).eval()
    with torch.no_grad():  # norms of 0.5 to 1.5, so that a forgotten normalisation shows
        weight = tokenizer.quantize.embedding.weight
        weight.copy_(F.normalize(torch.randn_like(weight), dim=1) * (0.5 + torch.rand(len(weight), 1)))
    return tokenizer


@pytest.mark.parametrize(("preset", "tensors", "parameters"), [("vq16", 344, 71_883_403), ("vq8", 300, 70_109_835)])
def test_published_sizes(preset: str, tensors: int, parameters: int) -> None:
    with torch.device("meta"):
        tokenizer = build(LlamaGenVQOptions(weights="none", **SPEC.presets[preset]), BuildContext())
    assert len(tokenizer.state_dict()) == tensors
    assert sum(p.numel() for p in tokenizer.parameters()) == parameters
    if preset == "vq16":
        assert sum(p.numel() for p in tokenizer.encoder.parameters()) == 29_298_176
        assert sum(p.numel() for p in tokenizer.decoder.parameters()) == 42_449_795
        assert tokenizer.layout(384).positions == 576
        assert tokenizer.layout(384).codebooks == (16384,)


def test_published_names() -> None:
    with torch.device("meta"):
        keys = build(LlamaGenVQOptions(weights="none"), BuildContext()).state_dict()
    for key, shape in {
        "quantize.codebook_used": (65536,),
        "quantize.embedding.weight": (16384, 8),
        "encoder.conv_blocks.4.attn.1.proj_out.weight": (512, 512, 1, 1),
        "encoder.conv_blocks.4.res.0.nin_shortcut.weight": (512, 256, 1, 1),
        "encoder.conv_blocks.0.downsample.conv.weight": (128, 128, 3, 3),
        "encoder.mid.1.q.weight": (512, 512, 1, 1),
        "decoder.conv_blocks.0.attn.2.k.bias": (512,),
        "decoder.conv_blocks.0.upsample.conv.weight": (512, 512, 3, 3),
        "decoder.conv_blocks.4.res.2.conv2.weight": (128, 128, 3, 3),
        "decoder.mid.2.conv1.weight": (512, 512, 3, 3),
        "quant_conv.weight": (8, 256, 1, 1),
        "post_quant_conv.weight": (256, 8, 1, 1),
        "decoder.norm_out.weight": (128,),
    }.items():
        assert keys[key].shape == shape
    assert "decoder.conv_blocks.4.upsample.conv.weight" not in keys
    assert "encoder.conv_blocks.4.downsample.conv.weight" not in keys


def test_encode_is_the_formula_and_not_that_of_transformers() -> None:
    tokenizer = tiny()
    pixels = torch.rand(2, 3, 64, 64) * 2 - 1
    z = tokenizer.latents(pixels).permute(0, 2, 3, 1).reshape(-1, 8)
    z, table = F.normalize(z, dim=-1), F.normalize(tokenizer.quantize.embedding.weight, dim=-1)
    expected = (z.square().sum(1, keepdim=True) + table.square().sum(1) - 2 * z @ table.T).argmin(1)
    codes = tokenizer.encode(pixels)
    assert torch.equal(codes.flatten(), expected)
    assert codes.unique().numel() > 1
    raw = torch.cdist(tokenizer.latents(pixels).permute(0, 2, 3, 1).reshape(-1, 8), tokenizer.quantize.embedding.weight)
    assert not torch.equal(raw.argmin(1), expected)
    assert torch.allclose(tokenizer.embed(codes).norm(dim=-1), torch.ones(2, 16))


def test_equals_janus_vqvae_of_transformers() -> None:
    from transformers.models.janus.configuration_janus import JanusVQVAEConfig
    from transformers.models.janus.modeling_janus import JanusVQVAE

    tokenizer = tiny()
    config = JanusVQVAEConfig(
        embed_dim=8,
        num_embeddings=64,
        latent_channels=32,
        base_channels=32,
        channel_multiplier=[1, 1, 1, 1, 2],
        num_res_blocks=1,
        num_patches=4,
    )
    reference = JanusVQVAE(config).eval()
    layout = SPEC.layouts["huggingface"]
    theirs = to_theirs(layout, tokenizer.state_dict())
    reference.load_state_dict(theirs, strict=True)
    codes = torch.randint(64, (2, 16, 1))
    with torch.no_grad():
        drawn, expected = tokenizer.decode(codes, tokenizer.layout(64)), reference.decode(codes[..., 0])
        pixels = torch.rand(2, 3, 64, 64) * 2 - 1
        latents = tokenizer.latents(pixels)
        expected_latents = reference.quant_conv(reference.encoder(pixels))
    assert (drawn - expected).abs().max() <= 1e-6  # 0.0 where it was written
    assert (latents - expected_latents).abs().max() <= 1e-6
    shapes = {key: value.shape for key, value in tokenizer.state_dict().items()}
    back = to_ours(layout, reference.state_dict(), shapes)
    assert back.faults == 0
    assert back.carried == ("quantize.codebook_used",)


@pytest.mark.parametrize("multipliers", [(1, 1, 1, 1, 2), (1, 1, 2, 2)])
def test_equals_the_taming_modules(multipliers: tuple[int, ...]) -> None:
    from taming.modules.diffusionmodules.model import Decoder, Encoder

    options = LlamaGenVQOptions(**{**SPEC.presets["tiny"], "channel_multipliers": multipliers})
    tokenizer = build(options, BuildContext()).eval()
    settings = {
        "ch": 32,
        "out_ch": 3,
        "ch_mult": multipliers,
        "num_res_blocks": 1,
        "attn_resolutions": (256 // tokenizer.factor,),
        "in_channels": 3,
        "resolution": 256,
        "z_channels": 32,
        "double_z": False,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        halves = {"encoder": Encoder(**settings).eval(), "decoder": Decoder(**settings).eval()}
    theirs = to_theirs(layouts(len(multipliers))["taming"], tokenizer.state_dict())
    for name, half in halves.items():
        state = {key.removeprefix(f"{name}."): value for key, value in theirs.items() if key.startswith(f"{name}.")}
        half.load_state_dict(state, strict=True)
    pixels, latents = torch.rand(2, 3, 48, 64) * 2 - 1, torch.randn(2, 32, 3, 2)
    with torch.no_grad():
        assert (tokenizer.encoder(pixels) - halves["encoder"](pixels)).abs().max() <= 1e-6
        assert (tokenizer.decoder(latents) - halves["decoder"](latents)).abs().max() <= 1e-6
