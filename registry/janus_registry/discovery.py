"""Finding plugins: entry points of one group, read from metadata without running any plugin's code."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions, entry_points


def canonical(name: str) -> str:
    """The name normalised after PEP 503: lower case, runs of ``-``, ``_`` and ``.`` become one ``-``."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True, slots=True)
class Discovered:
    """One entry point with the distribution that declares it.

    Attributes:
        plugin: name of the entry point, as written.
        distribution: name of the distribution, as written (empty if the metadata names none).
        version: its version.
        entry_point: what to load.
        duplicates: other distributions that declare the very same entry point (an editable install beside an egg-info,
            a bundle beside the separate distribution); the code is the same, so it is loaded once.
    """

    plugin: str
    distribution: str
    version: str
    entry_point: EntryPoint
    duplicates: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """The normalised ids by which a policy may name it: ``plugin``, ``dist`` and ``dist:plugin``."""
        plugin = canonical(self.plugin)
        distributions = [canonical(name) for name in (self.distribution, *self.duplicates) if name]
        return frozenset([plugin, *distributions, *(f"{name}:{plugin}" for name in distributions)])


def identity(distribution: Distribution) -> tuple[str, str]:
    """(name, version) as the metadata say; empty strings if they are damaged."""
    try:
        metadata = distribution.metadata
        return metadata["Name"] or "", metadata["Version"] or ""
    except Exception:  # noqa: BLE001 - a half-removed distribution must not stop the scan
        return "", ""


def installed(group: str) -> list[EntryPoint]:
    """The installed entry points of ``group``; a distribution whose entry points cannot be read is warned of."""
    try:
        return list(entry_points(group=group))
    except Exception:  # noqa: BLE001 - one malformed entry_points.txt: find out whose it is
        points, seen = [], set()
        for distribution in distributions():
            name = canonical(identity(distribution)[0])
            if name and name in seen:
                continue
            seen.add(name)
            try:
                points += [point for point in distribution.entry_points if point.group == group]
            except Exception as error:  # noqa: BLE001 - see above
                warnings.warn(f"the entry points of {name or distribution} cannot be read: {error}", stacklevel=2)
        return points


def discover(group: str, found: Iterable[EntryPoint] | None = None) -> list[Discovered]:
    """Entry points of ``group`` in an order that does not depend on the file system.

    They are sorted by (canonical plugin name, distribution); of those with the same name and value the first is kept.

    Args:
        group: the entry points' group, for example ``janus.plugins``.
        found: entry points to take in place of the installed ones (tests, embedding programs).
    """
    described: dict[int, tuple[str, str]] = {}

    def describe(distribution: Distribution | None) -> tuple[str, str]:
        if distribution is None:
            return "", ""
        if id(distribution) not in described:  # reading metadata parses a file: once a distribution
            described[id(distribution)] = identity(distribution)
        return described[id(distribution)]

    listed = [(point, *describe(point.dist)) for point in (installed(group) if found is None else found)]
    listed.sort(key=lambda row: (canonical(row[0].name), canonical(row[1]), row[0].name, row[0].value))
    kept: dict[tuple[str, str], Discovered] = {}
    for point, name, version in listed:
        key = (canonical(point.name), point.value)
        first = kept.get(key)
        if first is None:
            kept[key] = Discovered(point.name, name, version, point)
        elif name not in (first.distribution, *first.duplicates):
            duplicates = (*first.duplicates, name)
            kept[key] = Discovered(first.plugin, first.distribution, first.version, first.entry_point, duplicates)
    return list(kept.values())
