"""The sizes of a Janus model, between the two published configurations and a recipe's model section."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from janus_core.config.choose import choose
from janus_core.config.recipe import ComponentChoice, ModelConfig
from janus_core.errors import UserError

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class LanguageSizes:
    """The Llama decoder; the defaults are ``transformers.LlamaConfig``'s, which Janus-Pro-7B's file leaves out."""

    hidden: int = 4096
    inner: int = 11008
    layers: int = 32
    heads: int = 32
    kv_heads: int = 32
    eps: float = 1e-6
    theta: float = 10000.0
    max_positions: int = 2048
    vocabulary: int = 32000


@dataclass(frozen=True, slots=True)
class VisionSizes:
    """The SigLIP tower; the defaults are siglip_large_patch16_384 (``siglip_vit.py`` of deepseek-ai/Janus)."""

    image_size: int = 384
    patch_size: int = 16
    width: int = 1024
    depth: int = 24
    heads: int = 16
    mlp_ratio: float = 4.0


@dataclass(frozen=True, slots=True)
class CodeSizes:
    """The generation tokenizer; the defaults are VQ-16 (``vq_model.py`` of deepseek-ai/Janus)."""

    codes: int = 16384
    code_width: int = 8
    base_channels: int = 128
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    residual_blocks: int = 2
    latent_channels: int = 256

    @property
    def factor(self) -> int:
        """Pixels a side of one code."""
        return int(2 ** (len(self.multipliers) - 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """All sizes of a Janus model.

    Attributes:
        adapter_depth, generation_adapter_depth: linear layers of the two adapters.
        head_width: width between the two layers of the generation head.
        image_size: side of the pictures that it draws.
    """

    language: LanguageSizes
    vision: VisionSizes
    codes: CodeSizes
    adapter_depth: int
    generation_adapter_depth: int
    head_width: int
    image_size: int


def to_model(sizes: Architecture, mean: Triple, std: Triple) -> ModelConfig:
    """The model section of a recipe; ``weights: none`` everywhere, as a checkpoint's tensors fill the model."""
    language, vision, codes = sizes.language, sizes.vision, sizes.codes
    encoder: dict[str, Any] = {"weights": "none", "resize": "pad", "mean": list(mean), "std": list(std)}
    if vision == VisionSizes():
        encoder |= {"model": "ViT-L-16-SigLIP-384", "tag": "webli"}
    else:
        encoder["custom"] = {
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "width": vision.width,
            "depth": vision.depth,
            "heads": vision.heads,
            "mlp_ratio": vision.mlp_ratio,
        }
    decoder = {
        "weights": "none",
        "hidden_size": language.hidden,
        "intermediate_size": language.inner,
        "layers": language.layers,
        "heads": language.heads,
        "kv_heads": language.kv_heads,
        "rms_norm_eps": language.eps,
        "rope_theta": language.theta,
        "max_positions": language.max_positions,
        "tied": False,
    }
    tokenizer = {
        "weights": "none",
        "codes": codes.codes,
        "code_width": codes.code_width,
        "base_channels": codes.base_channels,
        "channel_multipliers": list(codes.multipliers),
        "residual_blocks": codes.residual_blocks,
        "latent_channels": codes.latent_channels,
    }
    return ModelConfig(
        language_model=ComponentChoice(type="llama", options=decoder),
        encoders={"image": ComponentChoice(type="siglip", options=encoder)},
        adapters={"image": ComponentChoice(type="mlp", options={"depth": sizes.adapter_depth})},
        generation_tokenizer=ComponentChoice(type="llamagen_vq", options=tokenizer),
        generation_adapter=ComponentChoice(type="mlp", options={"depth": sizes.generation_adapter_depth}),
        generation_head=ComponentChoice(type="categorical", options={"inner_width": sizes.head_width}),
        image_size=sizes.image_size,
        vocabulary=language.vocabulary,
    )


