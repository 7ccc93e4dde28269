"""The losses of a tokenizer's training against references: torchmetrics, numpy and arithmetic by hand."""

from __future__ import annotations

import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torchmetrics.functional.image.lpips import _LPIPS
from torchmetrics.image import PeakSignalNoiseRatio, StructuralSimilarityIndexMeasure
from torchvision.models.vgg import cfgs, make_layers

from janus_conv_vq.critic import adaptive_weight, build_critic, hinge
from janus_conv_vq.measure import Measures
from janus_conv_vq.options import VQLosses
from janus_conv_vq.perceptual import Perceptual
from janus_conv_vq.pretrain import VQPretraining, begin, entropy_loss
from janus_core.interfaces import BuildContext, Pretrainable

NAMES = ("vqgan", "llamagen_vq", "movqgan", "patch_vq")


def tiny(name: str) -> Any:
    (spec,) = import_module(f"janus_{name}.plugin").janus_generation_tokenizers()
    torch.manual_seed(0)
    options = getattr(import_module(f"janus_{name}.options"), spec.options.split(":")[1])
    return import_module(f"janus_{name}.model").build(options(**spec.presets["tiny"]), BuildContext()).train()


@pytest.fixture(scope="module")
def vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG16 with random weights, in torchvision's layout, with a stub of its classifier."""
    torch.manual_seed(1)
    state = {f"features.{name}": value for name, value in make_layers(cfgs["D"]).state_dict().items()}
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save(state | {"classifier.0.bias": torch.zeros(4096)}, path)
    return path


def test_perceptual_is_torchmetrics_lpips_on_the_same_vgg(vgg: Path) -> None:
    ours = Perceptual.load(vgg.name, BuildContext(folder=vgg.parent))
    reference = _LPIPS(pretrained=True, net="vgg", pnet_rand=True)
    features = {name.removeprefix("features."): value for name, value in torch.load(vgg).items()}
    for at, module in [(n, m) for part in reference.net.children() for n, m in part.named_children()]:
        if isinstance(module, nn.Conv2d):
            module.load_state_dict({name: features[f"{at}.{name}"] for name in ("weight", "bias")})
    torch.manual_seed(2)
    drawn, pixels = (torch.rand(2, 3, 32, 48) * 2 - 1 for _ in range(2))
    drawn.requires_grad_()
    distance = ours(drawn, pixels)
    torch.testing.assert_close(distance, reference(drawn, pixels).mean(), rtol=1e-5, atol=0)
    distance.backward()
    assert drawn.grad is not None and drawn.grad.isfinite().all() and drawn.grad.any()
    assert ours(pixels, pixels) == 0
    assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_perceptual_loss_without_weights_is_off_and_said(vgg: Path, tmp_path: Path) -> None:
    tokenizer = tiny("patch_vq")
    batch = {"inputs": torch.rand(2, 3, 32, 32) * 2 - 1, "captions": ["", ""]}
    off = begin(tokenizer, VQLosses(adversarial=0), BuildContext())
    assert off.notes == ("perceptual is off: losses.vgg names no weights of VGG16",)
    assert "perceptual" not in off.losses(batch, 0)
    assert begin(tokenizer, VQLosses(adversarial=0, perceptual=0), BuildContext()).notes == ()
    context = BuildContext(folder=vgg.parent)
    on = begin(tokenizer.eval(), VQLosses(adversarial=0, vgg=vgg.name), context)
    told = on.losses(batch, 0)
    assert on.notes == ()
    expected = told["squared"] + told["perceptual"] + 0.25 * told["commitment"]
    torch.testing.assert_close(told["loss"].detach(), expected)
    torch.save({"features.0.weight": torch.zeros(1)}, tmp_path / "other.pth")
    for name, told_of in (("none.pth", "none.pth"), ("other.pth", "not VGG16 in torchvision's layout")):
        with pytest.raises(ValueError, match=told_of):
            begin(tokenizer, VQLosses(vgg=name), BuildContext(folder=tmp_path, image_size=32))


def test_hinge_by_hand() -> None:
    real, drawn = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-2.0, 0.25])
    assert hinge(real, drawn).item() == pytest.approx(0.5 * ((0 + 0.5 + 2) / 3 + (0 + 1.25) / 2))


