"""``config.json`` of deepseek-ai/Janus (``model_type: multi_modality``), read and written."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from janus_core.checkpoints.janus.architecture import Architecture, CodeSizes, VisionSizes, check_sizes
from janus_core.checkpoints.janus.fields import Fields
from janus_core.checkpoints.janus.language_config import read_language, write_language

MODEL_NAME = "siglip_large_patch16_384"
TOWERS = {
    MODEL_NAME: VisionSizes(),
    # The registry of siglip_vit.py; the one that is named 384 is built for 336.
    "siglip_so400m_patch14_384": VisionSizes(336, 14, 1152, 27, 16, 3.7362),
    "siglip_so400m_patch14_224": VisionSizes(224, 14, 1152, 27, 16, 3.7362),
}
OWN_NAME = "siglip_custom"
"""What an export of other sizes is called; they stand beside the name, and the original code has no such tower."""


def read_deepseek(config: dict[str, Any]) -> Architecture:
    """The sizes in a ``config.json``; `UserError` with everything that cannot be used."""
    fields = Fields(config)
    fields.only("model_type", "multi_modality")
    aligner, gen_aligner = _projector(fields, "aligner_config"), _projector(fields, "gen_aligner_config")
    head = fields.inner("gen_head_config", "params")
    vision, codes = _vision(fields), _codes(fields)
    language = read_language(fields.inner("language_config"))
    for section in (aligner, gen_aligner, head):
        section.only("n_embed", language.hidden)
    aligner.only("input_dim", vision.width)
    gen_aligner.only("input_dim", codes.code_width)
    head.only("image_token_size", codes.codes)
    sizes = Architecture(
        language=language,
        vision=vision,
        codes=codes,
        adapter_depth=aligner.number("depth", 1),
        generation_adapter_depth=gen_aligner.number("depth", 1),
        head_width=head.number("image_token_embed", language.hidden),
        image_size=vision.image_size // vision.patch_size * codes.factor,
    )
    fields.finish()
    check_sizes(sizes)
    return sizes


def write_deepseek(sizes: Architecture, dtype: str) -> dict[str, Any]:
    """The ``config.json`` of a model."""
    hidden, vision, codes = sizes.language.hidden, sizes.vision, sizes.codes
    known = {name for name, tower in TOWERS.items() if tower == vision}
    tower: dict[str, Any] = {"image_size": vision.image_size, "model_name": min(known, default=OWN_NAME)}
    tower |= {"select_feature": "same", "select_layer": -1}
    tower |= {} if known else {key: value for key, value in asdict(vision).items() if key != "image_size"}
    grid: dict[str, Any] = {"image_token_size": codes.codes, "n_embed": codes.code_width}
    grid |= {key: list(v) if isinstance(v, tuple) else v for key, v in _pyramid(codes).items()}
    return {
        "model_type": "multi_modality",
        "architectures": ["MultiModalityCausalLM"],
        "aligner_config": _write_projector(vision.width, hidden, sizes.adapter_depth, "aligner"),
        "gen_aligner_config": _write_projector(codes.code_width, hidden, sizes.generation_adapter_depth, "gen_aligner"),
        "gen_head_config": {
            "cls": "vision_head",
            "model_type": "gen_head",
            "params": {"image_token_embed": sizes.head_width, "image_token_size": codes.codes, "n_embed": hidden},
        },
        "gen_vision_config": {"cls": "VQ-16", "model_type": "gen_vision", "params": grid},
        "vision_config": {"cls": "CLIPVisionTower", "model_type": "vision", "params": tower},
        "language_config": write_language(sizes.language, dtype),
        "torch_dtype": dtype,
    }


def _pyramid(codes: CodeSizes) -> dict[str, Any]:
    """The sizes of the tokenizer that differ from VQ-16's; the original format has no names for them."""
    pyramid = ("base_channels", "multipliers", "residual_blocks", "latent_channels")
    return {name: getattr(codes, name) for name in pyramid if getattr(codes, name) != getattr(CodeSizes(), name)}


def _write_projector(width: int, hidden: int, depth: int, name: str) -> dict[str, Any]:
    params = {"depth": depth, "input_dim": width, "n_embed": hidden, "projector_type": "mlp_gelu"}
    return {"cls": "MlpProjector", "model_type": name, "params": params}


def _projector(fields: Fields, name: str) -> Fields:
    params = fields.inner(name, "params")
    params.only("projector_type", "mlp_gelu", absent="(missing)")
    return params


def _vision(fields: Fields) -> VisionSizes:
    params = fields.inner("vision_config", "params")
    params.only("select_layer", -1)
    name = params.values.get("model_name", MODEL_NAME)
    known = TOWERS.get(str(name))
    if known is not None:
        params.only("image_size", known.image_size)
        return known
    if "width" not in params.values:
        params.wrong.append(
            f"{params.place}.model_name is {name!r}; known: {', '.join(TOWERS)}; for another tower write its "
            "patch_size, width, depth, heads and mlp_ratio beside the name"
        )
        return VisionSizes()
    whole = {key: params.number(key) for key in ("image_size", "patch_size", "width", "depth", "heads")}
    return VisionSizes(**whole, mlp_ratio=params.real("mlp_ratio", 4.0))


def _codes(fields: Fields) -> CodeSizes:
    params, default = fields.inner("gen_vision_config", "params"), CodeSizes()
    multipliers = params.values.get("multipliers", list(default.multipliers))
    if not isinstance(multipliers, list) or not all(isinstance(m, int) and m > 0 for m in multipliers):
        params.wrong.append(f"{params.place}.multipliers is {multipliers!r}, and must be a list of whole numbers")
        multipliers = list(default.multipliers)
    return CodeSizes(
        codes=params.number("image_token_size", default.codes),
        code_width=params.number("n_embed", default.code_width),
        base_channels=params.number("base_channels", default.base_channels),
        multipliers=tuple(multipliers),
        residual_blocks=params.number("residual_blocks", default.residual_blocks),
        latent_channels=params.number("latent_channels", default.latent_channels),
    )
