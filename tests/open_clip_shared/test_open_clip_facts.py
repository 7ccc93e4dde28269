"""The table of facts is the installed open_clip's, and checkpoints are refused under a model they do not fit."""

from __future__ import annotations

import subprocess
import sys

import open_clip
import pytest
import torch
from open_clip.pretrained import get_pretrained_cfg, list_pretrained

from janus_open_clip.facts import ARCHITECTURES, PREPROCESSING, architecture, preprocessing
from janus_open_clip.tower import build_trunk, check_activation

FAMILY_PAIRS = {(m, t) for m, t in list_pretrained() if "siglip" in m.lower() or m.startswith("EVA")}


def test_the_table_names_every_siglip_and_eva_checkpoint_of_the_installed_open_clip() -> None:
    assert set(PREPROCESSING) == FAMILY_PAIRS
    assert len(FAMILY_PAIRS) == 37
    assert {model for model, _ in PREPROCESSING} == set(ARCHITECTURES)


@pytest.mark.parametrize(("model", "tag"), sorted(FAMILY_PAIRS))
def test_preprocessing_is_the_tags(model: str, tag: str) -> None:
    upstream, ours = get_pretrained_cfg(model, tag), preprocessing(model, tag)
    assert ours.mean == upstream["mean"]
    assert ours.std == upstream["std"]
    assert ours.interpolation == upstream["interpolation"]
    assert ours.resize == upstream["resize_mode"]
    assert not upstream.get("quick_gelu")


def test_sizes_are_the_built_models() -> None:
    for name, declared in ARCHITECTURES.items():
        config = open_clip.get_model_config(name)
        with torch.device("meta"):
            trunk = build_trunk(name, next(tag for model, tag in PREPROCESSING if model == name))
        assert declared.image_size == config["vision_cfg"]["image_size"]
        assert declared.num_tokens() == trunk.patch_embed.num_patches, name
        assert (declared.patch_size, declared.width) == (trunk.patch_embed.patch_size[0], trunk.embed_dim)
        assert declared.depth == len(trunk.blocks)
        assert trunk.num_prefix_tokens == (declared.family == "eva")
        assert type(trunk).__name__ == {"siglip": "VisionTransformer", "eva": "Eva"}[declared.family]


def test_a_quickgelu_tag_under_a_plain_name_is_refused() -> None:
    with pytest.raises(ValueError, match="ViT-B-32-quickgelu"):
        check_activation("ViT-B-32", "openai")
    check_activation("ViT-B-32-quickgelu", "openai")
    check_activation("ViT-B-32", "laion2b_s34b_b79k")
    wrong = 0
    for model, tag in list_pretrained():
        config = open_clip.get_model_config(model)
        if get_pretrained_cfg(model, tag).get("quick_gelu") and not config.get("quick_gelu"):
            wrong += 1
            with pytest.raises(ValueError, match="QuickGELU"):
                check_activation(model, tag)
    assert wrong == 27


def test_unknown_names_get_the_nearest_right_one() -> None:
    with pytest.raises(ValueError, match="Did you mean 'ViT-L-16-SigLIP-384'"):
        architecture("vit-l-16-siglip-348", "siglip")
    with pytest.raises(ValueError, match="Did you mean 'webli'"):
        preprocessing("ViT-L-16-SigLIP-384", "webly")
    with pytest.raises(ValueError, match="EVA02-B-16"):
        architecture("ViT-L-16-SigLIP-384", "eva")
    with pytest.raises(ValueError, match="Did you mean 'ViT-B-32'"):
        check_activation("ViT-B-33", "openai")
    with pytest.raises(ValueError, match="not timm's"):
        build_trunk("ViT-B-32", "laion2b_s34b_b79k")


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys, janus_siglip.plugin, janus_eva_clip.plugin, janus_siglip.options, janus_eva_clip.options\n"
        "[list(p.janus_understanding_encoders()) for p in (janus_siglip.plugin, janus_eva_clip.plugin)]\n"
        "o = janus_siglip.options.SigLIPOptions(weights='none')\n"
        "assert o.transform().num_tokens == 576\n"
        "bad = {'torch', 'timm', 'open_clip', 'PIL', 'numpy', 'transformers'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
