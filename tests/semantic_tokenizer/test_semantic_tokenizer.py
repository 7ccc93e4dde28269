"""The semantic tokenizer: its causal mask, its distillation, its two roles in one model, and its shipped recipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from janus_conv_vq.llamagen import LlamaGenVQ
from janus_core.config.catalog import recipes_folder, shipped
from janus_core.config.choose import choose, choose_losses
from janus_core.config.load import load, validate
from janus_core.config.recipe import PretrainRecipe
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Pretrainable
from janus_core.training.pretrain import pretrain
from janus_semantic_tokenizer.decoder import positions
from janus_semantic_tokenizer.encoder import SemanticEncoder, build_transform
from janus_semantic_tokenizer.encoder import build as build_encoder
from janus_semantic_tokenizer.model import SemanticTokenizer, build
from janus_semantic_tokenizer.options import SemanticEncoderOptions, SemanticLosses, SemanticTokenizerOptions
from janus_semantic_tokenizer.plugin import PRESETS
from janus_semantic_tokenizer.pretrain import SemanticPretraining, begin

torch.set_num_threads(1)
SIDE = 32
TEACHER = {
    "weights": "none",
    "custom": {"image_size": SIDE, "patch_size": 16, "width": 48, "depth": 1, "heads": 2},
}
LOSSES = {"perceptual": 0, "adversarial": 0, "teacher": TEACHER}


def tiny(**options: object) -> SemanticTokenizer:
    torch.manual_seed(0)
    return build(SemanticTokenizerOptions(**{**PRESETS["tiny"], **options}), BuildContext())


def trainer(tokenizer: SemanticTokenizer | None = None, **changes: Any) -> SemanticPretraining:
    losses = SemanticLosses(**{**LOSSES, **changes})
    return begin(tokenizer or tiny(), losses, BuildContext(image_size=SIDE)).train()


def batch(count: int = 4) -> dict[str, Any]:
    coarse = torch.rand(count, 3, 4, 4) * 2 - 1
    pixels = torch.nn.functional.interpolate(coarse, size=SIDE, mode="bicubic").clamp(-1, 1)
    return {"inputs": pixels, "captions": [""] * count}


def test_a_token_depends_on_its_own_code_and_earlier_ones_only() -> None:
    tokenizer = tiny().eval()
    codes = torch.randint(64, (1, 16, 1))
    assert len(tokenizer.semantic.blocks) == 2

    def tokens(codes: torch.Tensor) -> torch.Tensor:
        vectors = tokenizer.embed(codes).transpose(1, 2).reshape(1, 8, 4, 4)
        return tokenizer.understand(vectors)

    before = tokens(codes)
    for place in (15, 6, 0):
        other = codes.clone()
        other[0, place] = (codes[0, place] + 1) % 64
        changed = (tokens(other) - before).abs().amax(dim=(0, 2)) > 1e-6
        assert changed.tolist() == [at >= place for at in range(16)]


def test_positions_tell_every_place_apart() -> None:
    found = positions((3, 5), 32)
    assert found.shape == (15, 32)
    assert len(found.unique(dim=0)) == 15
    assert found[7, 0].item() == pytest.approx(np.sin(1)) and found[7, 16].item() == pytest.approx(np.sin(2))


def test_the_distillation_loss_is_the_mean_cosine_distance_to_the_teacher() -> None:
    training = trainer().eval()
    given = batch()
    told = training.losses(given, 0)
    drawn, quantized = training.tokenizer.reconstruct(given["inputs"])
    assert training.head is not None and training.teacher is not None
    with torch.no_grad():
        guessed = training.head(training.tokenizer.understand(quantized.vectors)).numpy().astype(np.float64)
        targets = training.teacher.trunk.forward_features(given["inputs"]).numpy().astype(np.float64)
    assert guessed.shape == targets.shape == (4, 4, 48)
    cosines = (guessed * targets).sum(-1) / np.linalg.norm(guessed, axis=-1) / np.linalg.norm(targets, axis=-1)
    assert told["semantic"].item() == pytest.approx(1 - cosines.mean(), rel=1e-5)
    rgb = told["squared"] + 0.25 * told["commitment"] + told["codebook"]
    torch.testing.assert_close(told["loss"].detach(), rgb + 0.25 * told["semantic"])


def test_gradient_reaches_every_part_of_the_student_and_none_of_the_teacher() -> None:
    training = trainer()
    conforms: Pretrainable = training
    terms = training.terms(batch()["inputs"], *training.tokenizer.reconstruct(batch()["inputs"]))
    terms["semantic"].backward()
    reached = {name.split(".")[0] for name, p in training.tokenizer.named_parameters() if p.grad is not None}
    assert reached == {
        "encoder",
        "quant_conv",
        "semantic",
    }  # straight through the codes, and not into the pixel decoder
    conforms.losses(batch(), 0)["loss"].backward()
    grouped = [p for group in conforms.optimizer_groups() for p in group["params"]]
    assert all(p.grad is not None for p in grouped)
    assert training.teacher is not None and training.head is not None
    expected = [*training.tokenizer.parameters(), *training.head.parameters()]
    assert sorted(map(id, grouped)) == sorted(map(id, expected))
    assert not any(p.requires_grad for p in training.teacher.parameters())
    assert training.tokenizer.training and not training.teacher.training


def test_it_learns() -> None:
    training = trainer()
    given = batch(2)
    optimiser = torch.optim.AdamW(training.optimizer_groups(), lr=3e-3)
    told = []
    for step in range(20):
        losses = training.losses(given, step)
        optimiser.zero_grad()
        losses["loss"].backward()
        optimiser.step()
        told.append({name: float(value.detach()) for name, value in losses.items()})
    assert told[-1]["loss"] < 0.7 * told[0]["loss"]
    assert told[-1]["semantic"] < 0.85 * told[0]["semantic"]


def test_published_sizes() -> None:
    with torch.device("meta"):
        tokenizer = build(SemanticTokenizerOptions(weights="none", **PRESETS["paper"]), BuildContext())
    assert SemanticTokenizerOptions(weights="none") == SemanticTokenizerOptions(weights="none", **PRESETS["paper"])
    blocks = tokenizer.semantic.blocks
    assert (len(blocks), blocks[0].attn.num_heads, tokenizer.semantic_width) == (12, 12, 768)
    assert tokenizer.layout(384).grid == (24, 24)
    vit = 12 * (12 * 768**2 + 13 * 768) + 2 * 768 + (8 + 1) * 768
    assert sum(p.numel() for p in tokenizer.parameters()) == 71_883_403 + vit
    rgb = [key for key in tokenizer.state_dict() if not key.startswith("semantic.")]
    assert len(rgb) == 344


def test_it_is_vq16_with_a_second_branch(tmp_path: Path) -> None:
    """The RGB branch computes as LlamaGen's class does; all keys go through a file and back."""
    tokenizer = tiny().eval()
    rgb = LlamaGenVQ(SemanticTokenizerOptions(**PRESETS["tiny"])).eval()
    rgb.load_state_dict({k: v for k, v in tokenizer.state_dict().items() if not k.startswith("semantic.")})
    pixels = batch()["inputs"]
    codes = tokenizer.encode(pixels)
    assert torch.equal(codes, rgb.encode(pixels))
    assert torch.equal(tokenizer.decode(codes, tokenizer.layout(SIDE)), rgb.decode(codes, rgb.layout(SIDE)))
    save_file(tokenizer.state_dict(), tmp_path / "w.safetensors")
    read = build(
        SemanticTokenizerOptions(**{**PRESETS["tiny"], "weights": "w.safetensors"}), BuildContext(folder=tmp_path)
    )
    assert all(torch.equal(read.state_dict()[key], value) for key, value in tokenizer.state_dict().items())


