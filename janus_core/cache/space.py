"""A space: the entries of one part under one setting. Everything that decides an entry but the picture is in its id."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal

import torch
from packaging.requirements import Requirement
from torch import nn

from janus_core.cache.raw import raw_digest
from janus_core.checkpoints.own import digest
from janus_core.config.choose import choose
from janus_core.config.provenance import provenance
from janus_core.config.recipe import ModelConfig
from janus_core.interfaces import Transform

Role = Literal["features", "codes"]
FORMAT = 1
"""Of the entries; raise it when the same facts would give other entries."""


@dataclass(frozen=True, slots=True)
class Space:
    """What the entries of a part were computed with.

    Attributes:
        facts: JSON values, written to ``space.json``: format, role, component, distribution, version, libraries,
            options, SHA-256 of the weights, the parts that the part holds, digest of the transform, precision, device.
        digest: SHA-256 of the facts, 32 bytes.
    """

    facts: Mapping[str, Any]
    digest: bytes

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Space:
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        return cls(json.loads(text), hashlib.sha256(text.encode()).digest())

    @property
    def id(self) -> str:
        """Name of the space's folder: 16 hexadecimal digits."""
        return self.digest.hex()[:16]

    def key(self, raw: object) -> bytes:
        """The key of a raw input in this space, 32 bytes; `UserError` if the input has no hash."""
        return hashlib.sha256(self.digest + raw_digest(raw)).digest()


def space_of(
    role: Role,
    name: str,
    parts: Mapping[str, nn.Module],
    config: ModelConfig,
    transform: Transform,
    *,
    precision: str,
    device: str,
) -> Space:
    """The space of a part as it is now.

    Args:
        name: of the part, ``encoders.<route>`` or ``generation_tokenizer``.
        parts: all parts of the model; those that the part holds (by ``ref``) are facts too.
        precision: Lightning's, as in ``run.precision``.
        device: type of the device that computes, ``cpu`` or ``cuda``: they round differently.
    """
    part = parts[name]
    inside = {id(module) for module in part.modules()}
    held = {other: _component(other, config) for other, item in parts.items() if other != name and id(item) in inside}
    return Space.of(
        {
            "format": FORMAT,
            "role": role,
            **_component(name, config),
            "weights": digest(part),
            "holds": held,
            "transform": transform.digest,
            "precision": precision,
            "matmul": torch.get_float32_matmul_precision(),
            "device": device,
            "image_size": config.image_size if role == "codes" else None,
        }
    )


def _component(name: str, config: ModelConfig) -> dict[str, Any]:
    head, _, route = name.partition(".")
    choice = config.encoders[route] if head == "encoders" else getattr(config, name, None)
    if choice is None:  # the code table is the model's own: its weights tell all
        return {"component": name}
    kind = {"encoders": "understanding_encoder", "adapters": "adapter", "generation_adapter": "adapter"}.get(head, head)
    chosen = choose(kind, choice, f"model.{name}")
    component = chosen.component
    libraries = sorted({Requirement(text).name for text in component.spec.requires})
    return {
        **provenance(component),
        "libraries": {library: metadata.version(library) for library in libraries},
        "options": chosen.options.model_dump(mode="json"),
    }