def test_critic_is_tamings_and_small_pictures_are_told() -> None:
    critic = build_critic(64, 3, 256)
    assert (
        sum(parameter.numel() for parameter in critic.parameters()) == 2_765_633
    )  # convolutions and norms, added by hand
    assert critic(torch.zeros(2, 3, 256, 256)).shape == (2, 1, 30, 30)
    assert build_critic(8, 2, 12)(torch.zeros(2, 3, 12, 12)).shape == (2, 1, 1, 1)
    with pytest.raises(ValueError, match="16 pixels.*critic_layers 3: use 2"):
        build_critic(64, 3, 16)
    with pytest.raises(ValueError, match="larger pictures"):
        build_critic(64, 1, 4)


def test_adaptive_weight_by_hand() -> None:
    kernel = torch.tensor([1.0, 2.0], requires_grad=True)
    picture, verdict = (kernel * torch.tensor([3.0, 4.0])).sum(), (kernel * torch.tensor([0.0, 2.0])).sum()
    assert adaptive_weight(picture, verdict, kernel).item() == pytest.approx(5 / (2 + 1e-4))
    assert adaptive_weight(picture, 0 * verdict, kernel) == 1e4


def test_entropy_by_hand() -> None:
    generator = np.random.default_rng(0)
    latents, table = generator.normal(size=(2, 3, 4)), generator.normal(size=(5, 4))
    distances = ((latents.reshape(6, 1, 4) - table) ** 2).sum(-1)
    shares = np.exp(-distances / 0.7) / np.exp(-distances / 0.7).sum(1, keepdims=True)
    mean = shares.mean(0)
    expected = -(shares * np.log(shares)).sum(1).mean() + (mean * np.log(mean)).sum()
    found = entropy_loss(torch.tensor(latents), torch.tensor(table), 0.7)
    assert found.item() == pytest.approx(expected, rel=1e-10)
    far = torch.tensor(
        [[1.0, 0.0], [-1.0, 0.0]], requires_grad=True
    )  # at this temperature the share of one is exactly 0
    entropy_loss(torch.tensor([[[1.0, 0.0]]]), far, 0.01).backward()
    assert far.grad is not None and far.grad.isfinite().all()
    training = begin(tiny("llamagen_vq"), VQLosses(adversarial=0, perceptual=0, entropy=0.1), BuildContext())
    told = training.losses({"inputs": torch.rand(2, 3, 32, 32), "captions": ["", ""]}, 0)
    assert -math.log(64) <= told["entropy"] <= math.log(64)
    terms = told["squared"] + 0.25 * told["commitment"] + told["codebook"] + 0.1 * told["entropy"]
    torch.testing.assert_close(told["loss"].detach(), terms)


def test_defaults_are_llamagens() -> None:
    found = VQLosses().model_dump()
    assert found | {"vgg": None} == {
        "absolute": 0.0,
        "squared": 1.0,
        "perceptual": 1.0,
        "vgg": None,
        "adversarial": 0.5,
        "adversarial_start": 20000,
        "adaptive": False,
        "critic_width": 64,
        "critic_layers": 3,
        "commitment": 0.25,
        "codebook": 1.0,
        "entropy": 0.0,
        "entropy_temperature": 0.01,
    }
    assert all(field.description for field in VQLosses.model_fields.values())


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_adversarial_losses_of_every_tokenizer(name: str, adaptive: bool) -> None:
    tokenizer = tiny(name)
    options = VQLosses(perceptual=0, adversarial_start=3, adaptive=adaptive, critic_layers=2, critic_width=8)
    training: Pretrainable = begin(tokenizer, options, BuildContext(image_size=32))
    assert isinstance(training, VQPretraining) and training.critic is not None
    batch = {"inputs": torch.rand(2, 3, 32, 32) * 2 - 1, "captions": ["", ""]}
    assert not {"critic", "adversarial"} & set(training.losses(batch, 2))
    told = training.losses(batch, 3)
    assert all(value.ndim == 0 and value.isfinite() for value in told.values())
    scale = told["adaptive"] if adaptive else 1.0
    rest = told["squared"] + 0.25 * told["commitment"] + told.get("codebook", torch.zeros(()))
    torch.testing.assert_close(told["loss"].detach(), rest + 0.5 * scale * told["adversarial"])
    *generator, critic = training.optimizer_groups()
    assert {id(p) for g in generator for p in g["params"]} == {id(p) for p in tokenizer.parameters()}
    assert critic["loss"] == "critic" and not any("loss" in group for group in generator)
    assert {id(p) for p in critic["params"]} == {id(p) for p in training.critic.parameters()}
    told["critic"].backward()
    assert all(parameter.grad is None for parameter in tokenizer.parameters())
    assert not any("critic" in key for key in tokenizer.state_dict())


