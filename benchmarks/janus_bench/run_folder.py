"""What the folder of a run says it measures, so that a second start goes on with the same and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from janus_bench.stored import SCORES, card_folder
from janus_bench.versions import versions
from janus_core.checkpoints.atomic import atomic_file
from janus_core.errors import UserError

PLAN = "plan.json"


def begin(out: Path, fixed: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Write what a run measures, or hold it against what its folder says it does.

    Args:
        fixed: what every result of the folder has in common (weights, limit, seed ...).
        asked: options by ``name@protocol``; a later start may ask for more.

    Raises:
        UserError: the folder holds something else, or a run that differs; each difference is named.
    """
    path = out / PLAN
    if path.is_file():
        then, before = _read(path)
        changed = [
            f"{key} was {then.get(key)!r}, is {value!r}" for key, value in fixed.items() if then.get(key) != value
        ]
        changed += [
            f"{name} had {before[name]!r}, has {options!r}"
            for name, options in asked.items()
            if name in before and before[name] != options
        ]
        if changed:
            raise UserError(f"{out} holds a run that differs: {'; '.join(changed)}", "write to another --out")
        asked = before | dict(asked)
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} already exists and is no benchmark run", "give another --out")
    with atomic_file(path) as partial:
        told = {"fixed": fixed, "benchmarks": asked, "versions": versions()}
        partial.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def finished(out: Path) -> bool:
    """Whether a run's folder has the card of every benchmark that was asked for."""
    path = out / PLAN
    return path.is_file() and all((card_folder(out, name) / SCORES).is_file() for name in _read(path)[1])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return dict(told["fixed"]), dict(told["benchmarks"])
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path} is damaged", "write to another --out") from None