def test_the_encoder_is_the_path_of_the_paper() -> None:
    tokenizer = tiny().eval()
    context = BuildContext(resolve=lambda name: tokenizer, resolve_transform=lambda name: name)  # type: ignore[arg-type, return-value]
    encoder = build_encoder(SemanticEncoderOptions(), context)
    assert isinstance(encoder, SemanticEncoder)
    assert encoder.tokenizer is tokenizer and encoder.width == 32
    assert build_transform(SemanticEncoderOptions(), context) == "generation_tokenizer"
    pixels = torch.cat([batch(2)["inputs"]] * 2, dim=3)  # 2 x 4 codes: the grid follows the picture
    features = encoder(pixels)
    quantized = tokenizer.quantize(tokenizer.latents(pixels))
    torch.testing.assert_close(features.tokens, tokenizer.understand(quantized.vectors), rtol=1e-4, atol=1e-5)
    assert features.tokens.shape == (2, 8, 32) and features.mask is None
    features.tokens.sum().backward()
    reached = {name.split(".")[0] for name, p in tokenizer.named_parameters() if p.grad is not None}
    assert reached == {"quantize", "semantic"}


def test_errors_name_the_place_and_the_remedy() -> None:
    def resolve(name: str) -> torch.nn.Module:
        return torch.nn.Linear(2, 2)

    with pytest.raises(ValueError, match="'generation_tokenizer' is a Linear.*tokenizer_as_encoder"):
        build_encoder(SemanticEncoderOptions(), BuildContext(resolve=resolve))
    for factory in (build_encoder, build_transform):
        with pytest.raises(ValueError, match="built without one.*recipe"):
            factory(SemanticEncoderOptions(), BuildContext())
    for custom in ({"image_size": 32, "patch_size": 8}, {"image_size": 64, "patch_size": 32}):
        with pytest.raises(ValueError, match=r"teacher takes.*2 x 2 codes.*image_size to \d+.*16 pixels"):
            trainer(teacher={"weights": "none", "custom": TEACHER["custom"] | custom})  # type: ignore[operator]
    for wrong, told in (
        ({"semantic": 0.25}, "needs a teacher"),
        ({"semantic": 0, "teacher": TEACHER}, "no use"),
        ({"teacher": {"weights": "none", "model": "ViT-L-16-SigLIP-38"}}, "ViT-L-16-SigLIP-384"),
        ({"teacher": TEACHER, "resize": "pad"}, "resize"),
    ):
        with pytest.raises(ValueError, match=told):
            SemanticLosses(**wrong)
    with pytest.raises(ValueError, match="multiple of semantic_heads 5"):
        tiny(semantic_heads=5)
    with pytest.raises(ValueError, match="multiple of 4"):
        tiny(semantic_width=6)


