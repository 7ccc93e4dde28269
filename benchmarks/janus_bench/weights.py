"""Names weights by their content, so that two numbers of different weights cannot look alike."""

from __future__ import annotations

import hashlib
from pathlib import Path

from janus_core.errors import UserError


def fingerprint(path: Path) -> str:
    """The first twelve hexadecimal digits of the SHA-256 of a file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise UserError(f"the weights {path} cannot be read: {error.strerror}", "check the path") from None
