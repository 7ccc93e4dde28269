"""Training the encoder against captions: the loss is SigLIP's, and it learns."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from open_clip.loss import SigLipLoss

from janus_core.interfaces import BuildContext, Pretrainable
from janus_siglip.model import SigLIPEncoder, build
from janus_siglip.options import SigLIPLosses, SigLIPOptions
from janus_siglip.plugin import PRESETS
from janus_siglip.pretrain import SigLIPPretraining, begin, sigmoid_loss, word_ids

torch.set_num_threads(1)
COLOURS = {"red": (1.0, -1.0, -1.0), "green": (-1.0, 1.0, -1.0), "blue": (-1.0, -1.0, 1.0), "white": (1.0, 1.0, 1.0)}


def trainer(seed: int = 0) -> SigLIPPretraining:
    torch.manual_seed(seed)
    encoder: SigLIPEncoder = build(SigLIPOptions(**PRESETS["tiny"]), BuildContext())
    return begin(encoder, SigLIPLosses(), BuildContext())


def colours(count: int) -> dict[str, object]:
    names = [list(COLOURS)[index % 4] for index in range(count)]
    pixels = torch.stack([torch.tensor(COLOURS[name])[:, None, None].expand(3, 64, 64) for name in names])
    return {"inputs": pixels + torch.randn(count, 3, 64, 64) * 0.3, "captions": [f"a {n} picture" for n in names]}


def test_the_loss_is_open_clips_when_captions_differ() -> None:
    images, texts = F.normalize(torch.randn(5, 8), dim=-1), F.normalize(torch.randn(5, 8), dim=-1)
    scale, bias = torch.tensor(7.0), torch.tensor(-3.0)
    ours, _ = sigmoid_loss(images, texts, torch.eye(5, dtype=torch.bool), scale, bias)
    torch.testing.assert_close(ours, SigLipLoss()(images, texts, scale, bias))


def test_identical_captions_are_positives() -> None:
    vector = F.normalize(torch.randn(1, 8), dim=-1).expand(2, 8)
    scale, bias = torch.tensor(50.0), torch.tensor(-10.0)
    same, _ = sigmoid_loss(vector, vector, torch.ones(2, 2, dtype=torch.bool), scale, bias)
    apart, _ = sigmoid_loss(vector, vector, torch.eye(2, dtype=torch.bool), scale, bias)
    assert same < 1e-6
    assert apart > 10
    part = trainer()
    batch = {"inputs": torch.randn(4, 3, 64, 64), "captions": ["a", "b", "a", "a"]}
    seen: list[torch.Tensor] = []

    def spy(images: torch.Tensor, texts: torch.Tensor, same: torch.Tensor, *rest: torch.Tensor) -> object:
        seen.append(same)
        return sigmoid_loss(images, texts, same, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("janus_siglip.pretrain.sigmoid_loss", spy)
        part.losses(batch, 0)
    assert seen[0].int().tolist() == [[1, 0], [0, 1], [1, 0], [1, 0]]


def test_every_line_of_a_caption_is_a_text_of_its_own() -> None:
    part = trainer()
    seen: list[torch.Tensor] = []

    def spy(images: torch.Tensor, texts: torch.Tensor, same: torch.Tensor, *rest: torch.Tensor) -> object:
        seen.append(same)
        return sigmoid_loss(images, texts, same, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("janus_siglip.pretrain.sigmoid_loss", spy)
        part.losses({"inputs": torch.randn(2, 3, 64, 64), "captions": ["a cat\na cat on blue", "a cat\na key"]}, 0)
    assert seen[0].int().tolist() == [[1, 1, 0], [1, 0, 1]]


def test_it_starts_as_the_paper_says() -> None:
    part = trainer()
    assert part.log_scale.item() == pytest.approx(math.log(10))
    assert part.bias.item() == -10
    found = part.losses(colours(8), 0)
    assert set(found) == {"loss", "accuracy"}
    assert found["loss"].ndim == 0
    assert found["accuracy"].ndim == 0


def test_it_learns_and_the_encoder_shares_the_weights() -> None:
    part: SigLIPPretraining = trainer()
    conforms: Pretrainable = part
    before = part.encoder.trunk.pos_embed.detach().clone()
    optimizer = torch.optim.AdamW(conforms.optimizer_groups(), lr=2e-3, weight_decay=0.05)
    torch.manual_seed(1)
    losses = []
    for step in range(60):
        found = conforms.losses(colours(16), step)
        optimizer.zero_grad()
        found["loss"].backward()
        optimizer.step()
        losses.append(found["loss"].item())
    assert losses[-1] < losses[0] / 3
    with torch.no_grad():
        assert part.losses(colours(16), 60)["accuracy"] == 1
    assert not torch.equal(before, part.encoder.trunk.pos_embed)
    assert all(key.startswith("trunk.") for key in part.encoder.state_dict())


def test_every_parameter_is_in_one_group_and_gets_a_gradient() -> None:
    part = trainer()
    groups = part.optimizer_groups()
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(listed) == sorted(id(parameter) for parameter in part.parameters())
    assert groups[1]["weight_decay"] == 0
    part.losses(colours(4), 0)["loss"].backward()
    assert [name for name, parameter in part.named_parameters() if parameter.grad is None] == []
    part.encoder.requires_grad_(False)
    assert sum(len(group["params"]) for group in part.optimizer_groups()) < len(listed)


def test_pretraining_uses_the_last_block_whatever_the_features_are() -> None:
    torch.manual_seed(0)
    options = SigLIPOptions(**{**PRESETS["tiny"], "layer": -2, "norm": False, "pool": 2})
    part = begin(build(options, BuildContext()), SigLIPLosses(), BuildContext())
    part.losses(colours(4), 0)["loss"].backward()
    assert part.encoder.trunk.blocks[-1].mlp.fc2.weight.grad is not None
    mean = begin(part.encoder, SigLIPLosses(pooling="mean"), BuildContext())
    assert mean.losses(colours(4), 0)["loss"].isfinite()


def test_words_are_hashed_alike_everywhere() -> None:
    assert word_ids("A red cat!", 4096, 64) == word_ids("a RED  cat !", 4096, 64)
    assert word_ids("red", 4096, 64) == [1, 4005], "CRC-32, not Python's salted hash"
    assert len(word_ids("word " * 100, 4096, 64)) == 64
    assert word_ids("", 4096, 64) == [1]
    assert max(word_ids("many different words here", 16, 64)) < 16
    part = trainer()
    alone = part.text(["a red cat"])
    padded = part.text(["a red cat", "a much longer caption than the other one"])[:1]
    torch.testing.assert_close(alone, padded)
    with pytest.raises(ValueError, match="2 pictures but 1 captions"):
        part.losses({"inputs": torch.zeros(2, 3, 64, 64), "captions": ["x"]}, 0)
