"""Tiny checkpoints as DeepSeek and Hugging Face publish them, made by transformers and by renaming its keys.

The renaming here is written anew, as an ordered list of substitutions, and shares nothing with the code under test.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

SPECIAL = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<begin_of_image>", "<end_of_image>"]
PLACEHOLDER = "<image_placeholder>"
MERGES = ["Ġ t", "h e", "Ġt he", "i n", "Ġ a", "e r", "r e", "o n", "Ġ w", "\n \n".replace("\n", "Ċ"), "U s", "er :"]


@dataclass(frozen=True)
class Shape:
    """One tiny model."""

    hidden: int = 64
    inner: int = 128
    layers: int = 2
    heads: int = 4
    kv_heads: int = 4
    rows: int = 300
    width: int = 64
    depth: int = 2
    vision_heads: int = 4
    patch: int = 16
    image: int = 64
    mlp_ratio: float = 4.0
    aligner: int = 2
    gen_aligner: int = 2
    codes: int = 128
    code_width: int = 8
    base: int = 32
    multipliers: tuple[int, ...] = (1, 1, 2, 2, 4)
    blocks: int = 2
    latent: int = 64


SHAPES = {
    "sheet": Shape(),
    "grouped": Shape(hidden=48, inner=80, layers=3, heads=6, kv_heads=2, width=32, depth=3, vision_heads=2, aligner=3),
    "small_vq": Shape(patch=4, image=16, multipliers=(1, 2, 2), base=32, blocks=1, latent=32, gen_aligner=3, codes=50),
}


def tokenizer(placeholder: bool = True) -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pairs = [tuple(m.split(" ")) for m in MERGES]
    vocab = {token: i for i, token in enumerate(dict.fromkeys([*alphabet, *("".join(p) for p in pairs)]))}
    pairs = [p for p in pairs if p[0] in vocab and p[1] in vocab]
    made = Tokenizer(models.BPE(vocab=vocab, merges=pairs))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    names = [*SPECIAL, *([PLACEHOLDER] if placeholder else [])]
    made.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    from tokenizers.processors import TemplateProcessing

    made.post_processor = TemplateProcessing(
        single=f"{SPECIAL[0]} $A", special_tokens=[(SPECIAL[0], made.token_to_id(SPECIAL[0]))]
    )
    return made


def reference(shape: Shape, seed: int = 0) -> Any:
    """transformers' model, every tensor random, codebook rows of any length."""
    from transformers import (
        GenerationConfig,
        JanusConfig,
        JanusForConditionalGeneration,
        JanusVisionConfig,
        JanusVQVAEConfig,
        LlamaConfig,
    )

    ids = tokenizer()
    bos, eos, pad, boi = (ids.token_to_id(name) for name in SPECIAL[:4])
    tokens = (shape.image // shape.patch) ** 2
    config = JanusConfig(
        text_config=LlamaConfig(
            hidden_size=shape.hidden,
            intermediate_size=shape.inner,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            num_key_value_heads=shape.kv_heads,
            vocab_size=shape.rows,
            max_position_embeddings=2048,
            rms_norm_eps=1e-6,
            tie_word_embeddings=False,
            pad_token_id=pad,
            bos_token_id=bos,
            eos_token_id=eos,
        ),
        vision_config=JanusVisionConfig(
            hidden_size=shape.width,
            num_hidden_layers=shape.depth,
            num_attention_heads=shape.vision_heads,
            patch_size=shape.patch,
            image_size=shape.image,
            mlp_ratio=shape.mlp_ratio,
            projection_dim=shape.hidden,
            depth=shape.aligner,
            num_image_tokens=tokens,
        ),
        vq_config=JanusVQVAEConfig(
            embed_dim=shape.code_width,
            num_embeddings=shape.codes,
            latent_channels=shape.latent,
            base_channels=shape.base,
            channel_multiplier=list(shape.multipliers),
            num_res_blocks=shape.blocks,
            projection_dim=shape.hidden,
            num_hidden_layers=shape.gen_aligner,
            image_token_embed_dim=shape.hidden,
        ),
        image_token_id=ids.token_to_id(PLACEHOLDER),
        tie_word_embeddings=False,
    )
    torch.manual_seed(seed)
    model = JanusForConditionalGeneration(config)
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn(tensor.shape, generator=generator)
            if "norm" in name and name.endswith("weight"):
                tensor.copy_(1 + 0.1 * noise)
            elif tensor.ndim >= 2 and "embed" not in name and "quantize" not in name:
                tensor.copy_(noise / tensor[0].numel() ** 0.5)
            else:
                tensor.copy_(
                    noise
                    * (
                        3.0
                        if "generation_embeddings" in name
                        else 0.5
                        if "embed" in name or "quantize" in name
                        else 0.1
                    )
                )
    model.generation_config = GenerationConfig(
        bos_token_id=bos,
        eos_token_id=eos,
        pad_token_id=pad,
        guidance_scale=5.0,
        do_sample=False,
        generation_kwargs={"boi_token_id": boi},
    )
    return model.eval()


def carried(shape: Shape, seed: int = 5) -> dict[str, Tensor]:
    """The 14 tensors of DeepSeek's files that Hugging Face drops."""
    generator = torch.Generator().manual_seed(seed)
    w, inner = shape.width, int(shape.width * shape.mlp_ratio)
    shapes = {"latent": (1, 1, w), "q.weight": (w, w), "q.bias": (w,), "kv.weight": (2 * w, w), "kv.bias": (2 * w,)}
    shapes |= {"proj.weight": (w, w), "proj.bias": (w,), "norm.weight": (w,), "norm.bias": (w,)}
    shapes |= {
        "mlp.fc1.weight": (inner, w),
        "mlp.fc1.bias": (inner,),
        "mlp.fc2.weight": (w, inner),
        "mlp.fc2.bias": (w,),
    }
    named = {f"vision_model.vision_tower.attn_pool.{name}": size for name, size in shapes.items()}
    named["gen_vision_model.quantize.codebook_used"] = (65536,)
    return {name: torch.randn(size, generator=generator) for name, size in named.items()}


SUBSTITUTIONS = [
    (r"^lm_head\.", "language_model.lm_head."),
    (r"^model\.language_model\.", "language_model.model."),
    (r"^model\.vision_model\.embeddings\.position_embedding\.weight", "vision_model.vision_tower.pos_embed"),
    (r"^model\.vision_model\.embeddings\.patch_embedding\.", "vision_model.vision_tower.patch_embed.proj."),
    (r"^model\.vision_model\.encoder\.layers\.", "vision_model.vision_tower.blocks."),
    (r"^model\.vision_model\.post_layernorm\.", "vision_model.vision_tower.norm."),
    (r"\.layer_norm([12])\.", r".norm\1."),
    (r"\.self_attn\.projection_layer\.", ".attn.proj."),
    (r"^model\.aligner\.fc1\.", "aligner.layers.0."),
    (r"^model\.generation_aligner\.fc1\.", "gen_aligner.layers.0."),
    (r"^model\.generation_head\.proj_out\.", "gen_head.output_mlp_projector."),
    (r"^model\.generation_head\.", "gen_head."),
    (r"^model\.generation_embeddings\.", "gen_embed."),
    (r"^model\.vqmodel\.", "gen_vision_model."),
    (r"\.mid\.block_1\.", ".mid.0."),
    (r"\.mid\.attn_1\.", ".mid.1."),
    (r"\.mid\.block_2\.", ".mid.2."),
    (r"^(gen_vision_model\.(?:en|de)coder)\.(?:down|up)\.(\d+)\.block\.", r"\1.conv_blocks.\2.res."),
    (r"^(gen_vision_model\.(?:en|de)coder)\.(?:down|up)\.", r"\1.conv_blocks."),
]


def deepseek_state(state: dict[str, Tensor], extra: dict[str, Tensor]) -> dict[str, Tensor]:
    """The reference's state dict under the original names, with the 14 tensors."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        found = re.match(r"^model\.(aligner|generation_aligner)\.hidden_layers\.(\d+)\.(\w+)$", name)
        if found:
            part = "aligner" if found[1] == "aligner" else "gen_aligner"
            renamed[f"{part}.layers.{2 * int(found[2]) + 2}.{found[3]}"] = tensor
            continue
        new = name
        for pattern, into in SUBSTITUTIONS:
            new = re.sub(pattern, into, new)
        if ".self_attn.q_proj." in name and "vision_model" in name:
            parts = [state[name.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
            renamed[new.replace(".self_attn.q_proj.", ".attn.qkv.")] = torch.cat(parts)
        elif "vision_model" in name and re.search(r"\.self_attn\.[kv]_proj\.", name):
            continue
        else:
            renamed[new] = tensor[None] if new.endswith("pos_embed") else tensor
    return renamed | extra


def pro_template() -> str:
    return "{% for m in messages %}<|User|>: ...<|Assistant|>:{% endfor %}"


def small_files(folder: Path, form: str, family: str, shape: Shape, *, placeholder: bool = True) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer(placeholder).save(str(folder / "tokenizer.json"))
    names = {"bos_token": SPECIAL[0], "eos_token": SPECIAL[1], "pad_token": SPECIAL[2]}
    tokens = (shape.image // shape.patch) ** 2
    if form == "deepseek":
        put(folder / "tokenizer_config.json", {"tokenizer_class": "LlamaTokenizer", **names, "pad_token": None})
        put(
            folder / "processor_config.json",
            {
                "image_start_tag": SPECIAL[3],
                "image_end_tag": SPECIAL[4],
                "image_tag": PLACEHOLDER,
                "pad_tag": SPECIAL[2],
                "num_image_tokens": tokens,
                "processor_class": "VLChatProcessor",
                "sft_format": "deepseek" if family == "pro" else "deepseek_old",
            },
        )
        picture: dict[str, Any] = {"image_size": shape.image, "min_size": 14, "processor_class": "VLChatProcessor"}
    else:
        extra = {"image_token": PLACEHOLDER, "boi_token": SPECIAL[3], "eoi_token": SPECIAL[4]}
        put(
            folder / "tokenizer_config.json",
            {"tokenizer_class": "PreTrainedTokenizerFast", **names, "extra_special_tokens": extra},
        )
        put(
            folder / "processor_config.json",
            {"processor_class": "JanusProcessor", "num_image_tokens": tokens, "use_default_system_prompt": True},
        )
        template = pro_template() if family == "pro" else pro_template().replace("<|", "").replace("|>", "")
        (folder / "chat_template.jinja").write_text(template)
        picture = {"size": {"height": shape.image, "width": shape.image}, "image_processor_type": "JanusImageProcessor"}
    put(
        folder / "preprocessor_config.json",
        picture
        | {
            "image_mean": [0.5] * 3,
            "image_std": [0.5] * 3,
            "do_normalize": True,
            "background_color": [127] * 3,
            "rescale_factor": 0.00392156862745098,
        },
    )
    (folder / "LICENSE").write_text("DEEPSEEK LICENSE AGREEMENT\n")


def deepseek_config(shape: Shape) -> dict[str, Any]:
    aligner = {"depth": shape.aligner, "input_dim": shape.width, "n_embed": shape.hidden, "projector_type": "mlp_gelu"}
    return {
        "model_type": "multi_modality",
        "torch_dtype": "float32",
        "aligner_config": {"cls": "MlpProjector", "params": aligner},
        "gen_aligner_config": {
            "cls": "MlpProjector",
            "params": {**aligner, "depth": shape.gen_aligner, "input_dim": shape.code_width},
        },
        "gen_head_config": {
            "cls": "vision_head",
            "params": {"image_token_embed": shape.hidden, "image_token_size": shape.codes, "n_embed": shape.hidden},
        },
        "gen_vision_config": {
            "cls": "VQ-16",
            "params": {
                "image_token_size": shape.codes,
                "n_embed": shape.code_width,
                "base_channels": shape.base,
                "multipliers": list(shape.multipliers),
                "residual_blocks": shape.blocks,
                "latent_channels": shape.latent,
            },
        },
        "vision_config": {
            "cls": "CLIPVisionTower",
            "params": {
                "image_size": shape.image,
                "model_name": "siglip_tiny",
                "select_feature": "same",
                "select_layer": -1,
                "patch_size": shape.patch,
                "width": shape.width,
                "depth": shape.depth,
                "heads": shape.vision_heads,
                "mlp_ratio": shape.mlp_ratio,
            },
        },
        "language_config": {
            "model_type": "llama",
            "hidden_size": shape.hidden,
            "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads,
            "vocab_size": shape.rows,
            "max_position_embeddings": 2048,
            "_attn_implementation": "flash_attention_2",
        },
    }


def put(path: Path, values: Any) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False), encoding="utf-8")


def write_huggingface(folder: Path, model: Any, shape: Shape, family: str = "pro", **options: Any) -> Path:
    small_files(folder, "huggingface", family, shape)
    model.save_pretrained(folder, **options)
    return folder


def write_deepseek(
    folder: Path,
    state: dict[str, Tensor],
    shape: Shape,
    family: str = "pro",
    *,
    bins: int = 0,
    placeholder: bool = True,
) -> Path:
    """Safetensors, or with ``bins`` that many shards of torch.save."""
    from safetensors.torch import save_file

    small_files(folder, "deepseek", family, shape, placeholder=placeholder)
    put(folder / "config.json", deepseek_config(shape))
    state = {name: tensor.contiguous() for name, tensor in state.items()}
    if not bins:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    names = list(state)
    step = -(-len(names) // bins)
    table = {}
    for number in range(bins):
        file = f"pytorch_model-{number + 1:05d}-of-{bins:05d}.bin" if bins > 1 else "pytorch_model.bin"
        part = names[number * step : (number + 1) * step]
        torch.save({name: state[name] for name in part}, folder / file)
        table |= dict.fromkeys(part, file)
    if bins > 1:
        put(folder / "pytorch_model.bin.index.json", {"metadata": {}, "weight_map": table})
    return folder


def tensors(folder: Path) -> dict[str, Tensor]:
    """All tensors of a written model, by safetensors' own reader."""
    from safetensors.torch import load_file

    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        found |= load_file(path)
    return found


def differing(first: dict[str, Tensor], second: dict[str, Tensor]) -> list[str]:
    """Names that are in one only, or whose tensors differ in type, shape or any bit."""
    return [
        name
        for name in sorted(first.keys() | second.keys())
        if name not in first
        or name not in second
        or first[name].dtype != second[name].dtype
        or not torch.equal(first[name], second[name])
    ]
