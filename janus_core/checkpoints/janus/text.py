"""The text tokenizer of a published Janus, its special tokens, and the roles that its weights were trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from janus_core.checkpoints.janus.fields import read_json
from janus_core.config.recipe import TextConfig
from janus_core.errors import UserError
from janus_core.text.chat import ChatTemplate
from janus_core.text.tokenizer import SpecialTokens, TextTokenizer

Family = Literal["1.3b", "pro"]
ROLES: Mapping[Family, tuple[str, str]] = {"1.3b": ("User", "Assistant"), "pro": ("<|User|>", "<|Assistant|>")}
"""Names of the roles (``processing_vlm.py`` of deepseek-ai/Janus); the wrong pair costs accuracy without a word."""

SYSTEM = (
    "You are a helpful language and vision assistant. You are able to understand the visual content that the user "
    "provides, and assist the user with a variety of tasks using natural language."
)
"""What the reference puts before every question, and before no drawing."""

TOKENIZER = "tokenizer.json"
KEYS = {"bos": "bos_token", "eos": "eos_token", "pad": "pad_token"}
TAGS = {
    "begin": ("image_start_tag", "boi_token"),
    "end": ("image_end_tag", "eoi_token"),
    "placeholder": ("image_tag", "image_token"),
}
"""Our name of a token -> its names in DeepSeek's processor_config.json and in Hugging Face's tokenizer_config.json."""

PUBLISHED_ROWS = 100_000
"""A text tokenizer with more ids than this is a published one, whose pad id tells the release."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One sign of the family a checkpoint belongs to; a firm one cannot be overruled."""

    family: Family
    told_by: str
    firm: bool = False


def read_tokenizer(folder: Path, rows: int) -> tuple[TextTokenizer, SpecialTokens]:
    """The tokenizer in ``tokenizer.json``, whatever ``tokenizer_config.json`` says that it is.

    Args:
        rows: of the text embedding.

    Raises:
        UserError: it is missing, is no byte-level BPE, lacks a special token, or has more ids than there are rows.
    """
    path = folder / TOKENIZER
    content = read_json(path)
    if not content:
        raise UserError(f"{path} does not exist or is empty", "the text tokenizer belongs to the weights: fetch it too")
    if (content.get("model") or {}).get("type") != "BPE" or '"ByteLevel"' not in path.read_text(encoding="utf-8"):
        raise UserError(
            f"{path} is no byte-level BPE, which every Janus has", "use the tokenizer.json that lies beside the weights"
        )
    special = _special(folder)
    known = {token["content"] for token in content.get("added_tokens") or []} | set(content["model"].get("vocab", {}))
    wanted = {name: getattr(special, name).format(modality="image") for name in ("bos", "eos", "pad", "begin", "end")}
    lacking = [f"{name} {token!r}" for name, token in wanted.items() if token not in known]
    if lacking:
        raise UserError(
            f"{path} is the wrong text tokenizer: it lacks {', '.join(lacking)}",
            "use the tokenizer.json that lies beside the weights",
        )
    tokenizer = TextTokenizer.load(path, special, ["image"])  # adds the placeholder, which Janus-1.3B's file lacks
    if len(tokenizer) > rows:
        raise UserError(
            f"{path} has {len(tokenizer)} ids, but the weights have {rows} rows of text embedding",
            "use the tokenizer.json that lies beside the weights",
        )
    return tokenizer, special


def check_ids(tokenizer: TextTokenizer, folder: Path, config: Mapping[str, Any]) -> None:
    """Compare the tokenizer's ids with those that the other files state.

    Raises:
        UserError: they differ: the tokenizer is another model's.
    """
    generation = read_json(folder / "generation_config.json")
    extra = generation.get("generation_kwargs") or {}
    image, text = ids_of(tokenizer), config.get("text_config") or {}
    stated = {
        "image_token_id in config.json": (config.get("image_token_id"), image["placeholder"]),
        "boi_token_id in generation_config.json": (extra.get("boi_token_id"), image["begin"]),
    }
    for name in KEYS:
        stated[f"{name}_token_id in generation_config.json"] = (generation.get(f"{name}_token_id"), image[name])
    stated["pad_token_id in config.json"] = (text.get("pad_token_id"), image["pad"])
    wrong = [
        f"{where} is {said}, the tokenizer's is {found}"
        for where, (said, found) in stated.items()
        if said is not None and said != found
    ]
    if wrong:
        raise UserError(
            f"{folder / TOKENIZER} is the wrong text tokenizer:\n" + "\n".join(wrong),
            "use the tokenizer.json that lies beside the weights",
        )


