"""``janus cache`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from janus_core.cache.measure import Measured, Side
from janus_core.cli import main
from janus_core.cli.cache import table


@pytest.fixture
def recipe(tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three stages: the third trains the encoder, so that only the codes can be cached."""
    monkeypatch.chdir(tmp_path)
    values = tiny.three_stages(tiny.recipe("both", tokenizer="patch_vq"))
    values["run"]["cache"] = {"folder": "cache"}
    path: Path = tiny.write(values, tmp_path / "recipe.yaml")
    return path


def janus(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["cache", *arguments, *(["--no-progress"] if arguments[0] in ("build", "verify", "measure") else [])])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_build_verify_stats_clear(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = janus(capsys, "build", str(recipe))
    assert code == 0
    assert out.splitlines() == [
        "stage1: encoders.image: 4 entries, 4 computed now",
        "stage1: generation_tokenizer: 4 entries, 4 computed now",
        "stage2: encoders.image: 4 entries, 0 computed now",
        "stage2: generation_tokenizer: 4 entries, 0 computed now",
        "stage3: generation_tokenizer: 4 entries, 0 computed now",
    ]
    assert "stage stage3: encoders.image trains" in err
    code, out, _ = janus(capsys, "verify", str(recipe), "--sample", "2", "--stage", "stage1")
    assert code == 0
    assert "stage1: encoders.image: 2 entries are right, 0 inputs have none" in out or "4 entries are right" in out
    code, out, _ = janus(capsys, "stats", "cache")
    assert code == 0
    assert "siglip/siglip" in out and "patch_vq/patch_vq" in out and "2 spaces" in out
    code, out, _ = janus(capsys, "stats", "cache", "--json")
    spaces = json.loads(out)["spaces"]
    assert {(space["role"], space["entries"], space["shards"]) for space in spaces} == {
        ("features", 4, 1),
        ("codes", 4, 1),
    }
    assert all(space["facts"]["weights"] and space["facts"]["transform"] for space in spaces)
    code, _, err = janus(capsys, "clear", "cache")
    assert code == 2 and "nothing was removed: this would remove 2 spaces, 8 entries" in err and "--yes" in err
    code, _, err = janus(capsys, "clear", "cache", "--space", "x", "--yes")
    assert code == 2 and spaces[0]["id"] in err
    code, out, _ = janus(capsys, "clear", "cache", "--space", spaces[0]["id"][:6], "--yes")
    assert code == 0 and "removed: 1 spaces, 4 entries" in out
    assert [p.name for p in Path("cache").iterdir() if p.is_dir()] == [spaces[1]["id"]]
    assert janus(capsys, "clear", "cache", "--yes")[0] == 0
    code, _, err = janus(capsys, "verify", str(recipe))
    assert code == 2 and "no entry" in err and "janus cache build" in err


def test_what_cannot_be_built_is_refused(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = janus(capsys, "build", str(recipe), "--stage", "stage3", "--part", "encoders.image")
    assert code == 2 and "encoders.image cannot be cached for stage stage3: it trains" in err and "to mend it" in err
    code, _, err = janus(capsys, "build", str(recipe), "--stage", "stage9")
    assert code == 2 and "stage1, stage2, stage3" in err
    code, _, err = janus(capsys, "build", str(recipe), "--part", "language_model")
    assert code == 2 and "encoders.image, generation_tokenizer" in err
    code, out, _ = janus(capsys, "build", str(recipe), "--stage", "stage3")
    assert code == 0 and out == "stage3: generation_tokenizer: 4 entries, 4 computed now\n"


def test_a_part_that_an_earlier_stage_trains(
    tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = tiny.three_stages(tiny.recipe("understanding"))
    values["stages"] = values["stages"][::-1]
    path = tiny.write(values, tmp_path / "recipe.yaml")
    where = ["--folder", str(tmp_path / "cache")]
    code, _, err = janus(capsys, "build", str(path), "--stage", "stage1", *where)
    assert code == 2 and "encoders.image trains before" in err and "nothing can be cached in stage stage1" in err
    code, out, _ = janus(capsys, "build", str(path), *where)
    assert code == 0 and "nothing to cache" in out


def test_a_folder_is_needed(tiny: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.write(tiny.recipe("both", tokenizer="patch_vq"), tmp_path / "recipe.yaml")
    code, _, err = janus(capsys, "build", str(path))
    assert code == 2 and "names no cache" in err and "--folder" in err
    code, _, _ = janus(capsys, "build", str(path), "--folder", str(tmp_path / "elsewhere"))
    assert code == 0 and len(list((tmp_path / "elsewhere").glob("*/space.json"))) == 2
    for arguments in (["stats", str(tmp_path / "nowhere")], ["clear", str(tmp_path / "nowhere"), "--yes"]):
        code, _, err = janus(capsys, *arguments)
        assert code == 2 and "is no folder" in err


def test_measure(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = janus(capsys, "measure", str(recipe), "--stage", "stage2", "--steps", "1")
    assert code == 0, err
    assert "stage stage2, 1 steps each, in turns; cached: encoders.image, generation_tokenizer" in out
    assert "largest difference of a loss: 0;" in out
    assert not Path("cache").exists()
    assert janus(capsys, "measure", str(recipe), "--steps", "0")[0] == 2
    assert janus(capsys, "verify", str(recipe), "--sample", "0")[0] == 2


def test_a_slower_cache_is_called_so() -> None:
    fast, slow = Side([0.1], [0.1], [1.0]), Side([0.2], [0.2], [1.5])
    assert "2.00 times faster; largest difference of a loss: 0.5" in table(Measured("a", ("b",), 1, 1.0, slow, fast))
    assert "0.50 times as fast: SLOWER" in table(Measured("a", ("b",), 1, 1.0, fast, slow))


def test_help_and_stats_import_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom janus_core.cli import main\n"
        f"assert main(['cache', '--help']) == 0 and main(['cache', 'stats', {str(tmp_path)!r}]) == 0\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=120)
