"""What ``janus plugins new --wrap`` asks: a model of a library -> all that a plugin of it says.

Everything is read from the library's own configuration and measured in forwards on the meta device: no weights are
read, and of timm and open_clip nothing is fetched.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import version
from typing import Any

import torch

from janus_core.errors import UserError
from janus_core.scaffold.wraps import Wrapped
from janus_registry.errors import did_you_mean
from janus_wrap.encoder import WrappedEncoder, shape_of
from janus_wrap.library import library
from janus_wrap.options import Facts, WrapOptions

GRID = 4
"""Tokens a side of the tiny model."""


def unknown_model(library: str, model: str, names: Iterable[str]) -> UserError:
    """The error of a name that the library does not have."""
    names = list(names)
    return UserError(
        f"--wrap {library}:{model}: {library} has no vision model {model!r}{did_you_mean(model, names)}",
        f"it has {len(names)}; those that begin alike: {', '.join(_alike(model, names)) or 'none'}",
    )


def _alike(model: str, names: Sequence[str]) -> list[str]:
    """Up to eight names with the longest common beginning."""
    for length in range(min(len(model), 12), 2, -1):
        found = [name for name in names if name.lower().startswith(model[:length].lower())]
        if found:
            return found[:8]
    return []


def wrapped(
    facts: Facts,
    tiny: Sequence[Mapping[str, Any]],
    *,
    distribution: str,
    requires: tuple[str, ...],
    weights: Mapping[str, str],
    licence: str = "",
) -> Wrapped:
    """All that a plugin of the model says.

    Args:
        facts: of the model.
        tiny: settings that may make it small, of which the first that the library takes is used.
        distribution: the library's name in package indices.
        requires: PEP 508.
        weights: what the option ``weights`` takes, with what it means.
        licence: of the published weights.

    Raises:
        UserError: the model does not give tokens of a picture.
    """

    class Options(WrapOptions):
        pass

    Options.facts = facts
    try:
        count, width = shape_of(Options(weights="none"))
    except (ValueError, RuntimeError, AttributeError, TypeError, AssertionError) as error:
        text = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"--wrap {facts.library}:{facts.model}: its features are no tokens of a picture: {text[:300]}",
            "choose a model that takes pictures of one size, or begin without --wrap",
        ) from error
    small = _tiny(Options, tiny, facts.image_size / math.sqrt(count))
    return Wrapped(
        library=facts.library,
        version=version(distribution),
        model=facts.model,
        facts={field.name: getattr(facts, field.name) for field in fields(facts) if getattr(facts, field.name)},
        tiny={**small.model_dump(exclude_unset=True), "weights": "none"},
        capabilities={"unused_parameters": unused} if (unused := _unused(small)) else {},
        requires=requires,
        licence=licence,
        measured={"parameters": _parameters(Options(weights="none")), "tokens": count, "wide": width},
        weights={"`none`": "random", **weights},
    )


def _tiny(kind: type[WrapOptions], candidates: Sequence[Mapping[str, Any]], pixels: float) -> WrapOptions:
    """The first candidate that builds, on a picture of `GRID` tokens a side if it takes one."""
    sides = (round(pixels * GRID), kind.facts.image_size)
    for config in (*candidates, {}):
        for side in sides:
            options = kind(weights="none", image_size=side, config=dict(config))
            try:
                shape_of(options)
            except (ValueError, RuntimeError, TypeError, IndexError, AssertionError):
                continue
            return options
    return kind(weights="none")


def _meta(options: WrapOptions) -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        return library(options.facts.library).build_trunk(options.facts, options.side, options.config)


def _parameters(options: WrapOptions) -> int:
    return sum(parameter.numel() for parameter in _meta(options).parameters())


def _unused(options: WrapOptions) -> tuple[str, ...]:
    """Prefixes of the parameters that no gradient reaches, as names of `WrappedEncoder`."""
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.enable_grad():
        encoder = WrappedEncoder(options).eval()
        encoder(torch.zeros(2, 3, options.side, options.side)).tokens.sum().backward()
    named = list(encoder.named_parameters())
    used = {name for name, parameter in named if parameter.grad is not None}
    found: dict[str, None] = {}
    for name, parameter in named:
        if parameter.grad is None:
            parts = name.split(".")
            prefixes = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
            found[next(p for p in prefixes if not any(name == p or name.startswith(f"{p}.") for name in used))] = None
    return tuple(found)
