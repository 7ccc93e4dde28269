"""The folder of a run, which explains itself: recipe, record, logs, samples, checkpoint."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml

from janus_core.checkpoints.atomic import atomic_file, make_good
from janus_core.checkpoints.own import read_facts
from janus_core.config.begin import FACTS
from janus_core.config.load import to_yaml
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError

PACKAGES = ("janus-umm", "torch", "torchvision", "lightning", "open-clip-torch", "timm", "tokenizers", "numpy")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of a run."""

    root: Path

    @property
    def recipe(self) -> Path:
        return self.root / "recipe.yaml"

    @property
    def record(self) -> Path:
        return self.root / "run.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint"

    @property
    def best(self) -> Path:
        return self.root / "best"

    @property
    def points(self) -> Path:
        return self.root / "points"

    def open(self, recipe: Recipe, *, resume: bool) -> None:
        """Make the folder, or check that it is the one to resume.

        Raises:
            UserError: it is in use and resuming was not asked for, or it belongs to another recipe.
        """
        text = to_yaml(recipe)
        if self.recipe.is_file():
            if not resume:
                raise UserError(f"{self.root} already holds a run", "continue it with --resume, or give another --out")
            if _without_run(self.recipe.read_text(encoding="utf-8")) != _without_run(text):
                raise UserError(
                    f"{self.root} was begun with other settings than these",
                    f"resume with the same recipe and --set (only run: may differ), or compare with {self.recipe}",
                )
        elif self.root.exists() and (not self.root.is_dir() or any(self.root.iterdir())):
            raise UserError(f"{self.root} exists and is not the folder of a run", "give another --out")
        self.root.mkdir(parents=True, exist_ok=True)
        make_good(self.checkpoint)
        with atomic_file(self.recipe) as partial:
            partial.write_text(text, encoding="utf-8")

    def stages_done(self) -> int:
        """How many stages the checkpoint has behind it."""
        return int(read_facts(self.checkpoint).get("stages_done", 0)) if (self.checkpoint / FACTS).is_file() else 0

    def read_record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.record.read_text(encoding="utf-8")) if self.record.is_file() else {}
        return found

    def write_record(self, values: dict[str, Any]) -> None:
        """Add to the record; later values replace earlier ones of the same name."""
        with atomic_file(self.record) as partial:
            merged = self.read_record() | values
            partial.write_text(json.dumps(merged, indent=2, ensure_ascii=False), encoding="utf-8")


def _without_run(text: str) -> object:
    """A written recipe without how it is carried out: on other machines a run goes on otherwise."""
    return {key: value for key, value in yaml.safe_load(text).items() if key != "run"}


def environment() -> dict[str, str]:
    """Versions of what a result depends on."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return versions
