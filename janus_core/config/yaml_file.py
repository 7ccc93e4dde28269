"""The mapping in a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from janus_core.errors import UserError


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {error}", "mend the file; YAML indents with spaces") from error
    if not isinstance(values, dict):
        raise UserError(
            f"{path} holds {type(values).__name__}, not a recipe", "write 'name: …', 'model: …', 'stages: …'"
        )
    return values
