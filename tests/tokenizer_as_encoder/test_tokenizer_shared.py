"""``tokenizer_as_encoder``: one tokenizer in two roles."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from janus_core.interfaces import BuildContext, CodeLayout, Prepared
from janus_tokenizer_as_encoder.model import build, build_transform
from janus_tokenizer_as_encoder.options import TokenizerAsEncoderOptions
from janus_tokenizer_as_encoder.plugin import janus_understanding_encoders

torch.set_num_threads(1)
SPEC = next(iter(janus_understanding_encoders()))


class Patches(nn.Module):
    """A tokenizer of 2x2 patches with two codebooks."""

    code_width = 6

    def __init__(self) -> None:
        super().__init__()
        self.measure = nn.Conv2d(3, 2, 2, stride=2)
        self.table = nn.Embedding(5, 6)

    def layout(self, image_size: int) -> CodeLayout:
        side = image_size // 2
        return CodeLayout(side * side, (side, side), (5, 5))

    def encode(self, pixels: Tensor) -> Tensor:
        return self.measure(pixels).flatten(2).mT.mul(2).round().long() % 5

    def embed(self, codes: Tensor) -> Tensor:
        return self.table(codes).mean(2)

    def decode(self, codes: Tensor, layout: CodeLayout) -> Tensor:
        raise NotImplementedError


@dataclass(frozen=True)
class Ready:
    digest: str = "ready"

    def __call__(self, raw: Tensor) -> Prepared:
        return Prepared(raw, raw.shape[-1] * raw.shape[-2] // 4)

    def collate(self, prepared: list[Prepared]) -> Tensor:
        return torch.stack([p.inputs for p in prepared])


def context(part: nn.Module, asked: list[str] | None = None) -> BuildContext:
    def resolve(name: str) -> nn.Module:
        if asked is not None:
            asked.append(name)
        return part

    return BuildContext(resolve=resolve, resolve_transform=lambda name: Ready())


def test_features_are_the_vectors_of_the_codes_and_the_module_is_shared() -> None:
    tokenizer, asked = Patches(), []
    encoder = build(TokenizerAsEncoderOptions(), context(tokenizer, asked))
    assert asked == ["generation_tokenizer"]
    assert isinstance(encoder, nn.Module)
    assert encoder.tokenizer is tokenizer
    assert (encoder.modality, encoder.width) == ("image", 6)
    transform = build_transform(TokenizerAsEncoderOptions(), context(tokenizer))
    prepared = [transform(torch.randn(3, 8, 8)) for _ in range(2)]
    features = encoder(transform.collate(prepared))
    pixels = torch.stack([p.inputs for p in prepared])
    assert torch.equal(features.tokens, tokenizer.embed(tokenizer.encode(pixels)))
    assert features.tokens.shape == (2, prepared[0].num_tokens, 6)
    assert features.mask is None


def test_gradient_reaches_the_vectors_only_and_freezing_in_one_role_freezes_both() -> None:
    tokenizer = Patches()
    encoder = build(TokenizerAsEncoderOptions(ref="other"), context(tokenizer))
    assert isinstance(encoder, nn.Module)
    both = nn.ModuleDict({"encoder": encoder, "generation_tokenizer": tokenizer})
    assert len(list(both.parameters())) == len(list(tokenizer.parameters()))
    encoder(torch.randn(2, 3, 8, 8)).tokens.sum().backward()
    assert tokenizer.table.weight.grad is not None
    assert tokenizer.measure.weight.grad is None
    both["generation_tokenizer"].requires_grad_(False)
    assert not any(p.requires_grad for p in encoder.parameters())
    assert not encoder(torch.randn(2, 3, 8, 8)).tokens.requires_grad


def test_errors_name_the_ref_and_the_remedy() -> None:
    with pytest.raises(ValueError, match="'encoders.image' is a Linear, which lacks encode, embed, code_width.*name a"):
        build(TokenizerAsEncoderOptions(ref="encoders.image"), context(nn.Linear(2, 2)))
    for factory in (build, build_transform):
        with pytest.raises(ValueError, match="'generation_tokenizer'.*built without one.*recipe"):
            factory(TokenizerAsEncoderOptions(), BuildContext())
    with pytest.raises(ValueError, match="reff"):
        TokenizerAsEncoderOptions(reff="x")


def test_spec_is_light_and_tiny_is_empty() -> None:
    assert SPEC.presets == {"tiny": {}}
    assert all(field.description for field in TokenizerAsEncoderOptions.model_fields.values())
    code = "import sys, janus_tokenizer_as_encoder.plugin, janus_tokenizer_as_encoder.options as o; "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
