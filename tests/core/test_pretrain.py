"""``janus pretrain``: optimisers and their losses, what is written, what is measured, and what an interrupt leaves."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from janus_core.config.load import validate
from janus_core.config.recipe import PretrainRecipe
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, Message, Prepared, Sample, Target
from janus_core.training.pretrain import pretrain
from janus_core.training.pretrain_loop import PartTraining
from janus_core.training.pretrain_pictures import held_out_loader

CRITIC = {"perceptual": 0, "adversarial_start": 2, "critic_layers": 2, "critic_width": 8}


def recipe(**changes: Any) -> PretrainRecipe:
    values = {
        "name": "p",
        "kind": "generation_tokenizer",
        "part": {"type": "patch_vq", "preset": "tiny"},
        "image_size": 32,
        "losses": {"perceptual": 0, "adversarial": 0},
        "source": {"type": "openmoji_scenes", "options": {"task": "generation", "length": 8}},
        "validation": {"type": "openmoji_scenes", "options": {"task": "generation", "length": 5, "split": "test"}},
        "steps": 4,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "run": {"accelerator": "cpu", "threads": 1, "log_every": 1},
    }
    return validate(PretrainRecipe, values | changes, "p.yaml")


def run(out: Path, **changes: Any) -> dict[str, Any]:
    pretrain(recipe(**changes), folder=Path("."), out=out, progress=False)
    found: dict[str, Any] = json.loads((out / "numbers.json").read_text(encoding="utf-8"))
    return found


class Rivals(nn.Module):
    """Two losses that share both parameters; the second begins at step 2."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor([1.0])), nn.Parameter(torch.tensor([-1.0]))

    def optimizer_groups(self) -> list[dict[str, Any]]:
        return [{"params": [self.b], "loss": "critic", "factor": 2.0}, {"params": [self.a]}]

    def losses(self, batch: Any, step: int) -> dict[str, Tensor]:
        found = {"loss": (self.a * self.b - 3).square().sum()}
        return found | ({"critic": (self.a + self.b - 1).square().sum()} if step >= 2 else {})


def test_each_loss_moves_only_its_own_parameters_and_steps_are_the_parts() -> None:
    given = recipe(steps=5, learning_rate=0.1, warmup=1, schedule="linear", clip=1.0)
    trained = Rivals()
    module = PartTraining(nn.Identity(), trained, given)
    trainer = lightning.Trainer(
        accelerator="cpu", max_steps=5, logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.fit(module, [0] * 9)
    assert module.steps == {"loss": 5, "critic": 3}
    assert trainer.global_step == 5
    twin = Rivals()
    optimisers = {"loss": torch.optim.AdamW([twin.a], betas=(0.9, 0.99), weight_decay=0)}
    optimisers["critic"] = torch.optim.AdamW([twin.b], betas=(0.9, 0.99), weight_decay=0)
    rates = [0.05, 0.1, 0.075, 0.05, 0.025]  # half in the warm-up step, then falling to 0 over the other four
    for step, rate in enumerate(rates):
        losses = twin.losses(None, step)
        own = {"loss": twin.a, "critic": twin.b}
        slopes = {name: torch.autograd.grad(value, own[name])[0] for name, value in losses.items()}
        for name, slope in slopes.items():
            own[name].grad = slope.clamp(-1, 1)  # of one number: the norm is the number
            optimisers[name].param_groups[0]["lr"] = rate * (2 if name == "critic" else 1)
            optimisers[name].step()
    torch.testing.assert_close((trained.a, trained.b), (twin.a, twin.b), rtol=1e-5, atol=1e-6)


def test_an_adversarial_training_writes_the_part_alone(tmp_path: Path) -> None:
    part = {"type": "llamagen_vq", "preset": "tiny"}
    about = run(tmp_path / "w", part=part, losses=CRITIC)
    assert about["optimiser_steps"] == {"loss": 4, "critic": 2}
    assert about["losses"]["adversarial_start"] == 2 and about["losses"]["squared"] == 1
    assert about["notes"] == []
    assert (about["measured_on"], about["pictures"], about["unusable_pictures"]) == ("validation", 5, 0)
    told = {"loss", "absolute", "squared", "commitment", "codebook", "psnr_torchmetrics", "ssim_torchmetrics"}
    assert set(about["numbers"]) == told | {"codebook_usage", "codebook_perplexity"}
    weights = load_file(tmp_path / "w" / "weights.safetensors")
    assert {key.split(".")[0] for key in weights} == {
        "encoder",
        "decoder",
        "quantize",
        "quant_conv",
        "post_quant_conv",
    }
    rows = (tmp_path / "w" / "logs" / "metrics.csv").read_text().splitlines()
    assert {"critic", "adversarial"} <= set(rows[0].split(","))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]
    again = part | {"options": {"weights": str(tmp_path / "w" / "weights.safetensors")}}
    assert run(tmp_path / "more", part=again, losses=CRITIC)["steps"] == 4


