"""YAML and ``--set`` -> a validated recipe; every mistake is collected and told at once."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from janus_core.config.begin import complete
from janus_core.config.extend import EXTENDS, read_extended
from janus_core.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def load(kind: type[Model], path: Path, sets: Sequence[str] = (), init: Path | None = None) -> Model:
    """Read a recipe file and those that it extends, complete it from the checkpoint that it starts from, apply
    ``a.b=c`` settings, validate.

    Args:
        init: a checkpoint to start from in place of the recipe's ``init``.

    Raises:
        UserError: with every mistake, its place, the value and what is allowed.
    """
    values, files = read_extended(path)
    return resolve(kind, values, path.parent, sets, init, origin=f" {EXTENDS} ".join(map(str, files)))


def resolve(
    kind: type[Model],
    values: dict[str, Any],
    folder: Path,
    sets: Sequence[str] = (),
    init: Path | None = None,
    *,
    origin: str,
) -> Model:
    """As `load`, of a mapping that was read already and is changed in place.

    Args:
        folder: a relative ``init`` starts there.
        origin: what the message of a mistake begins with.
    """
    if init is not None:
        values["init"] = str(init.absolute())
    first = [text for text in sets if text.startswith("init=")]
    for text in first:
        apply_set(values, text)
    if "init" in kind.model_fields and values.get("init"):
        complete(values, folder)
    for text in sets:
        if text not in first:
            apply_set(values, text)
    return validate(kind, values, origin)


def apply_set(values: dict[str, Any], text: str) -> None:
    """Apply ``a.b.c=value``; the value is YAML, list items go by number or by their name, the first ``=`` splits."""
    key, equals, raw = text.partition("=")
    if not equals or not key:
        raise UserError(f"--set {text!r} is not of the form a.b=c", "for example --set stages.0.steps=10")
    try:
        value = yaml.safe_load(raw)
    except yaml.YAMLError as error:
        raise UserError(f"--set {text!r}: the value is not YAML: {error}") from error
    *path, last = key.split(".")
    place: Any = values
    for index, step in enumerate(path):
        place = _enter(place, step, ".".join(path[: index + 1]), text)
    if isinstance(place, list):
        place[_list_index(place, last, key, text)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise UserError(f"--set {text!r}: {'.'.join(path)} is {place!r}, which has no {last!r}")


def _enter(place: Any, step: str, at: str, text: str) -> Any:
    if isinstance(place, list):
        return place[_list_index(place, step, at, text)]
    if not isinstance(place, dict):
        raise UserError(f"--set {text!r}: there is nothing below {at!r}")
    inner = place.get(step)
    if inner is None:
        inner = {}
    elif isinstance(inner, str):  # a component by its bare word: keep the word as its type
        inner = {"type": inner}
    place[step] = inner
    return inner


def _list_index(items: list[Any], step: str, at: str, text: str) -> int:
    if step.isdecimal() and int(step) < len(items):
        return int(step)
    names = [item.get("name") if isinstance(item, dict) else None for item in items]
    if step in names:
        return names.index(step)
    allowed = [str(name) for name in names if name] + [f"0 to {len(items) - 1}"]
    raise UserError(f"--set {text!r}: {at!r} is no item of the list", f"items: {', '.join(allowed)}")


def validate(kind: type[Model], values: Mapping[str, Any], origin: str) -> Model:
    """Validate a mapping; one error names every mistake."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        lines = [describe(kind, values, dict(item)) for item in error.errors()]
        count = "1 mistake" if len(lines) == 1 else f"{len(lines)} mistakes"
        raise UserError(f"{origin}: {count}\n" + "\n".join(f"  {line}" for line in lines)) from None


def describe(kind: type[BaseModel], values: object, error: Mapping[str, Any]) -> str:
    """One line for one pydantic error: place, value, what is allowed, nearest name."""
    place = ".".join(str(step) for step in error["loc"]) or "(top)"
    if error["type"] == "extra_forbidden":
        fields = _fields_at(kind, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(fields)}"
        return f"{place}: unknown name; {hint}"
    if error["type"] == "missing":
        return f"{place}: missing; add it"
    message = str(error["msg"]).removeprefix("Value error, ")
    shown = repr(error.get("input"))
    return f"{place}: {message}" + (f" (got {shown})" if len(shown) < 80 else "")


def _fields_at(kind: type[BaseModel], path: Sequence[int | str]) -> list[str]:
    """Field names of the model that the path leads to."""
    current: Any = kind
    for step in path:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(step))
            current = field.annotation if field else None
        else:  # list[X], dict[str, X]: the last argument is what they hold
            current = (get_args(current) or (None,))[-1]
        if current is not None and not isinstance(current, type):
            models = [a for a in get_args(current) if isinstance(a, type) and issubclass(a, BaseModel)]
            if models and type(None) in get_args(current):  # X | None
                current = models[0]
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def to_yaml(model: BaseModel) -> str:
    """A recipe as YAML, every default written out."""
    return yaml.safe_dump(model.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=100)
