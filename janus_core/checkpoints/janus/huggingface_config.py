"""``config.json`` of transformers' ``JanusForConditionalGeneration`` (``model_type: janus``), read and written."""

from __future__ import annotations

from typing import Any

from janus_core.checkpoints.janus.architecture import Architecture, CodeSizes, VisionSizes, check_sizes, image_side
from janus_core.checkpoints.janus.fields import Fields
from janus_core.checkpoints.janus.language_config import read_language, write_language


def read_huggingface(config: dict[str, Any]) -> Architecture:
    """The sizes in a ``config.json``; `UserError` with everything that cannot be used.

    ``tie_word_embeddings`` is not read: its default at the top level is true, and no published Janus is tied.
    """
    fields = Fields(config)
    fields.only("model_type", "janus")
    language = read_language(fields.inner("text_config"))
    tower, grid = fields.inner("vision_config"), fields.inner("vq_config")
    tower.only("hidden_act", "gelu")
    tower.only("attention_bias", True)
    tower.only("use_qk_norm", False)
    tower.only("num_channels", 3)
    tower.only("layer_norm_eps", 1e-6)
    grid.only("hidden_act", "gelu")
    grid.only("double_latent", False)
    default = VisionSizes()
    vision = VisionSizes(
        image_size=tower.number("image_size", default.image_size),
        patch_size=tower.number("patch_size", default.patch_size),
        width=tower.number("hidden_size", default.width),
        depth=tower.number("num_hidden_layers", default.depth),
        heads=tower.number("num_attention_heads", default.heads),
        mlp_ratio=tower.real("mlp_ratio", default.mlp_ratio),
    )
    codes = _codes(grid)
    for section in (tower, grid):
        section.only("projection_dim", language.hidden, absent=2048)
    grid.only("image_token_embed_dim", language.hidden, absent=2048)
    sizes = Architecture(
        language=language,
        vision=vision,
        codes=codes,
        adapter_depth=tower.number("depth", 2),
        generation_adapter_depth=grid.number("num_hidden_layers", 2),
        head_width=language.hidden,
        image_size=image_side(tower.number("num_image_tokens", 576), codes.factor),
    )
    fields.finish()
    check_sizes(sizes)
    return sizes


def write_huggingface(sizes: Architecture, dtype: str, tokens: dict[str, int]) -> dict[str, Any]:
    """The ``config.json`` of a model.

    Args:
        tokens: ids of ``bos``, ``eos``, ``pad`` and ``placeholder``.

    Raises:
        UserError: the head is not as wide as the language model, which this format cannot say.
    """
    hidden, vision, codes = sizes.language.hidden, sizes.vision, sizes.codes
    fields = Fields({"head_width": sizes.head_width}, "generation_head")
    fields.only("head_width", hidden)
    fields.finish()
    text = write_language(sizes.language, dtype)
    text |= {f"{name}_token_id": tokens[name] for name in ("bos", "eos", "pad")}
    return {
        "architectures": ["JanusForConditionalGeneration"],
        "model_type": "janus",
        "image_token_id": tokens["placeholder"],
        "tie_word_embeddings": False,
        "torch_dtype": dtype,
        "text_config": text,
        "vision_config": {
            "model_type": "janus_vision_model",
            "hidden_size": vision.width,
            "num_hidden_layers": vision.depth,
            "num_attention_heads": vision.heads,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "mlp_ratio": vision.mlp_ratio,
            "hidden_act": "gelu",
            "layer_norm_eps": 1e-6,
            "attention_bias": True,
            "projection_dim": hidden,
            "depth": sizes.adapter_depth,
            "num_image_tokens": (sizes.image_size // codes.factor) ** 2,
        },
        "vq_config": {
            "model_type": "janus_vqgan",
            "embed_dim": codes.code_width,
            "num_embeddings": codes.codes,
            "latent_channels": codes.latent_channels,
            "base_channels": codes.base_channels,
            "channel_multiplier": list(codes.multipliers),
            "num_res_blocks": codes.residual_blocks,
            "projection_dim": hidden,
            "num_hidden_layers": sizes.generation_adapter_depth,
            "hidden_act": "gelu",
            "image_token_embed_dim": hidden,
        },
    }


def _codes(grid: Fields) -> CodeSizes:
    default = CodeSizes()
    multipliers = grid.values.get("channel_multiplier", list(default.multipliers))
    if not isinstance(multipliers, list) or not all(isinstance(m, int) and m > 0 for m in multipliers):
        grid.wrong.append(f"{grid.place}.channel_multiplier is {multipliers!r}, and must be a list of whole numbers")
        multipliers = list(default.multipliers)
    return CodeSizes(
        codes=grid.number("num_embeddings", default.codes),
        code_width=grid.number("embed_dim", default.code_width),
        base_channels=grid.number("base_channels", default.base_channels),
        multipliers=tuple(multipliers),
        residual_blocks=grid.number("num_res_blocks", default.residual_blocks),
        latent_channels=grid.number("latent_channels", default.latent_channels),
    )
