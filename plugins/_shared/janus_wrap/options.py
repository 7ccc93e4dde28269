"""What is known of a wrapped model, and the options of its encoder. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from janus_open_clip.facts import Interpolation, Resize, Triple

Library = Literal["timm", "open_clip", "transformers"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A model of a library, and how pixels were prepared when it was trained.

    Attributes:
        library: where the model is built.
        model: what the library calls it: timm's name with its tag, open_clip's name, a class of transformers.
        image_size: side of the input in pixels.
        mean: per channel, subtracted from pixels in [0, 1].
        std: per channel, divides them.
        interpolation: kernel of the resize, always with antialiasing.
        resize: ``squash`` to the square, ``shortest`` side and centre crop, or ``pad``.
        tag: open_clip's name of the published weights, or empty.
        config: settings of a transformers model that differ from the defaults of its class.
    """

    library: Library
    model: str
    image_size: int
    mean: Triple
    std: Triple
    interpolation: Interpolation = "bicubic"
    resize: Resize = "shortest"
    tag: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)


class WrapOptions(BaseModel):
    """Options of a wrapped encoder; a plugin's own class names the model (``facts``)."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    facts: ClassVar[Facts]

    weights: str = Field(
        description="'none' (random), 'tag' (download those that the model's name stands for), 'hf-hub:ORG/NAME', or a "
        "file or folder; relative paths start at the recipe's folder"
    )
    image_size: int | None = Field(default=None, gt=0, description="side of the input in pixels; null: the model's own")
    resize: Resize | None = Field(
        default=None,
        description="squash to the square, shortest side and centre crop, or pad as Janus does; null: the model's way",
    )
    mean: Triple | None = Field(default=None, description="subtracted from each channel in [0, 1]; null: the model's")
    std: Triple | None = Field(default=None, description="divides each channel; null: the model's")
    config: dict[str, Any] = Field(
        default_factory=dict,
        description="settings of the model's own constructor that differ from the published model, such as {depth: 2}",
    )

    @property
    def side(self) -> int:
        """Side of the input in pixels."""
        return self.image_size or self.facts.image_size