def ids_of(tokenizer: TextTokenizer) -> dict[str, int]:
    """The ids of the special tokens by our names."""
    placeholder = tokenizer.id(tokenizer.special.placeholder.format(modality="image"))
    return {
        "bos": tokenizer.bos,
        "eos": tokenizer.eos,
        "pad": tokenizer.pad,
        "begin": tokenizer.begin("image"),
        "end": tokenizer.end("image"),
        "placeholder": placeholder,
    }


def text_config(tokenizer_file: str, special: SpecialTokens, family: Family) -> TextConfig:
    """The text section of a recipe, with the roles of the family."""
    user, assistant = ROLES[family]
    chat = ChatTemplate(user=user, assistant=assistant, system=SYSTEM)
    return TextConfig(tokenizer=tokenizer_file, special=special, chat=chat)


def family_of(evidence: list[Evidence], said: Family | None) -> Family:
    """The family of a checkpoint, from its files and from what the user says.

    Raises:
        UserError: nothing tells it, the signs contradict each other, or the user contradicts them.
    """
    told = "\n".join(f"{item.told_by}: {item.family}" for item in evidence)
    families = {item.family for item in evidence}
    firm = {item.family for item in evidence if item.firm}
    if said is not None:
        if (firm and said not in firm) or (families and said not in families):
            raise UserError(f"--family {said} contradicts the checkpoint:\n{told}", "leave --family out")
        return said
    remedy = "add --family 1.3b (roles User and Assistant) or --family pro (roles <|User|> and <|Assistant|>)"
    if not evidence:
        raise UserError("nothing in the checkpoint tells whether it is Janus-1.3B or a Janus-Pro", remedy)
    if len(families) > 1:
        raise UserError(f"the checkpoint's files contradict each other about its chat roles:\n{told}", remedy)
    return evidence[0].family


def evidence_of(folder: Path, tokenizer: TextTokenizer, hidden: int) -> list[Evidence]:
    """What the files and sizes of a checkpoint say about its family."""
    found: list[Evidence] = []
    if len(tokenizer) > PUBLISHED_ROWS:
        release: Family = "1.3b" if hidden == 2048 and tokenizer.pad > 100_010 else "pro"
        found.append(Evidence(release, f"pad id {tokenizer.pad} and width {hidden}", firm=True))
    sft = read_json(folder / "processor_config.json").get("sft_format")
    if sft in ("deepseek", "deepseek_old"):
        found.append(Evidence("pro" if sft == "deepseek" else "1.3b", f"sft_format {sft!r} in processor_config.json"))
    for name in ("chat_template.jinja", "chat_template.json", "processor_config.json", "tokenizer_config.json"):
        template = (folder / name).read_text(encoding="utf-8") if (folder / name).is_file() else ""
        if not name.endswith(".jinja"):
            template = str(read_json(folder / name).get("chat_template") or "")
        if "User" in template:
            found.append(Evidence("pro" if "<|User|>" in template else "1.3b", f"the chat template in {name}"))
    return found


def _special(folder: Path) -> SpecialTokens:
    """The names of the special tokens that the checkpoint's files state, Janus' where they are silent."""
    tokens, processor = read_json(folder / "tokenizer_config.json"), read_json(folder / "processor_config.json")
    extra = tokens.get("extra_special_tokens")
    extra = extra if isinstance(extra, dict) else {}
    names = {ours: _content(tokens.get(theirs)) for ours, theirs in KEYS.items()}
    names["pad"] = _content(processor.get("pad_tag")) or names["pad"]
    for ours, (tag, theirs) in TAGS.items():
        names[ours] = _content(processor.get(tag)) or _content(extra.get(theirs)) or _content(tokens.get(theirs))
    default = SpecialTokens()
    same = {ours: name for ours, name in names.items() if name and name != _usual(default, ours)}
    return default.model_copy(update=same)


def _usual(special: SpecialTokens, name: str) -> str:
    return str(getattr(special, name)).format(modality="image")


def _content(value: Any) -> str | None:
    """A token as it may be written: a text, or an object with ``content``."""
    value = value.get("content") if isinstance(value, dict) else value
    return value if isinstance(value, str) and value else None
