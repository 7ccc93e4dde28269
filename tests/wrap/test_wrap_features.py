"""A wrapped model gives the library's own features, patches only, and reads weights strictly."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
import transformers
from safetensors.torch import save_file

from janus_core.interfaces import BuildContext
from janus_wrap.describe_open_clip import describe as describe_open_clip
from janus_wrap.describe_timm import describe as describe_timm
from janus_wrap.describe_transformers import describe as describe_transformers
from janus_wrap.encoder import WrappedEncoder, build, build_transform
from janus_wrap.options import Facts, WrapOptions
from janus_wrap.weights import WeightsError

HERE = BuildContext()
DESCRIBE = {
    "timm": cache(describe_timm),
    "open_clip": cache(describe_open_clip),
    "transformers": cache(describe_transformers),
}


def options_of(wrap: str, **changed: Any) -> WrapOptions:
    """The options of the tiny preset that a plugin of this model gets."""
    library, _, model = wrap.partition(":")
    found = DESCRIBE[library](model)

    class Options(WrapOptions):
        pass

    Options.facts = Facts(**dict(found.facts))  # type: ignore[arg-type]
    return Options(**{**found.tiny, **changed})


def made(options: WrapOptions) -> WrappedEncoder:
    torch.manual_seed(0)
    return build(options, HERE).eval()


def pixels(options: WrapOptions) -> torch.Tensor:
    return torch.randn(2, 3, options.side, options.side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        ("vit_tiny_patch16_224", 1),
        ("vit_base_patch16_siglip_224.webli", 0),
        ("vit_small_patch14_reg4_dinov2", 5),
        ("convnext_tiny", 0),
        ("resnet18", 0),
        ("swin_tiny_patch4_window7_224", 0),
    ],
)
@torch.no_grad()
def test_timm_gives_its_own_last_patches(model: str, prefix: int) -> None:
    """The reference is timm's other interface, which lays patches out as a map and drops the prefix by itself."""
    options = options_of(f"timm:{model}")
    encoder = made(options)
    trunk: Any = encoder.trunk
    (reference,) = trunk.forward_intermediates(
        pixels(options), indices=[-1], norm=True, intermediates_only=True, output_fmt="NCHW"
    )
    assert getattr(trunk, "num_prefix_tokens", 0) == prefix
    tokens = encoder(pixels(options)).tokens
    assert tokens.shape == (2, encoder.num_tokens, encoder.width) == (2, 16, reference.shape[1])
    assert torch.equal(tokens, reference.flatten(2).transpose(1, 2))


@pytest.mark.parametrize("model", ["ViT-B-32", "RN50:yfcc15m", "ViT-B-16-SigLIP"])
def test_open_clip_builds_the_tower_of_the_whole_model(model: str) -> None:
    name, _, tag = model.partition(":")
    options = options_of(f"open_clip:{model}", image_size=None, config={})
    whole = open_clip.create_model(name, device="meta")
    with torch.device("meta"):
        tower = build(options, HERE).trunk
    assert {k: v.shape for k, v in tower.state_dict().items()} == {
        k: v.shape for k, v in whole.visual.state_dict().items()
    }
    assert options.facts.tag == tag


@torch.no_grad()
def test_open_clip_vit_gives_normed_patches_without_the_class_token() -> None:
    options = options_of("open_clip:ViT-B-32")
    encoder = made(options)
    visual: Any = encoder.trunk
    seen: list[torch.Tensor] = []
    visual.ln_post.register_forward_hook(lambda *call: seen.append(call[2]))
    visual(pixels(options))
    if seen[0].ndim == 3:
        assert torch.allclose(encoder(pixels(options)).tokens, seen[0][:, 1:], atol=1e-6)
    else:
        raise AssertionError(f"ln_post no longer sees all tokens: {seen[0].shape}")


@pytest.mark.parametrize(
    ("model", "prefix"),
    [
        ("CLIPVisionModel", 1),
        ("SiglipVisionModel", 0),
        ("Dinov2Model", 1),
        ("Dinov2WithRegistersModel", 5),
        ("ViTModel", 1),
        ("SwinModel", 0),
        ("HieraModel", 0),
        ("PvtModel", 1),
    ],
)
@torch.no_grad()
def test_transformers_gives_its_last_hidden_state_without_prefix(model: str, prefix: int) -> None:
    options = options_of(f"transformers:{model}")
    encoder = made(options)
    reference = encoder.trunk(pixel_values=pixels(options)).last_hidden_state
    tokens = encoder(pixels(options)).tokens
    assert reference.shape[1] == 16 + prefix
    assert torch.equal(tokens, reference[:, prefix:])


@torch.no_grad()
def test_transformers_maps_become_tokens_row_by_row() -> None:
    options = options_of("transformers:ConvNextModel")
    encoder = made(options)
    reference = encoder.trunk(pixel_values=pixels(options)).last_hidden_state
    assert torch.equal(encoder(pixels(options)).tokens[:, 1], reference[:, :, 0, 1])