def test_a_critic_that_never_begins_changes_nothing_and_is_noted(tmp_path: Path) -> None:
    said: list[str] = []
    given = recipe(losses={"adversarial_start": 100, "critic_layers": 2, "critic_width": 8})
    pretrain(given, folder=Path("."), out=tmp_path / "late", progress=False, say=said.append)
    late = json.loads((tmp_path / "late" / "numbers.json").read_text(encoding="utf-8"))
    never = run(tmp_path / "never")
    assert late["sha256"] == never["sha256"]
    assert [note.split()[0] for note in late["notes"]] == ["perceptual", "critic"]
    assert [f"note: {note}" for note in late["notes"]] == said[:2]


def test_the_same_recipe_gives_the_same_part(tmp_path: Path) -> None:
    first, second = (run(tmp_path / name, losses=CRITIC) for name in ("a", "b"))
    assert first["sha256"] == second["sha256"]
    assert first["numbers"] == second["numbers"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_interrupted_training_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    from janus_conv_vq.pretrain import VQPretraining

    losses = VQPretraining.losses

    def interrupted(self: Any, batch: Any, step: int) -> Any:
        if step == 2:
            raise stop("now")
        return losses(self, batch, step)

    monkeypatch.setattr(VQPretraining, "losses", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(stop):
        run(tmp_path / "w")
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_diverged_training_is_told_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"diverged(.|\n)*learning_rate"):
        run(tmp_path / "w", learning_rate=1e30, schedule="constant")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"losses": {"squard": 1}}, ("losses.squard", "squared")),
        ({"losses": {"squared": -1, "adversarial": "much"}}, ("losses.squared", "losses.adversarial")),
        ({"losses": {"vgg": "none.pth"}}, ("none.pth",)),
        ({"losses": {"critic_layers": 9}}, ("critic_layers 9", "use 3")),
        ({"losses": {"codebook": 1.0}}, ("losses.codebook", "remove it")),
        (
            {"kind": "understanding_encoder", "part": {"type": "eva_clip", "preset": "tiny"}, "losses": {}},
            ("eva_clip", "cannot be trained alone", "siglip"),
        ),
        (
            {"kind": "understanding_encoder", "part": {"type": "siglip", "preset": "tiny"}, "losses": {"pool": "map"}},
            ("losses.pool", "pooling"),
        ),
    ],
    ids=str,
)
def test_wrong_losses_are_told(tmp_path: Path, changes: dict[str, Any], told: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        run(tmp_path / "w", **changes)
    for part in told:
        assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_pretraining_does_not_have_are_refused() -> None:
    for name in ("devices", "checkpoint_every", "cache", "compile"):
        with pytest.raises(UserError, match=f"run.{name}: unknown name"):
            recipe(run={name: 1})


class Numbered:
    """Seven pictures whose colour is their number; those of ``bad`` cannot be read."""

    bad = (1, 4)

    def __len__(self) -> int:
        return 7

    def __getitem__(self, index: int) -> Sample:
        if index in self.bad:
            raise BadRecord(str(index), "broken")
        picture = Image.new("RGB", (8, 8), (index, 0, 0))
        return Sample(str(index), "generation", (Message("plain", (Target(picture),)),))


class Red:
    digest = "red"

    def __call__(self, raw: Any) -> Prepared:
        return Prepared(raw.getpixel((0, 0))[0], 1)

    def collate(self, prepared: Any) -> list[int]:
        return [item.inputs for item in prepared]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_every_held_out_picture_is_measured_once(size: int) -> None:
    def seen(**changes: Any) -> list[int]:
        loader = held_out_loader(Numbered(), Red(), recipe(batch_size=size, **changes), usual=7)
        return [number for batch in loader if batch is not None for number in batch["inputs"]]

    assert sorted(seen()) == [0, 2, 3, 5, 6]
    assert seen() == seen() != seen(seed=1)
    assert len(seen(validation_limit=3)) <= 3
    assert seen(validation_limit=3) == seen()[: len(seen(validation_limit=3))]
