"""The small text files that the two published formats have beside their weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing

from janus_core.checkpoints.janus.text import ids_of
from janus_core.text.chat import ChatTemplate
from janus_core.text.tokenizer import TextTokenizer

Json = dict[str, Any]


def write_tokenizer(text: TextTokenizer, path: Path) -> None:
    """``tokenizer.json`` that puts BOS before every text, as the published ones do."""
    text.save(path)
    tokenizer = Tokenizer.from_file(str(path))
    if tokenizer.encode("a").ids[:1] != [text.bos]:
        bos = text.special.bos
        tokenizer.post_processor = TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A {bos} $B", special_tokens=[(bos, text.bos)]
        )
        tokenizer.save(str(path))


def deepseek_text_files(text: TextTokenizer, chat: ChatTemplate, tokens: int, longest: int) -> dict[str, Json | str]:
    """File name -> content, for ``VLChatProcessor``.

    Args:
        tokens: of a picture.
        longest: positions of the language model.
    """
    names = _names(text)
    return {
        "tokenizer_config.json": {
            "tokenizer_class": "LlamaTokenizerFast",
            "add_bos_token": True,
            "add_eos_token": False,
            "bos_token": names["bos"],
            "eos_token": names["eos"],
            "pad_token": names["pad"],
            "model_max_length": longest,
        },
        "special_tokens_map.json": {f"{name}_token": names[name] for name in ("bos", "eos", "pad")},
        "processor_config.json": {
            "add_special_token": False,
            "ignore_id": -100,
            "image_end_tag": names["end"],
            "image_start_tag": names["begin"],
            "image_tag": names["placeholder"],
            "mask_prompt": True,
            "num_image_tokens": tokens,
            "pad_tag": names["pad"],
            "processor_class": "VLChatProcessor",
            "sft_format": "deepseek" if chat.user == "<|User|>" else "deepseek_old",
        },
    }


def huggingface_text_files(text: TextTokenizer, chat: ChatTemplate, tokens: int, longest: int) -> dict[str, Json | str]:
    """File name -> content, for ``JanusProcessor`` and ``generate``."""
    names, ids = _names(text), ids_of(text)
    return {
        "tokenizer_config.json": {
            # By its own name a LlamaTokenizer may be rebuilt without its byte-level split, and lose spaces.
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": names["bos"],
            "eos_token": names["eos"],
            "pad_token": names["pad"],
            "extra_special_tokens": {
                "image_token": names["placeholder"],
                "boi_token": names["begin"],
                "eoi_token": names["end"],
            },
            "model_max_length": longest,
            "processor_class": "JanusProcessor",
        },
        "special_tokens_map.json": {f"{name}_token": names[name] for name in ("bos", "eos", "pad")},
        "processor_config.json": {
            "processor_class": "JanusProcessor",
            "num_image_tokens": tokens,
            "use_default_system_prompt": True,
        },
        "generation_config.json": {
            "bos_token_id": ids["bos"],
            "eos_token_id": ids["eos"],
            "pad_token_id": ids["pad"],
            "temperature": 1.0,
            "guidance_scale": 5,
            "generation_kwargs": {"boi_token_id": ids["begin"]},
        },
        "chat_template.jinja": chat_template(chat, names["eos"], names["placeholder"]),
    }


def chat_template(chat: ChatTemplate, eos: str, placeholder: str) -> str:
    """The template for ``apply_chat_template``: messages whose content is a list of ``image`` and ``text`` parts.

    The system text is not in it: ``JanusProcessor`` puts it before the result.
    """
    return (
        "{%- for message in messages -%}"
        "{%- if message['role'] | lower == 'user' -%}"
        f"{{{{ '{chat.user}: ' }}}}"
        "{%- else -%}"
        f"{{{{ '{chat.assistant}: ' }}}}"
        "{%- endif -%}"
        "{%- if message['content'] is string -%}{{ message['content'] | trim }}"
        "{%- else -%}{%- for part in message['content'] -%}"
        f"{{%- if part['type'] == 'image' -%}}{{{{ '{placeholder}' }}}}"
        "{%- if not loop.last -%}{{ '\\n' }}{%- endif -%}"
        "{%- elif part['type'] == 'text' -%}{{ part['text'] | trim }}{%- endif -%}"
        "{%- endfor -%}{%- endif -%}"
        "{%- if message['role'] | lower == 'user' -%}{{ '\\n\\n' }}"
        f"{{%- else -%}}{{{{ '{eos}' }}}}{{%- endif -%}}"
        "{%- endfor -%}"
        f"{{%- if add_generation_prompt -%}}{{{{ '{chat.assistant}:' }}}}{{%- endif -%}}"
    )


def write_files(folder: Path, files: dict[str, Json | str]) -> None:
    """Write each file, JSON indented."""
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / name).write_text(text, encoding="utf-8")


def _names(text: TextTokenizer) -> dict[str, str]:
    """The special tokens by our names."""
    special = text.special.model_dump()
    return {name: str(value).format(modality="image") for name, value in special.items()}
