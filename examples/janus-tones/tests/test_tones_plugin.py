"""The distribution: found through its entry point alone, light to list; the README's code runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import janus_tones
from janus_tones.options import EncoderOptions, SourceOptions
from janus_tones.plugin import janus_data_sources, janus_understanding_encoders

ROOT = Path(__file__).parents[1]
LIST = """
import sys
from janus_core.plugins import components
for c in sorted(components(), key=lambda c: c.qualified):
    if c.distribution == "janus-tones":
        print(c.kind, c.qualified, c.distribution)
sys.exit("torch" in sys.modules)
"""


def test_the_entry_point_alone_registers_both_components(tmp_path: Path) -> None:
    """As an installer leaves it: the package, and beside it the metadata that pyproject.toml declares."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    information = tmp_path / "janus_tones-0.1.0.dist-info"
    information.mkdir()
    information.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    points = "".join(f"{k} = {v}\n" for k, v in project["entry-points"]["janus.plugins"].items())
    information.joinpath("entry_points.txt").write_text(f"[janus.plugins]\n{points}")
    (tmp_path / "janus_tones").symlink_to(Path(janus_tones.__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", LIST],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["data_source tones/tones janus-tones", "understanding_encoder tones/tones_encoder janus-tones"],
    ), done.stderr


def test_options_are_described_and_presets_valid() -> None:
    for model, spec in (
        (EncoderOptions, next(iter(janus_understanding_encoders()))),
        (SourceOptions, next(iter(janus_data_sources()))),
    ):
        assert all(field.description for field in model.model_fields.values())
        for preset in spec.presets.values():
            model(**preset)


@pytest.mark.parametrize("language", ["python", "yaml"])
def test_the_readme_runs(language: str) -> None:
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    if language == "python":
        exec(compile(blocks[0], "README.md", "exec"), {})
    else:
        recipe = yaml.safe_load(blocks[0])
        SourceOptions(**recipe["sources"]["beeps"]["options"])
        presets = next(iter(janus_understanding_encoders())).presets
        EncoderOptions(**presets[recipe["model"]["encoders"]["audio"]["preset"]])