def recipe(**changes: Any) -> PretrainRecipe:
    values = {
        "name": "p",
        "kind": "generation_tokenizer",
        "part": {"type": "semantic_tokenizer", "preset": "tiny"},
        "image_size": SIDE,
        "losses": LOSSES,
        "source": {"type": "openmoji_scenes", "options": {"task": "generation", "length": 4}},
        "steps": 2,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "validation_limit": 4,
        "run": {"accelerator": "cpu", "threads": 1, "log_every": 1},
    }
    return validate(PretrainRecipe, values | changes, "p.yaml")


def written(folder: Path, name: str, say: Any = print, **changes: Any) -> dict[str, Any]:
    pretrain(recipe(**changes), folder=folder, out=folder / name, progress=False, say=say)
    found: dict[str, Any] = json.loads((folder / name / "numbers.json").read_text(encoding="utf-8"))
    return found


def test_pretraining_writes_the_tokenizer_alone(tmp_path: Path) -> None:
    said: list[str] = []
    about = written(tmp_path, "taught", said.append)
    assert 0 < about["numbers"]["semantic"] < 2
    assert about["notes"] == ["the teacher is RANDOM: losses.teacher.weights is none"]
    assert said[0] == f"note: {about['notes'][0]}"
    assert set(load_file(tmp_path / "taught" / "weights.safetensors")) == set(tiny().state_dict())
    assert about["parameters"] == sum(p.numel() for p in tiny().parameters())
    again = written(tmp_path, "again")
    assert (again["sha256"], again["numbers"]) == (about["sha256"], about["numbers"])


def test_what_stands_beside_the_tokenizer_does_not_change_what_it_begins_with(tmp_path: Path) -> None:
    still = {"learning_rate": 1e-30, "steps": 1}
    for name, losses in (
        ("taught", LOSSES),
        ("untaught", {"perceptual": 0, "adversarial": 0, "semantic": 0}),
        ("critic", LOSSES | {"adversarial": 0.5, "adversarial_start": 0, "critic_layers": 2, "critic_width": 8}),
    ):
        written(tmp_path, name, **still, losses=losses)
    first, *others = (load_file(tmp_path / n / "weights.safetensors") for n in ("taught", "untaught", "critic"))
    assert all(torch.equal(first[key], other[key]) for other in others for key in first)
    heads = [trainer(adversarial=weight).head for weight in (0, 0.5)]
    assert heads[0] is not None and heads[1] is not None
    assert torch.equal(heads[0][0].weight, heads[1][0].weight)


