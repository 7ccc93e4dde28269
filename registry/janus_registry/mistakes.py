"""Wrong options as data: where, what was written, what is allowed, and the nearest right name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from janus_registry.errors import RegistryError, nearest

REQUIRED = "this option is required"


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong entry.

    Attributes:
        place: dotted path, for example ``model.encoder.options.width``.
        value: what was written there.
        problem: what is wrong with it.
        allowed: the names or values that are allowed, where they can be listed.
        nearest: the allowed one most like what was written, or None.
        remedy: what mends it, where that is more than writing an allowed value.
    """

    place: str
    value: object
    problem: str
    allowed: tuple[str, ...] = ()
    nearest: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        text = f"{self.place}: {self.problem}"
        if self.nearest is not None:
            text += f" (did you mean {self.nearest!r}?)"
        if self.allowed:
            text += f"; allowed: {', '.join(self.allowed)}"
        return text if self.remedy is None else f"{text}\n  {self.remedy}"


class OptionsError(RegistryError):
    """Every mistake of one choice of component, its preset and its options."""

    def __init__(self, mistakes: Sequence[Mistake], remedy: str | None = None) -> None:
        super().__init__("\n".join(map(str, mistakes)), remedy)
        self.mistakes = tuple(mistakes)


def dotted(*parts: object) -> str:
    """Parts of a place joined by dots, empty ones left out."""
    return ".".join(str(part) for part in parts if part != "")


def name_mistake(place: str, word: object, noun: str, allowed: Iterable[str]) -> Mistake:
    """``word`` is none of the ``allowed`` names."""
    names = tuple(allowed)
    near = nearest(str(word), names, limit=1)
    return Mistake(place, word, f"there is no {noun} {word!r}", names or ("none",), near[0] if near else None)


def mistakes_in(error: ValidationError, model: type[BaseModel], place: str, preset: Mapping[str, Any]) -> list[Mistake]:
    """All mistakes that pydantic found in options of ``model``.

    Args:
        error: what pydantic raised.
        model: the options model.
        place: dotted path of the options.
        preset: the options that come from the preset and not from the user, for the blame.
    """
    found = []
    for item in error.errors(include_url=False):
        location = item["loc"]
        where = dotted(place, *location)
        value = item["input"]
        source = " (from the preset)" if location and location[0] in preset else ""
        if item["type"] == "extra_forbidden":
            found.append(name_mistake(where, str(location[-1]), "option", _fields_at(model, location[:-1])))
        elif item["type"] == "missing":
            found.append(Mistake(where, None, REQUIRED, remedy=_description(model, location)))
        elif item["type"] in ("literal_error", "enum"):
            allowed = tuple(_expected(str(item.get("ctx", {}).get("expected", ""))))
            near = nearest(str(value), allowed, limit=1)
            found.append(Mistake(where, value, f"{value!r} is not allowed{source}", allowed, near[0] if near else None))
        else:
            problem = item["msg"][:1].lower() + item["msg"][1:]
            written = f"; it is {value!r}" if location else ""
            found.append(Mistake(where, value, f"{problem}{written}{source}"))
    return found


def _expected(text: str) -> list[str]:
    """The values of pydantic's "'a', 'b' or 'c'"."""
    return [part.strip().strip("'") for part in text.replace(" or ", ", ").split(",") if part.strip()]


def _models_at(model: type[BaseModel], location: Sequence[int | str]) -> list[type[BaseModel]]:
    """The models at a place inside ``model``; several where a union allows several."""
    models = [model]
    for part in location:
        fields = [found.model_fields[part] for found in models if part in found.model_fields]
        inner = [nested for field in fields for nested in _models_in(field.annotation)]
        named = [found for found in models if found.__name__ == part]
        models = inner or named or models  # an index, a key or the tag of a union names no field: stay
    return models


def _fields_at(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The names of the options at a place inside ``model``, as they are written (aliases where there are)."""
    return [field.alias or name for found in _models_at(model, location) for name, field in found.model_fields.items()]


def _description(model: type[BaseModel], location: Sequence[int | str]) -> str | None:
    """What the option at ``location`` means, by its field's description."""
    for found in _models_at(model, location[:-1]):
        for name, field in found.model_fields.items():
            if location[-1] in (name, field.alias) and field.description:
                return f"{location[-1]}: {field.description}"
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]
