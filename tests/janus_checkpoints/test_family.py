"""Roles and normalisation are bound to the checkpoint; a contradiction is refused, not guessed away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from janus_core.checkpoints.janus.read import import_checkpoint
from janus_core.checkpoints.janus.text import SYSTEM, Evidence, evidence_of, family_of
from janus_core.checkpoints.own import load_checkpoint, read_checkpoint
from janus_core.errors import UserError


@pytest.mark.parametrize("form", ["huggingface", "deepseek"])
@pytest.mark.parametrize(("family", "roles"), [("1.3b", ("User", "Assistant")), ("pro", ("<|User|>", "<|Assistant|>"))])
def test_told_by_the_files(
    small_janus: Any, published: Any, tmp_path: Path, form: str, family: str, roles: tuple[str, str]
) -> None:
    source = Path(shutil.copytree(getattr(small_janus, form), tmp_path / "source"))
    published.small_files(source, form, family, small_janus.shape)
    assert import_checkpoint(source, tmp_path / "ours").family == family
    chat = read_checkpoint(tmp_path / "ours").recipe.text.chat
    assert (chat.user, chat.assistant) == roles
    assert chat.system == SYSTEM


def test_nothing_tells(small_janus: Any, tmp_path: Path) -> None:
    source = Path(shutil.copytree(small_janus.deepseek, tmp_path / "source"))
    (source / "processor_config.json").unlink()
    with pytest.raises(UserError, match="--family") as caught:
        import_checkpoint(source, tmp_path / "ours")
    assert "1.3b" in str(caught.value.remedy)
    assert import_checkpoint(source, tmp_path / "ours", family="1.3b").family == "1.3b"


PRO, OLD = Evidence("pro", "the template"), Evidence("1.3b", "sft_format")
FIRM = Evidence("1.3b", "pad id", firm=True)


def test_evidence() -> None:
    assert family_of([PRO], None) == "pro"
    assert family_of([FIRM, PRO], "1.3b") == "1.3b"  # the converter of transformers writes one template for both
    for evidence, said in (([PRO, OLD], None), ([FIRM, PRO], None), ([PRO], "1.3b"), ([FIRM, PRO], "pro"), ([], None)):
        with pytest.raises(UserError):
            family_of(evidence, said)


@pytest.mark.parametrize(
    ("pad", "hidden", "family"), [(100015, 2048, "1.3b"), (100002, 2048, "pro"), (100015, 4096, "pro")]
)
def test_the_releases_are_known_by_pad_id_and_width(tmp_path: Path, pad: int, hidden: int, family: str) -> None:
    class Published:
        def __len__(self) -> int:
            return 100_600

    text: Any = Published()
    text.pad = pad
    assert evidence_of(tmp_path, text, hidden) == [Evidence(family, f"pad id {pad} and width {hidden}", firm=True)]


def test_the_normalisation_of_the_file_is_used(small_janus: Any, tmp_path: Path) -> None:
    source = Path(shutil.copytree(small_janus.deepseek, tmp_path / "source"))
    path = source / "preprocessor_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]})
    )
    import_checkpoint(source, tmp_path / "ours")
    built, _, _ = load_checkpoint(tmp_path / "ours")
    assert built.transforms["image"].mean == (0.4, 0.5, 0.6)
    assert built.transforms["image"].std == (0.2, 0.3, 0.4)


def test_old_copies_that_do_not_normalise_are_corrected(small_janus: Any, tmp_path: Path) -> None:
    source = Path(shutil.copytree(small_janus.deepseek, tmp_path / "source"))
    path = source / "preprocessor_config.json"
    path.write_text(
        json.dumps(json.loads(path.read_text()) | {"do_normalize": False, "image_mean": None, "image_std": None})
    )
    report = import_checkpoint(source, tmp_path / "ours")
    assert any("do_normalize" in note for note in report.notes)
    built, _, _ = load_checkpoint(tmp_path / "ours")
    assert built.transforms["image"].mean == (0.5, 0.5, 0.5)


def test_ids_are_read_and_the_placeholder_is_added(small_janus: Any, published: Any, tmp_path: Path) -> None:
    state, shape = small_janus.deepseek_state, small_janus.shape
    source = published.write_deepseek(tmp_path / "s", state, shape, "1.3b", placeholder=False)
    report = import_checkpoint(source, tmp_path / "ours")
    assert report.tokens == {"bos": 268, "eos": 269, "pad": 270, "begin": 271, "end": 272, "placeholder": 273}
    built, recipe, _ = load_checkpoint(tmp_path / "ours")
    assert recipe.model.vocabulary == shape.rows == built.model.language_model.vocabulary
    assert len(built.text) < shape.rows
    assert (
        built.text.encode("the  cat\n in")
        == published.tokenizer().encode("the  cat\n in", add_special_tokens=False).ids
    )
    assert built.text.decode(built.text.encode(" two  spaces")) == " two  spaces"
