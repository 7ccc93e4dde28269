"""A recipe that starts from a checkpoint takes its model and text from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from janus_core.config.yaml_file import read_yaml
from janus_core.errors import UserError

RECIPE, FACTS, TEXT = "recipe.yaml", "janus.json", "text_tokenizer.json"
"""Files of a checkpoint."""

BOUND = ("tokenizer", "special")
"""What weights are trained with and no later recipe may change; the roles are bound too, the system text is not."""


def checkpoint_folder(folder: Path) -> Path:
    """The checkpoint in a folder: the folder itself, or ``checkpoint`` in the folder of a run.

    Raises:
        UserError: there is none.
    """
    for place in (folder, folder / "checkpoint"):
        if (place / FACTS).is_file():
            return place
    what = "does not exist" if not folder.exists() else f"is no checkpoint: it holds no {FACTS}"
    raise UserError(
        f"{folder} {what}", "give the folder of a run or of a checkpoint; 'janus train' and 'janus import' write one"
    )


def complete(values: dict[str, Any], folder: Path) -> None:
    """Fill in ``model``, ``text`` and the guidance of drawings of a recipe from its ``init``.

    Args:
        values: the recipe's mapping, changed in place.
        folder: the recipe's; a relative ``init`` starts there.

    Raises:
        UserError: ``init`` is no checkpoint, or the recipe changes the tokenizer or the roles of its text.
    """
    if "model" in values and "text" in values and values["text"].get("tokenizer") == TEXT:
        return  # the recipe of a checkpoint, which is whole
    place = checkpoint_folder(folder / str(values["init"]))
    values["init"] = str(place.resolve())
    theirs = read_yaml(place / RECIPE)
    values.setdefault("model", theirs["model"])
    text: dict[str, Any] = theirs["text"]
    text["tokenizer"] = str((place / text["tokenizer"]).resolve())
    given = values.get("text") or {}
    chat = given.get("chat") or {}
    wrong = [f"text.{name}" for name in BOUND if name in given and given[name] != text[name]]
    wrong += [
        f"text.chat.{role}: {chat[role]!r}, the checkpoint's is {text['chat'][role]!r}"
        for role in ("user", "assistant")
        if role in chat and chat[role] != text["chat"][role]
    ]
    if wrong:
        raise UserError(
            f"the weights in {place} are bound to the text that they were trained with, but the recipe has:\n"
            + "\n".join(wrong),
            "leave them out of the recipe",
        )
    samples = values.get("samples") or {}
    values["samples"] = {"guidance": theirs["samples"]["guidance"], **samples}
    values["text"] = {**text, "chat": {**text["chat"], **chat}}
