"""The licence and the author of a new plugin."""

from __future__ import annotations

import re
from dataclasses import dataclass

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from janus_core.errors import UserError

TEXTS = ("Apache-2.0", "MIT")
"""Licences whose text is written as well."""
ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+")


@dataclass(frozen=True, slots=True)
class Author:
    """A name and perhaps an address."""

    name: str
    email: str = ""


def licence_of(given: str) -> str:
    """An SPDX expression in its canonical spelling; `UserError` if it is none."""
    try:
        return str(canonicalize_license_expression(given))
    except InvalidLicenseExpression:
        raise UserError(
            f"--licence {given!r} is no SPDX licence expression",
            "for example Apache-2.0, MIT, BSD-3-Clause or 'LicenseRef-Proprietary' (spdx.org/licenses lists them)",
        ) from None


def author_of(given: str) -> Author:
    """``Name`` or ``Name <address>``; `UserError` for anything else."""
    name, bracket, rest = given.partition("<")
    name, email = name.strip(), rest.strip().removesuffix(">")
    closed = not bracket or (rest.strip().endswith(">") and ADDRESS.fullmatch(email))
    if not name or not closed or not name.isprintable():
        raise UserError(f"--author {given!r} is not understood", "write 'Name' or 'Name <name@example.org>'")
    return Author(name, email)