def of_model(model: ModelConfig, vocabulary: int) -> tuple[Architecture, Triple, Triple]:
    """The sizes, mean and std of a recipe's model section; ``vocabulary`` is the number of its embedding rows.

    Raises:
        UserError: the model has parts that the published formats cannot hold, each named.
    """
    parts = _parts(model)
    decoder, encoder = parts["language_model"], parts["encoders.image"]
    tokenizer, head = parts["generation_tokenizer"], parts["generation_head"]
    language = LanguageSizes(
        hidden=decoder.hidden_size,
        inner=decoder.intermediate_size,
        layers=decoder.layers,
        heads=decoder.heads,
        kv_heads=decoder.key_value_heads,
        eps=decoder.rms_norm_eps,
        theta=decoder.rope_theta,
        max_positions=decoder.max_positions,
        vocabulary=vocabulary,
    )
    codes = CodeSizes(
        codes=tokenizer.codes,
        code_width=tokenizer.code_width,
        base_channels=tokenizer.base_channels,
        multipliers=tuple(tokenizer.channel_multipliers),
        residual_blocks=tokenizer.residual_blocks,
        latent_channels=tokenizer.latent_channels,
    )
    sizes = Architecture(
        language=language,
        vision=_vision(encoder),
        codes=codes,
        adapter_depth=parts["adapters.image"].depth,
        generation_adapter_depth=parts["generation_adapter"].depth,
        head_width=head.inner_width or language.hidden,
        image_size=model.image_size,
    )
    transform = encoder.transform()
    wrong = [] if transform.resize == "pad" else [f"encoders.image: resize {transform.resize}, but Janus pads"]
    wrong += [] if encoder.pool == 1 else [f"encoders.image: pool {encoder.pool}, but Janus keeps every patch"]
    wrong += [] if encoder.layer == -1 else [f"encoders.image: layer {encoder.layer}, but Janus takes the last"]
    wrong += ["language_model: tied, but Janus' text head is a part of its own"] if decoder.tied else []
    _refuse(wrong)
    return sizes, transform.mean, transform.std


def check_sizes(sizes: Architecture) -> None:
    """Refuse sizes that no Janus can have: as many codes as patches, and heads that divide the width.

    Raises:
        UserError: with every size that does not fit.
    """
    vision, codes = sizes.vision, sizes.codes
    wrong = []
    if vision.image_size % vision.patch_size:
        wrong.append(f"the vision tower's patch size {vision.patch_size} does not divide {vision.image_size}")
    if vision.width % vision.heads:
        wrong.append(f"the vision tower's {vision.heads} heads do not divide its width {vision.width}")
    if sizes.language.hidden % sizes.language.heads:
        wrong.append(f"the {sizes.language.heads} attention heads do not divide the width {sizes.language.hidden}")
    if sizes.image_size % codes.factor:
        wrong.append(f"pictures of {sizes.image_size} pixels are no multiple of {codes.factor}, the pixels of a code")
    if wrong:
        raise UserError("config.json: the sizes do not fit each other:\n" + "\n".join(wrong))


def image_side(tokens: int, factor: int) -> int:
    """Side in pixels of a picture of ``tokens`` codes; `UserError` if that is no square."""
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise UserError(f"config.json: {tokens} image tokens are no square grid of codes")
    return side * factor


EXPECTED: Mapping[str, tuple[str, str]] = {
    "language_model": ("language_model", "llama"),
    "encoders.image": ("understanding_encoder", "siglip"),
    "adapters.image": ("adapter", "mlp"),
    "generation_tokenizer": ("generation_tokenizer", "llamagen_vq"),
    "generation_adapter": ("adapter", "mlp"),
    "generation_head": ("generation_head", "categorical"),
}
"""Part -> kind and component of every published Janus."""


def choice_of(model: ModelConfig, part: str) -> ComponentChoice | None:
    """What a model section says of a part, or None."""
    name, _, route = part.partition(".")
    found: Any = getattr(model, name)
    choice: ComponentChoice | None = found.get(route) if route else found
    return choice


def _parts(model: ModelConfig) -> dict[str, Any]:
    """The options of each part; `UserError` if the parts are not Janus'."""
    routes = [f"encoders.{route}: the formats have one route, image" for route in model.encoders if route != "image"]
    options: dict[str, Any] = {}
    wrong = list(routes)
    for part, (kind, name) in EXPECTED.items():
        choice = choice_of(model, part)
        if choice is None:
            wrong.append(f"{part}: missing, the formats have a {name} there")
            continue
        chosen = choose(kind, choice, f"model.{part}")
        if chosen.component.spec.name != name:
            wrong.append(f"{part}: is {chosen.component.qualified}, the formats have a {name} there")
        options[part] = chosen.options
    _refuse(wrong)
    return options


def _vision(encoder: Any) -> VisionSizes:
    if encoder.custom is not None:
        return VisionSizes(**encoder.custom.model_dump())
    if encoder.model != "ViT-L-16-SigLIP-384":
        _refuse([f"encoders.image: {encoder.model}; name its sizes as custom, or use ViT-L-16-SigLIP-384"])
    return VisionSizes()


def _refuse(wrong: list[str]) -> None:
    if wrong:
        raise UserError(
            "this model is no Janus, so Janus' formats cannot hold it:\n" + "\n".join(wrong),
            "our own format holds any model: copy the checkpoint as it is",
        )
