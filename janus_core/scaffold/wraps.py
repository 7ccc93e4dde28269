"""Models of other libraries that ``--wrap LIBRARY:MODEL`` makes encoders of.

The core knows no vision library. Who can describe one says so by an entry point of the group ``janus.wraps``: its name
is the library's, and it names ``describe(model) -> Wrapped``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import cast

from janus_core.errors import UserError
from janus_registry.errors import did_you_mean

GROUP = "janus.wraps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapped:
    """A vision model, read from the configuration that its library has of it. Values are plain data.

    Attributes:
        library: its name, as `--wrap` has it.
        version: of the library that was read.
        model: the model as the library calls it.
        facts: what `janus_wrap.options.Facts` holds.
        tiny: options of a small random model of the same architecture.
        capabilities: what the record declares.
        requires: PEP 508 requirements.
        licence: of the published weights, or empty.
        measured: what a forward of the whole model gives: ``tokens``, ``width``, ``parameters``.
        weights: values that the option ``weights`` takes, with what they mean.
    """

    library: str
    version: str
    model: str
    facts: Mapping[str, object]
    tiny: Mapping[str, object]
    capabilities: Mapping[str, object] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    licence: str = ""
    measured: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)


def describe(wrap: str) -> Wrapped:
    """The model that ``LIBRARY:MODEL`` names.

    Raises:
        UserError: not of that form, a library that nothing describes or that is not installed, an unknown model.
    """
    library, colon, model = wrap.partition(":")
    points = {point.name: point for point in entry_points(group=GROUP)}
    known = ", ".join(sorted(points)) or "none is installed"
    if not colon or not model:
        raise UserError(f"--wrap {wrap!r} is not LIBRARY:MODEL", f"libraries: {known}; for example timm:resnet50")
    if library not in points:
        raise UserError(
            f"--wrap {wrap!r}: there is no library {library!r}{did_you_mean(library, points)}", f"libraries: {known}"
        )
    try:
        give = cast("Callable[[str], Wrapped]", points[library].load())
        return give(model)
    except ModuleNotFoundError as error:
        raise UserError(f"--wrap {wrap}: {error.name} is not installed", f"pip install {library}") from error
