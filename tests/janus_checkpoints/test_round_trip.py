"""Every tensor survives both formats bit for bit, and what is written is what the others read."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from janus_core.checkpoints.janus.read import import_checkpoint
from janus_core.checkpoints.janus.write import export_checkpoint
from janus_core.checkpoints.own import read_checkpoint
from janus_core.checkpoints.stream import TensorSpec, write_shards
from janus_registry.errors import OtherCode

CARRIED = 14


def test_own_format_and_back(tiny_janus: Any, published: Any, tmp_path: Path) -> None:
    for form in ("huggingface", "deepseek"):
        export_checkpoint(tiny_janus.ours[form], tmp_path / form, form)
        before, after = published.tensors(getattr(tiny_janus, form)), published.tensors(tmp_path / form)
        assert len(before) > 200
        assert published.differing(before, after) == []


def test_what_is_exported_names_what_made_it_and_is_compared_when_it_is_read(small_janus: Any, tmp_path: Path) -> None:
    export_checkpoint(small_janus.ours["deepseek"], tmp_path / "hf", "huggingface")
    about = json.loads((tmp_path / "hf" / "janus_provenance.json").read_text())
    made_by = about["provenance"]
    assert made_by == read_checkpoint(small_janus.ours["deepseek"]).facts["provenance"]
    assert {"encoders.image", "language_model", "generation_tokenizer"} <= made_by.keys()
    with warnings.catch_warnings():
        warnings.simplefilter("error", OtherCode)
        import_checkpoint(tmp_path / "hf", tmp_path / "same")
    assert not (tmp_path / "same" / "source" / "janus_provenance.json").exists()
    made_by["language_model"]["version"] = "0.0.1"
    (tmp_path / "hf" / "janus_provenance.json").write_text(json.dumps(about))
    with pytest.warns(OtherCode, match="language_model .*janus-umm 0.0.1"):
        import_checkpoint(tmp_path / "hf", tmp_path / "other")


def test_across_the_formats(tiny_janus: Any, published: Any, tmp_path: Path) -> None:
    export_checkpoint(tiny_janus.ours["deepseek"], tmp_path / "hf", "huggingface")
    assert published.differing(published.tensors(tmp_path / "hf"), tiny_janus.reference.state_dict()) == []
    aside = load_file(tmp_path / "hf" / "janus_carried.safetensors")
    assert published.differing(aside, published.carried(tiny_janus.shape)) == []
    assert len(aside) == CARRIED
    import_checkpoint(tmp_path / "hf", tmp_path / "again")
    export_checkpoint(tmp_path / "again", tmp_path / "ds", "deepseek")
    assert published.differing(published.tensors(tmp_path / "ds"), tiny_janus.deepseek_state) == []


def test_without_the_side_file_fourteen_begin_anew_and_are_named(
    small_janus: Any, published: Any, tmp_path: Path
) -> None:
    report = import_checkpoint(small_janus.huggingface, tmp_path / "ours")
    (note,) = report.notes
    assert note.count("attn_pool") == CARRIED - 1
    assert "codebook_used" in note
    export_checkpoint(tmp_path / "ours", tmp_path / "ds", "deepseek")
    names = published.differing(published.tensors(tmp_path / "ds"), small_janus.deepseek_state)
    assert sorted(names) == sorted(published.carried(small_janus.shape))


@pytest.mark.parametrize("bins", [1, 3])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_bin_shards_of_half_types(
    small_janus: Any, published: Any, tmp_path: Path, bins: int, dtype: torch.dtype
) -> None:
    state = {name: tensor.to(dtype) for name, tensor in small_janus.deepseek_state.items()}
    source = published.write_deepseek(tmp_path / "bin", state, small_janus.shape, bins=bins)
    report = import_checkpoint(source, tmp_path / "ours")
    assert report.dtypes == {str(dtype).removeprefix("torch."): len(state)}
    export_checkpoint(tmp_path / "ours", tmp_path / "out", "deepseek", shard=2**20)
    assert len(list((tmp_path / "out").glob("model-*-of-*.safetensors"))) > 1
    assert published.differing(published.tensors(tmp_path / "out"), state) == []
    assert not list((tmp_path / "out").glob("*.bin*"))
    import_checkpoint(tmp_path / "out", tmp_path / "again")


def test_the_export_loads_in_transformers(tiny_janus: Any, tmp_path: Path) -> None:
    from transformers import AutoProcessor, JanusForConditionalGeneration

    out = tmp_path / "hf"
    export_checkpoint(tiny_janus.ours["deepseek"], out, "huggingface")
    model, report = JanusForConditionalGeneration.from_pretrained(out, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert not report["mismatched_keys"]
    expected = tiny_janus.reference.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert model.lm_head.weight.data_ptr() != model.model.language_model.embed_tokens.weight.data_ptr()
    assert model.generation_config.generation_kwargs["boi_token_id"] == 271
    processor = AutoProcessor.from_pretrained(out)
    assert type(processor).__name__ == "JanusProcessor"
    assert processor.num_image_tokens == model.config.vision_config.num_image_tokens


def test_small_files_come_back_as_they_were(small_janus: Any, tmp_path: Path) -> None:
    for form in ("huggingface", "deepseek"):
        export_checkpoint(small_janus.ours[form], tmp_path / form, form)
        source = getattr(small_janus, form)
        for path in source.iterdir():
            if path.suffix != ".safetensors":
                assert (tmp_path / form / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_cast_is_stated_in_the_config(small_janus: Any, published: Any, tmp_path: Path) -> None:
    export_checkpoint(small_janus.ours["deepseek"], tmp_path / "out", "deepseek", dtype=torch.bfloat16)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert {tensor.dtype for tensor in published.tensors(tmp_path / "out").values()} == {torch.bfloat16}


def test_shards_hold_what_was_announced(tmp_path: Path) -> None:
    state = {"a": torch.arange(6).view(2, 3), "b": torch.tensor(1.5), "c": torch.zeros(0, 4), "d": torch.rand(40)}
    write_shards(tmp_path, [TensorSpec.of(*item) for item in state.items()], state.items(), shard=100)
    found: dict[str, torch.Tensor] = {}
    for path in sorted(tmp_path.glob("*.safetensors")):
        found |= load_file(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
    with pytest.raises(ValueError, match="announced"):
        write_shards(tmp_path, [TensorSpec("a", torch.float32, (3,))], [("a", torch.zeros(4))])


def test_safetensors_are_read_where_both_lie(small_janus: Any, published: Any, tmp_path: Path) -> None:
    state, shape = small_janus.deepseek_state, small_janus.shape
    source = published.write_deepseek(tmp_path / "both", state, shape, bins=2)
    published.write_deepseek(source, state, shape)
    for path in source.glob("*.bin"):
        path.write_bytes(b"not this one")
    assert import_checkpoint(source, tmp_path / "ours").keys == len(state)