def both_roles(tiny: ModuleType) -> dict[str, Any]:
    values: dict[str, Any] = tiny.three_stages(tiny.recipe("both", text=True))
    values["model"]["generation_tokenizer"] = {"type": "semantic_tokenizer", "preset": "tiny"}
    values["model"]["encoders"]["image"] = "semantic_tokenizer_encoder"
    return values


def test_both_roles_in_one_model(tiny: ModuleType, tmp_path: Path) -> None:
    """Stored once, frozen in one role = frozen, trained through the paper's stages, saved and loaded."""
    from janus_core.checkpoints.own import load_checkpoint
    from janus_core.inference.session import Session

    values = both_roles(tiny)
    built = tiny.build(values).model
    assert built.encoders["image"].tokenizer is built.generation_tokenizer
    assert built.encoders["image"].width == 32
    trained = tiny.train(values, tmp_path / "out")
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))["stages"]
    assert all("generation_tokenizer" in stage["frozen_sha256"] for stage in record.values())
    assert len({stage["frozen_sha256"]["generation_tokenizer"] for stage in record.values()}) == 1
    keys = set(load_file(tmp_path / "out" / "checkpoint" / "model.safetensors"))
    stored = [key for key in keys if key.endswith("semantic.norm.weight")]
    assert len(stored) == 1
    loaded, _, _ = load_checkpoint(tmp_path / "out")
    assert tiny.differing(tiny.weights(trained.built.model), tiny.weights(loaded.model)) == []
    again = Session(loaded)
    loaded.model.eval()
    picture = tiny.picture()
    answers = [session.ask(picture, "what?", max_new_tokens=4) for session in (trained, again)]
    assert answers[0] == answers[1]
    (first,), (second,) = (session.draw(["a cat"], seed=1) for session in (trained, again))
    assert np.array_equal(first.codes, second.codes)


def test_swapping_the_encoder_leaves_the_rest_as_it_was(tiny: ModuleType) -> None:
    values = both_roles(tiny)
    first = tiny.weights(tiny.build(values).model)
    values["model"]["encoders"]["image"] = {"type": "siglip", "preset": "tiny"}
    second = tiny.weights(tiny.build(values).model)
    assert all(key.startswith("encoders.image") for key in tiny.differing(first, second))


def test_another_tokenizer_has_no_semantic_decoder(tiny: ModuleType) -> None:
    values = both_roles(tiny)
    values["model"]["generation_tokenizer"]["type"] = "vqgan"
    with pytest.raises(UserError, match=r"encoders\.image.*semantic_tokenizer"):
        tiny.build(values)


def test_shipped_pretraining_recipes_are_valid() -> None:
    found = []
    for name, path in shipped().items():
        if "kind:" in path.read_text(encoding="utf-8") and path.is_relative_to(recipes_folder()):
            given = load(PretrainRecipe, path)
            losses = choose_losses(choose(given.kind, given.part, "part"), given.losses, "losses")
            choose("data_source", given.source, "source")
            assert losses is not None
            found.append((name, given, losses))
    assert {name for name, _, _ in found} >= {
        "ablations/semantic_tokenizer",
        "quickstart/encoder",
        "quickstart/tokenizer",
    }
    _, paper, losses = next(item for item in found if item[0] == "ablations/semantic_tokenizer")
    assert isinstance(losses, SemanticLosses)
    assert (losses.squared, losses.perceptual, losses.adversarial, losses.adversarial_start) == (1, 1, 0.5, 20000)
    assert (losses.codebook, losses.commitment, losses.entropy, losses.semantic) == (1, 0.25, 0, 0.25)
    assert (paper.learning_rate, paper.schedule, paper.batch_size, paper.warmup) == (1e-4, "constant", 128, 0)
    assert paper.steps == -(-1_281_167 * 40 // 128)
    assert losses.teacher is not None
    sizes = losses.teacher.tower().architecture()
    assert (sizes.image_size, sizes.grid, sizes.width) == (paper.image_size, paper.image_size // 16, 1024)


def test_listing_imports_no_torch() -> None:
    code = "import sys, janus_semantic_tokenizer.plugin as p, janus_semantic_tokenizer.options; "
    code += "list(p.janus_generation_tokenizers()), list(p.janus_understanding_encoders()); "
    code += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
