"""A cached step is faster than a live one where the encoder is large, and takes the same losses."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from janus_core.cache.build import Builder, with_cache
from janus_core.cache.measure import Measured, measure


def measured(
    tiny: ModuleType, folder: Path, options: dict[str, object], steps: int, precision: str = "32-true"
) -> Measured:
    """Stage 1 of the paper, with a tower of these sizes in place of the tiny one."""
    values = tiny.three_stages(tiny.recipe("understanding"), steps=steps + 1)
    values["model"]["encoders"]["image"] = {"type": "siglip", "options": {"custom": options, "weights": "none"}}
    values["run"]["precision"] = precision
    recipe = with_cache(tiny.validated(values), folder / "cache")
    return measure(Builder(recipe, folder, print), "stage1", steps)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_losses_stay_equal_while_the_model_trains(tiny: ModuleType, tmp_path: Path, precision: str) -> None:
    sizes: dict[str, object] = {"image_size": 32, "patch_size": 8, "width": 32, "depth": 2, "heads": 2}
    found = measured(tiny, tmp_path, sizes, 4, precision)
    assert len(set(found.live.losses)) == len(found.live.losses) == 5
    assert found.largest_difference == 0


@pytest.mark.slow
def test_a_cached_step_with_a_base_sized_encoder_is_faster(tiny: ModuleType, tmp_path: Path) -> None:
    """ViT-B/16 at 224 pixels: 196 tokens 768 wide, 86 million parameters."""
    sizes: dict[str, object] = {"image_size": 224, "patch_size": 16, "width": 768, "depth": 12, "heads": 12}
    found = measured(tiny, tmp_path, sizes, 3)
    print(f"{found.ratio:.1f} times faster, {1e3 * found.live.step:.0f} -> {1e3 * found.cached.step:.0f} ms")
    assert found.ratio > 2
    assert found.largest_difference < 1e-5 * found.live.losses[0]
