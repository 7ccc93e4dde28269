"""The plugins of this program: the generic engine bound to our hooks. Imports neither torch nor pydantic."""

from __future__ import annotations

from functools import cache
from typing import Literal

from janus_core.hookspecs import GROUP, HOOK_API, HOOKS, JanusHooks
from janus_registry.manager import PluginManager
from janus_registry.records import Component

Kind = Literal[
    "understanding_encoder",
    "generation_tokenizer",
    "adapter",
    "generation_head",
    "language_model",
    "data_source",
    "benchmark",
    "command",
]

DISTRIBUTION = "janus-umm"
PROJECT = "janus"
ENVIRONMENT_PREFIX = "JANUS"


@cache
def manager() -> PluginManager:
    """The plugin manager of this process; plugins are loaded at the first question, not here."""
    return PluginManager(
        project=PROJECT,
        group=GROUP,
        hooks=JanusHooks,
        kinds=HOOKS,
        api=HOOK_API,
        api_attribute="JANUS_HOOK_API",
        environment_prefix=ENVIRONMENT_PREFIX,
    )


def component(kind: Kind, name: str) -> Component:
    """The component of this kind that ``name`` names; errors as `PluginManager.resolve`."""
    return manager().resolve(kind, name)


def components(kind: Kind | None = None) -> tuple[Component, ...]:
    """The components of one kind, or of all, in a stable order."""
    return manager().components(kind)