def test_the_critic_loss_is_the_hinge_of_its_verdicts() -> None:
    tokenizer = tiny("patch_vq").eval()
    options = VQLosses(perceptual=0, adversarial=0.3, adversarial_start=0, critic_layers=2, critic_width=8)
    training = begin(tokenizer, options, BuildContext(image_size=32)).eval()
    assert training.critic is not None
    pixels = torch.rand(2, 3, 32, 32) * 2 - 1
    told = training.losses({"inputs": pixels, "captions": ["", ""]}, 0)
    drawn = tokenizer.reconstruct(pixels)[0]
    real, fake = training.critic(pixels), training.critic(drawn)
    torch.testing.assert_close(told["critic"], 0.3 * 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake).mean()))
    torch.testing.assert_close(told["adversarial"], -fake.mean())


def test_measures_are_of_the_whole_set() -> None:
    torch.manual_seed(0)
    pixels, codes = torch.rand(7, 3, 24, 24) * 2 - 1, torch.randint(5, (7, 9))
    drawn = (pixels + 0.3 * torch.randn_like(pixels)).clamp(-1, 1)
    ratio = PeakSignalNoiseRatio(data_range=2.0, dim=(1, 2, 3), reduction="elementwise_mean")
    likeness = StructuralSimilarityIndexMeasure(data_range=2.0)
    ratio.update(drawn, pixels)
    likeness.update(drawn, pixels)
    shares = np.bincount(codes.numpy().ravel(), minlength=8) / codes.numel()
    shares = shares[shares > 0]
    squares = ((drawn - pixels).numpy().astype(np.float64) ** 2).mean(axis=(1, 2, 3))
    for size in (1, 3, 7):
        measures = Measures((8,))
        for at in range(0, 7, size):
            measures.add(drawn[at : at + size], pixels[at : at + size], codes[at : at + size])
        found = measures.result()
        assert found["psnr_torchmetrics"] == pytest.approx(float(ratio.compute()), rel=1e-5)
        assert found["psnr_torchmetrics"] == pytest.approx((10 * np.log10(4 / squares)).mean(), rel=1e-5)
        assert found["ssim_torchmetrics"] == pytest.approx(float(likeness.compute()), rel=1e-4)
        assert found["codebook_usage"] == 5 / 8
        assert found["codebook_perplexity"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-6)
    exact = Measures((8,))
    exact.add(pixels, pixels, codes)
    assert exact.result()["psnr_torchmetrics"] == 100
    assert exact.result()["ssim_torchmetrics"] == pytest.approx(1)


@pytest.mark.parametrize("name", ["llamagen_vq", "patch_vq"])
def test_measure_weighs_pictures_not_batches_and_changes_nothing(name: str) -> None:
    tokenizer = tiny(name).eval()
    training = begin(tokenizer, VQLosses(perceptual=0), BuildContext(image_size=32)).eval()
    before = {key: value.clone() for key, value in tokenizer.state_dict().items()}
    pixels = torch.rand(5, 3, 32, 32) * 2 - 1
    whole = training.measure([{"inputs": pixels, "captions": [""] * 5}])
    parts = training.measure([{"inputs": part, "captions": [""] * len(part)} for part in pixels.split(2)])
    assert parts == pytest.approx(whole, rel=1e-4)
    assert {"loss", "squared", "commitment", "psnr_torchmetrics", "codebook_usage"} <= set(whole)
    assert ("codebook" in whole) == (name == "llamagen_vq")
    assert all(torch.equal(before[key], value) for key, value in tokenizer.state_dict().items())
