"""``janus plugins new`` says what is wrong with a name, licence, author, model or place, and writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from janus_core.cli import main


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["My Encoder"], ("'My Encoder' is no name", "for example my-encoder")),
        (["-x-"], ()),
        ([""], ("'' is no name", "my-encoder")),
        (["a--b"], ("'a--b' is no name", "a-b")),
        (["x" * 41], ("at most 40",)),
        (["ünïcode"], ("is no name",)),
        (["../up"], ("'../up' is no name", "for example up")),
        (["siglip"], ("taken by the understanding_encoder siglip/siglip of janus-umm", "my-siglip")),
        (["janus_siglip"], ("'siglip' is taken",)),
        (["mlp"], ("taken by the adapter adapters/mlp",)),
        (["umm"], ("janus-umm is the name of this distribution",)),
        (["core"], ("the import name janus_core is taken",)),
        (["heads"], ("taken by the plugin heads",)),
        (["mine", "--licence", "Apache"], ("'Apache' is no SPDX", "Apache-2.0, MIT")),
        (["mine", "--author", "<a@b.c>"], ("--author '<a@b.c>' is not understood", "Name <name@example.org>")),
        (["mine", "--author", "Ada <ada"], ("--author 'Ada <ada' is not understood",)),
        (["mine", "--out", "there"], ("there exists, and nothing is ever overwritten", "--out")),
        (["mine", "--out", "file/below"], ("file/below cannot be written", "--out")),
        (["mine", "--wrap", "timm"], ("--wrap 'timm' is not LIBRARY:MODEL", "open_clip, timm, transformers")),
        (["mine", "--wrap", "tim:resnet50"], ("no library 'tim' (did you mean 'timm'?)",)),
        (["mine", "--wrap", "timm:resnet5"], ("timm has no vision model 'resnet5' (did you mean", "resnet50")),
        (["mine", "--wrap", "timm:resnet50.nothing"], ("no vision model 'resnet50.nothing'", "resnet50.")),
        (["mine", "--wrap", "open_clip:ViT-B-33"], ("no vision model 'ViT-B-33'", "ViT-B-32")),
        (["mine", "--wrap", "open_clip:ViT-B-32:opena"], ("no tag 'opena' (did you mean 'openai'?)",)),
        (["mine", "--wrap", "open_clip:ViT-B-32:openai"], ("QuickGELU", "ViT-B-32-quickgelu")),
        (["mine", "--wrap", "open_clip:ViT-L-14"], ("do not prepare pixels alike", "laion2b_s32b_b82k")),
        (["mine", "--wrap", "transformers:Dinov2Modell"], ("no vision model", "Dinov2Model")),
        (["mine", "--wrap", "transformers:LlamaModel"], ("takes input_ids, not pictures",)),
        (["mine", "--wrap", "transformers:vit_mae"], ("no square of patches", "begin without --wrap")),
        (["mine", "--wrap", "timm:crossvit_9_240"], ("are list, neither tokens nor a map",)),
        (["mine", "--wrap", "transformers:there"], ("its config.json cannot be read",)),
    ],
)
def test_mistakes(
    arguments: list[str], words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "file").write_text("")
    assert main(["plugins", "new", *arguments, "--kind", "encoder"]) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in words), told
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "there"]


def test_only_encoders_wrap(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "new", "mine", "--kind", "adapter", "--wrap", "timm:resnet50"]) == 2
    assert "--wrap makes encoders, not adapters" in capsys.readouterr().err


def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    real = Path.write_text

    def full(path: Path, *arguments: str, **more: str) -> int:
        if path.name == "model.py":
            raise OSError(28, "No space left on device")
        return real(path, *arguments, **more)

    monkeypatch.setattr(Path, "write_text", full)
    assert main(["plugins", "new", "mine", "--kind", "encoder"]) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
