"""Imported checkpoints train: the loss is the formula's, gradients reach what trains, LoRA is kept apart and merged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from PIL import Image
from safetensors.torch import load_file

from janus_core.checkpoints.janus.read import import_checkpoint
from janus_core.checkpoints.own import load_checkpoint, read_checkpoint
from janus_core.cli import main
from janus_core.interfaces import Given, Message, Sample, Target
from janus_core.sequence.pack import pack

ALL = ["language_model", "adapters.*", "encoders.*", "generation_adapter", "generation_head", "code_table"]


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), dtype=np.uint8))


def understanding(seed: int = 0) -> Sample:
    asked = Message("user", (Given("image", picture(seed)), "\nwhat is it?"))
    return Sample(f"u{seed}", "understanding", (asked, Message("assistant", ("a cat in the hall",))))


def generation(seed: int = 1) -> Sample:
    drawn = Message("assistant", (Target(picture(seed)),))
    return Sample(f"g{seed}", "generation", (Message("user", ("a red cat",)), drawn))


def test_understanding_loss_is_the_formula(tiny_janus: Any) -> None:
    """Cross-entropy of the answer and its EOS at the position before each, from the reference's logits."""
    built, _, _ = load_checkpoint(tiny_janus.ours["deepseek"])
    reference, text = tiny_janus.reference, built.text
    sample = built.assembler.sample(understanding())
    losses = built.model(pack([sample], built.transforms, built.target_transform))
    answer = text.encode(" a cat in the hall") + [text.eos]
    ids = torch.tensor(sample.ids)
    ((_, place),) = sample.given
    ids[place.start : place.start + place.length] = reference.config.image_token_id
    assert ids[-len(answer) :].tolist() == answer
    with torch.no_grad():
        logits = reference(
            input_ids=ids[None], attention_mask=torch.ones_like(ids)[None], pixel_values=place.prepared.inputs[None]
        ).logits[0]
    expected = F.cross_entropy(logits[-len(answer) - 1 : -1], torch.tensor(answer), reduction="sum")
    assert losses.counts == {"understanding": len(answer)}
    torch.testing.assert_close(losses.sums["understanding"], expected, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("dropped", [False, True])
def test_generation_loss_is_the_formula(tiny_janus: Any, dropped: bool) -> None:
    """The hidden state at the begin token predicts the first code, that of each code the next, the last nothing."""
    built, _, _ = load_checkpoint(tiny_janus.ours["huggingface"])
    reference = tiny_janus.reference
    sample = built.assembler.sample(generation(), drop_condition=dropped)
    batch = pack([sample], built.transforms, built.target_transform)
    losses = built.model(batch)
    (place,) = sample.targets
    prompt = torch.tensor(sample.ids[: place.start])
    if dropped:
        assert prompt[1:-1].unique().tolist() == [built.text.pad]
    codes = built.model.encode_pixels(batch.pixels)[0, :, 0]
    with torch.no_grad():
        embeds = torch.cat(
            [
                reference.get_input_embeddings()(prompt),
                reference.prepare_embeddings_for_image_generation(codes[None])[0],
            ]
        )
        hidden = reference.model.language_model(inputs_embeds=embeds[None]).last_hidden_state[0]
        logits = reference.model.generation_head(hidden[len(prompt) - 1 : -1])
    assert losses.counts == {"generation": len(codes)}
    expected = F.cross_entropy(logits, codes, reduction="sum")
    torch.testing.assert_close(losses.sums["generation"], expected, atol=1e-4, rtol=1e-5)


def test_gradients_reach_every_part_and_the_pad_row(small_janus: Any) -> None:
    built, _, _ = load_checkpoint(small_janus.ours["deepseek"])
    built.model.train()
    built.model.set_trained(ALL)
    samples = [
        built.assembler.sample(understanding()),
        built.assembler.sample(generation()),
        built.assembler.sample(generation(2), drop_condition=True),
    ]
    losses = built.model(pack(samples, built.transforms, built.target_transform))
    torch.stack(list(losses.sums.values())).sum().backward()
    unreached = [
        name
        for name, parameter in built.model.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    # The key bias moves no attention; the pool is carried and never computed with.
    assert [name for name in unreached if "attn_pool" not in name] == []
    assert all(p.grad is None for p in built.model.generation_tokenizer.parameters())
    pad = built.model.language_model.model.embed_tokens.weight.grad[built.text.pad]
    assert pad.abs().sum() > 0


@pytest.fixture
def desk(tmp_path: Path, small_janus: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an imported model, a LLaVA JSON, a caption JSONL and a recipe without a model section."""
    import_checkpoint(small_janus.deepseek, tmp_path / "models" / "pro")
    picture(0).save(tmp_path / "a.png")
    turns = [{"from": "human", "value": "<image>\nwhat?"}, {"from": "gpt", "value": "the cat"}]
    (tmp_path / "talk.json").write_text(json.dumps([{"id": 1, "image": "a.png", "conversations": turns}]))
    (tmp_path / "captions.jsonl").write_text(json.dumps({"image": "a.png", "caption": "a red cat"}) + "\n")
    stage = {
        "name": "tune",
        "train": ["language_model", "adapters.*", "generation_adapter", "generation_head"],
        "steps": 2,
        "batch_size": 2,
        "learning_rate": 0.01,
        "mixture": {"understanding": 1, "generation": 1},
        "data": {"understanding": ["talk"], "generation": ["drawings"]},
    }
    recipe = {
        "name": "tuned",
        "init": "models/pro",
        "sources": {
            "talk": {"type": "llava", "options": {"path": "talk.json"}},
            "drawings": {"type": "image_captions", "options": {"path": "captions.jsonl", "task": "generation"}},
        },
        "stages": [stage],
        "run": {"accelerator": "cpu", "threads": 1},
    }
    write(tmp_path, recipe)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, recipe: dict[str, Any]) -> None:
    (folder / "tune.yaml").write_text(yaml.safe_dump(recipe))


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "tune.yaml").read_text())
    return found


def differing(first: Path, second: Path, published: Any) -> set[str]:
    """The parts whose tensors differ between two checkpoints."""
    names = published.differing(load_file(first / "model.safetensors"), load_file(second / "model.safetensors"))
    return {".".join(name.split(".")[: 2 if name.startswith(("encoders", "adapters")) else 1]) for name in names}


def test_full_fine_tuning(desk: Path, published: Any) -> None:
    assert main(["train", "tune.yaml", "--out", "run", "--no-progress"]) == 0
    trained = differing(desk / "models/pro", desk / "run/checkpoint", published)
    assert trained == {"language_model", "adapters.image", "generation_adapter", "generation_head"}
    found = read_checkpoint(desk / "run")
    assert found.facts["imported"]["format"] == "deepseek"
    assert found.source is not None
    assert found.recipe.text.chat.user == "<|User|>"
    assert found.recipe.samples.guidance == 5
    assert main(["answer", "a.png", "what?", "--model", "run", "--max-new-tokens", "2"]) == 0
    assert main(["export", "run", "--format", "deepseek", "--out", "out", "--no-progress"]) == 0
    assert import_checkpoint(desk / "out", desk / "again").keys == len(published.tensors(desk / "out"))
    assert differing(desk / "run/checkpoint", desk / "again", published) == set()


def test_lora_is_kept_apart_and_merged(desk: Path, published: Any, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = read(desk) | {"lora": {"parts": ["language_model"], "rank": 4, "targets": ["q_proj", "v_proj"]}}
    recipe["stages"][0]["train"] = ["language_model", "generation_head"]
    recipe["stages"].append({**recipe["stages"][0], "name": "more"})
    write(desk, recipe)
    assert main(["train", "tune.yaml", "--out", "run", "--no-progress"]) == 0
    updates = load_file(desk / "run/checkpoint/lora.safetensors")
    layers = 2 * len(load_checkpoint(desk / "models/pro")[0].model.language_model.blocks())
    assert len(updates) == 2 * layers
    assert all(("q_proj" in key or "v_proj" in key) and "language_model" in key for key in updates)
    assert any(tensor.abs().sum() > 0 for key, tensor in updates.items() if "lora_B" in key)
    assert differing(desk / "models/pro", desk / "run/checkpoint", published) == {"generation_head"}
    assert main(["export", "run", "--format", "deepseek", "--out", "out"]) == 2
    assert "janus merge" in capsys.readouterr().err
    assert main(["train", "tune.yaml", "--init", "run", "--out", "second"]) == 2
    assert main(["merge", "run", "--out", "merged"]) == 0
    assert differing(desk / "run/checkpoint", desk / "merged", published) == {"language_model"}
    apart, merged = (load_checkpoint(desk / name)[0] for name in ("run", "merged"))
    batch = pack([apart.assembler.sample(understanding())], apart.transforms, apart.target_transform)
    with torch.no_grad():
        first, second = (built.model.eval()(batch).sums["understanding"] for built in (apart, merged))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=1e-5)
    assert main(["merge", "merged", "--out", "twice"]) == 2
    assert main(["export", "merged", "--format", "huggingface", "--out", "hf", "--no-progress"]) == 0


def test_the_start_is_the_checkpoint(desk: Path) -> None:
    """A rate of nothing leaves the model as it was, so that it began as it was."""
    recipe = read(desk)
    recipe["stages"][0] |= {"learning_rate": 1e-30, "steps": 1}
    recipe.pop("init")
    write(desk, recipe)
    assert main(["train", "tune.yaml", "--init", "models/pro", "--out", "run", "--no-progress"]) == 0
    first, second = (load_file(desk / name / "model.safetensors") for name in ("models/pro", "run/checkpoint"))
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"init": "nowhere"}, "does not exist"),
        ({"text": {"chat": {"user": "User"}}}, "text.chat.user"),
        ({"text": {"tokenizer": "bytes"}}, "text.tokenizer"),
        ({"lora": {"parts": ["language_modle"]}}, "language_model"),
        ({"lora": {"parts": ["language_model"], "targets": ["qq"]}}, "q_proj"),
        ({"stages": []}, "nothing to train"),
    ],
)
def test_what_a_start_refuses(
    desk: Path, change: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(desk, read(desk) | change)
    assert main(["train", "tune.yaml", "--out", "run", "--no-progress"]) == 2
    assert told in capsys.readouterr().err


def test_half_types_train_in_float32(small_janus: Any, published: Any, desk: Path) -> None:
    state = {name: tensor.to(torch.bfloat16) for name, tensor in small_janus.deepseek_state.items()}
    source = published.write_deepseek(desk / "half", state, small_janus.shape)
    import_checkpoint(source, desk / "models" / "half")
    assert {t.dtype for t in load_file(desk / "models/half/model.safetensors").values()} == {torch.bfloat16}
    assert main(["train", "tune.yaml", "--init", "models/half", "--out", "run", "--no-progress"]) == 0
    assert {t.dtype for t in load_file(desk / "run/checkpoint/model.safetensors").values()} == {torch.float32}
    options = ["--format", "deepseek", "--dtype", "bfloat16", "--out", "out", "--no-progress"]
    assert main(["export", "run", *options]) == 0
    frozen = published.tensors(desk / "out")
    same = [name for name in state if name.startswith(("gen_embed.", "gen_vision_model.", "vision_model."))]
    assert len(same) > 100
    assert all(torch.equal(frozen[name], state[name]) for name in same)
