"""What is wrong with a checkpoint is told at once, runs no code and leaves nothing behind."""

from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from janus_core.checkpoints.janus.read import import_checkpoint
from janus_core.checkpoints.janus.write import export_checkpoint
from janus_core.cli import main
from janus_core.errors import UserError


@pytest.fixture(params=["huggingface", "deepseek"])
def source(request: pytest.FixtureRequest, small_janus: Any, tmp_path: Path) -> Path:
    """A copy of a published checkpoint, to be spoilt."""
    return Path(shutil.copytree(getattr(small_janus, request.param), tmp_path / "source"))


def refused(source: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """Import through the CLI; what it says. Nothing may be left in the folder."""
    before = sorted(path.name for path in source.parent.iterdir())
    assert main(["import", str(source), "--out", str(source.parent / "out"), "--no-progress", *more]) == 2
    assert sorted(path.name for path in source.parent.iterdir()) == before
    said = capsys.readouterr().err
    assert "Traceback" not in said
    return said


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_a_truncated_file(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = source / "model.safetensors"
    os.truncate(path, path.stat().st_size * 2 // 3)
    said = refused(source, capsys)
    assert "model.safetensors" in said
    assert "cut short" in said


def test_a_truncated_shard_of_bins(
    small_janus: Any, published: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = published.write_deepseek(tmp_path / "s", small_janus.deepseek_state, small_janus.shape, bins=2)
    path = source / "pytorch_model-00002-of-00002.bin"
    os.truncate(path, path.stat().st_size // 2)
    said = refused(source, capsys)
    assert path.name in said
    assert "cut short" in said


def test_an_absent_shard(small_janus: Any, published: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = published.write_deepseek(tmp_path / "s", small_janus.deepseek_state, small_janus.shape, bins=2)
    (source / "pytorch_model-00002-of-00002.bin").unlink()
    assert "pytorch_model-00002-of-00002.bin" in refused(source, capsys)


def test_an_index_that_leads_elsewhere(
    small_janus: Any, published: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = published.write_deepseek(tmp_path / "s", small_janus.deepseek_state, small_janus.shape, bins=2)
    change(source / "pytorch_model.bin.index.json", weight_map={"gen_embed.weight": "../elsewhere.bin"})
    assert "outside its folder" in refused(source, capsys)


class Malicious:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (os.system, (f"touch {self.path}",))


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_in_it(
    small_janus: Any, published: Any, tmp_path: Path, zipped: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    source = published.write_deepseek(tmp_path / "s", small_janus.deepseek_state, small_janus.shape, bins=1)
    content = dict(small_janus.deepseek_state) | {"evil": Malicious(tmp_path / "run")}
    if zipped:
        torch.save(content, source / "pytorch_model.bin")
    else:
        (source / "pytorch_model.bin").write_bytes(pickle.dumps({"evil": Malicious(tmp_path / "run")}))
    said = refused(source, capsys)
    assert "pytorch_model.bin" in said
    assert not (tmp_path / "run").exists()


def test_keys_that_do_not_fit_are_all_told_at_once(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load_file(source / "model.safetensors")
    embedding = next(name for name in state if name.endswith("embed_tokens.weight"))
    heads = [name for name in state if name.endswith("lm_head.weight") or "k_proj.weight" in name][:2]
    for name in heads:
        del state[name]
    state[embedding] = state[embedding][:7].contiguous()
    state["something.else"] = torch.zeros(2)
    save_file(state, source / "model.safetensors")
    said = refused(source, capsys)
    assert "unexpected (1): something.else" in said
    assert "missing (2)" in said
    assert "misshapen (1)" in said
    assert "[7, " in said


def test_a_tied_save_is_told_as_such(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = load_file(source / "model.safetensors")
    (head,) = [name for name in state if name.endswith("lm_head.weight")]
    del state[head]
    save_file(state, source / "model.safetensors")
    assert "no lm_head" in refused(source, capsys)


def test_a_split_with_one_part_missing(small_janus: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(shutil.copytree(small_janus.huggingface, tmp_path / "source"))
    state = load_file(source / "model.safetensors")
    del state["model.vision_model.encoder.layers.1.self_attn.k_proj.bias"]
    save_file(state, source / "model.safetensors")
    assert "encoders.image.trunk.blocks.1.attn.qkv.bias" in refused(source, capsys)


def test_no_janus_at_all(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_file({"model.layers.0.weight": torch.zeros(1)}, source / "model.safetensors")
    assert "of no Janus" in refused(source, capsys)


@pytest.mark.parametrize("spoil", ["missing", "sentencepiece", "no_boi", "too_many", "other_ids", "broken"])
def test_a_wrong_text_tokenizer(source: Path, spoil: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = source / "tokenizer.json"
    content = json.loads(path.read_text())
    if spoil == "missing":
        path.unlink()
    elif spoil == "broken":
        path.write_text("{")
    else:
        if spoil == "sentencepiece":
            content["pre_tokenizer"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}
            content["decoder"] = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}
        elif spoil == "no_boi":
            content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != "<begin_of_image>"]
        elif spoil == "too_many":
            last = max(t["id"] for t in content["added_tokens"])
            content["added_tokens"] += [
                {**content["added_tokens"][-1], "id": last + i, "content": f"<extra_{i}>"} for i in range(1, 40)
            ]
        elif spoil == "other_ids":
            if (source / "config.json").read_text().find("image_token_id") < 0:
                pytest.skip("DeepSeek's files state no ids")
            change(source / "config.json", image_token_id=100)
        path.write_text(json.dumps(content))
    said = refused(source, capsys)
    assert "tokenizer.json" in said


def test_a_full_disk(source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    assert "No space left" in refused(source, capsys)


def test_too_little_space_is_told_before_anything_is_written(
    source: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(source)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1000))
    assert "GiB free" in refused(source, capsys)


def test_a_full_disk_while_exporting(small_janus: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        export_checkpoint(small_janus.ours["deepseek"], tmp_path / "out", "huggingface")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(source: Path, tmp_path: Path, small_janus: Any) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="exists already"):
        import_checkpoint(source, tmp_path / "mine")
    with pytest.raises(UserError, match="exists already"):
        export_checkpoint(small_janus.ours["deepseek"], tmp_path / "mine", "deepseek")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("section", "values", "told"),
    [
        ("language", {"hidden_act": "gelu"}, "hidden_act"),
        ("language", {"rope_scaling": {"type": "linear", "factor": 2.0}}, "linear"),
        ("language", {"num_hidden_layers": "two"}, "num_hidden_layers"),
        ("language", {"num_attention_heads": 7}, "do not divide"),
    ],
)
def test_settings_that_are_not_computed(
    source: Path, section: str, values: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((source / "config.json").read_text())
    name = "text_config" if "text_config" in config else "language_config"
    for derived in ("rope_parameters", "head_dim"):
        config[name].pop(derived, None)
    config[name] |= values
    (source / "config.json").write_text(json.dumps(config))
    assert told in refused(source, capsys)


def test_another_normalisation_size_is_refused(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(source / "preprocessor_config.json", image_size=999, min_size=20)
    said = refused(source, capsys)
    assert "999" in said
    assert "min_size" in said