@pytest.mark.parametrize("facts", [
    ("timm:vit_base_patch16_siglip_224", 224, 196, 768, (0.5,) * 3, "squash", "vit_base_patch16_siglip_224.v2_webli"),
    ("timm:vit_small_patch14_dinov2", 518, 1369, 384, (0.485, 0.456, 0.406), "shortest",
     "vit_small_patch14_dinov2.lvd142m"),
    ("open_clip:ViT-L-14:laion2b_s32b_b82k", 224, 256, 1024, (0.5,) * 3, "shortest", "ViT-L-14"),
    ("open_clip:ViT-B-16-SigLIP", 224, 196, 768, (0.5,) * 3, "squash", "ViT-B-16-SigLIP"),
    ("transformers:SiglipVisionModel", 224, 196, 768, (0.5,) * 3, "squash", "SiglipVisionModel"),
    ("transformers:clip", 224, 49, 768, (0.48145466, 0.4578275, 0.40821073), "shortest", "CLIPVisionModel"),
])  # fmt: skip
def test_facts_are_read_from_the_library(facts: tuple[Any, ...]) -> None:
    wrap, side, tokens, width, mean, resize, model = facts
    options = options_of(wrap, image_size=None, config={})
    library, _, name = wrap.partition(":")
    measured = DESCRIBE[library](name).measured
    assert (options.facts.model, options.side, options.facts.mean, options.facts.resize) == (model, side, mean, resize)
    assert (measured["tokens"], measured["wide"]) == (tokens, width)
    transform = build_transform(options, HERE)
    assert (transform.size, transform.num_tokens, transform.mean) == (side, tokens, mean)


def test_wrong_settings_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"timm does not build resnet18.*'depht'"):
        made(options_of("timm:resnet18", config={"depht": 2}))
    with pytest.raises(ValueError, match=r"Dinov2Model has no setting 'depht'; it has .*num_hidden_layers"):
        made(options_of("transformers:Dinov2Model", config={"depht": 2}))
    with pytest.raises(ValueError, match=r"open_clip does not build ViT-B-32.*'depht'"):
        made(options_of("open_clip:ViT-B-32", config={"depht": 2}))


# -- weights ----------------------------------------------------------------------------------------------------------


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    mine, theirs = first.state_dict(), second.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_timm_reads_a_file_and_passes_the_classifier_over(tmp_path: Path) -> None:
    options = options_of("timm:vit_tiny_patch16_224")
    torch.manual_seed(1)
    whole = timm.create_model("vit_tiny_patch16_224", img_size=options.side, **options.config)
    save_file(whole.state_dict(), tmp_path / "model.safetensors")
    assert "head.weight" in whole.state_dict()
    for weights in ("model.safetensors", "."):
        loaded = build(options.model_copy(update={"weights": weights}), BuildContext(tmp_path))
        whole.reset_classifier(0, "")
        assert same(loaded.trunk, whole)
    build(options.model_copy(update={"weights": "nowhere"}), BuildContext(tmp_path, skip_weights=True))


@pytest.mark.parametrize("wrap", ["timm:resnet18", "open_clip:ViT-B-32", "open_clip:RN50:yfcc15m"])
def test_a_file_of_another_model_and_a_missing_one_are_refused(wrap: str, tmp_path: Path) -> None:
    options = options_of(wrap)
    state = made(options).trunk.state_dict()
    key = next(iter(state))
    save_file({k: v.contiguous() for k, v in state.items() if k != key}, tmp_path / "less.safetensors")
    with pytest.raises(WeightsError) as caught:
        build(options.model_copy(update={"weights": "less.safetensors"}), BuildContext(tmp_path))
    assert caught.value.missing == (key,)
    with pytest.raises(WeightsError, match="does not exist. Allowed: 'none'"):
        build(options.model_copy(update={"weights": "nowhere.bin"}), BuildContext(tmp_path))


def test_open_clip_reads_a_whole_model_and_leaves_its_text_tower(tmp_path: Path) -> None:
    options = options_of("open_clip:ViT-B-32")
    tower = made(options).trunk
    state = {f"visual.{key}": value for key, value in tower.state_dict().items()} | {"logit_scale": torch.ones(1)}
    torch.save(state, tmp_path / "open_clip_pytorch_model.bin")
    assert same(build(options.model_copy(update={"weights": "."}), BuildContext(tmp_path)).trunk, tower)
    with pytest.raises(WeightsError, match="without a tag"):
        build(options.model_copy(update={"weights": "tag"}), BuildContext(tmp_path))


def test_transformers_reads_a_saved_folder_strictly(tmp_path: Path) -> None:
    options = options_of("transformers:Dinov2Model")
    torch.manual_seed(2)
    saved = made(options).trunk
    saved.save_pretrained(tmp_path / "whole")  # type: ignore[operator]
    chosen = options.model_copy(update={"weights": "whole"})
    assert same(build(chosen, BuildContext(tmp_path)).trunk, saved)
    state = saved.state_dict()
    state.pop("layernorm.weight")
    saved.save_pretrained(tmp_path / "less", state_dict=state)  # type: ignore[operator]
    with pytest.raises(WeightsError) as caught:
        build(options.model_copy(update={"weights": "less"}), BuildContext(tmp_path))
    assert caught.value.missing == ("layernorm.weight",)
    with pytest.raises(WeightsError, match=r"no folder with a config\.json"):
        build(options.model_copy(update={"weights": "nowhere"}), BuildContext(tmp_path))


def test_weights_that_state_other_pixels_are_refused(tmp_path: Path) -> None:
    """DINOv2's processor class has CLIP's mean; its published checkpoints state ImageNet's."""
    options = options_of("transformers:Dinov2Model")
    made(options).trunk.save_pretrained(tmp_path / "it")  # type: ignore[operator]
    processor = transformers.BitImageProcessor(image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    processor.save_pretrained(tmp_path / "it")
    with pytest.raises(WeightsError, match=r"states mean \[0.485, 0.456, 0.406\].*set the option mean"):
        build(options.model_copy(update={"weights": "it"}), BuildContext(tmp_path))
    right = {"weights": "it", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    build(options.model_copy(update=right), BuildContext(tmp_path))
    found = describe_transformers(str(tmp_path / "it"))
    assert found.facts["mean"] == (0.485, 0.456, 0.406)
    assert found.facts["config"]["hidden_size"] == 32  # type: ignore[index]
