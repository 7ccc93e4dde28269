"""Imported tiny models against transformers' Janus: hidden states, logits, guided codes, decoded pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from janus_core.checkpoints.own import load_checkpoint
from janus_core.inference.decode import decode_codes, decode_text
from janus_core.inference.session import GREEDY, Session
from janus_core.interfaces import Given, Message, Sampling, SequenceLayout
from janus_core.sequence.pack import pack

FORMS = ("huggingface", "deepseek")


@pytest.fixture(scope="module", params=FORMS)
def pair(request: pytest.FixtureRequest, tiny_janus: Any) -> tuple[Any, Any]:
    """(our built model, transformers' model)."""
    built, _, _ = load_checkpoint(tiny_janus.ours[request.param])
    return built.model.eval() and built, tiny_janus.reference


def picture(seed: int, size: tuple[int, int] = (40, 30)) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def questions() -> list[tuple[Message, ...]]:
    return [
        (Message("user", (Given("image", picture(0)), "\nwhat is the thing in the picture?")),),
        (Message("user", ("hello there",)),),
        (Message("user", (Given("image", picture(1)), "\n", Given("image", picture(2, (20, 50))), "\ncompare")),),
        (
            Message("user", (Given("image", picture(3)), "\nwhat?")),
            Message("assistant", ("a cat",)),
            Message("user", ("where?",)),
        ),
    ]


def as_reference(built: Any, prompts: list[Any], placeholder: int) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """Left-padded ids with placeholders, mask, pixels: what transformers takes, from what our assembler gave."""
    longest = max(len(prompt.ids) for prompt in prompts)
    ids = torch.full((len(prompts), longest), built.text.pad)
    mask = torch.zeros(len(prompts), longest, dtype=torch.int64)
    pixels = []
    for row, prompt in enumerate(prompts):
        tokens = list(prompt.ids)
        for _, place in prompt.given:
            tokens[place.start : place.start + place.length] = [placeholder] * place.length
            pixels.append(place.prepared.inputs)
        ids[row, longest - len(tokens) :] = torch.tensor(tokens)
        mask[row, longest - len(tokens) :] = 1
    return ids, mask, torch.stack(pixels) if pixels else None


@torch.inference_mode()
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in a batch"])
def test_understanding(pair: tuple[Any, Any], together: bool) -> None:
    built, reference = pair
    prompts = [built.assembler.prompt(messages, "understanding") for messages in questions()]
    for group in [prompts] if together else [[prompt] for prompt in prompts]:
        ids, mask, pixels = as_reference(built, group, reference.config.image_token_id)
        theirs = reference.model(input_ids=ids, attention_mask=mask, pixel_values=pixels, position_ids=positions(mask))
        batch = pack(group, built.transforms, None)
        embeds, _ = built.model.embed(batch)
        hidden = built.model.language_model(embeds[None], batch.layout)[0]
        expected = torch.cat([theirs.last_hidden_state[row, -len(p.ids) :] for row, p in enumerate(group)])
        torch.testing.assert_close(hidden, expected, atol=1e-5, rtol=0)
        logits = built.model.language_model.text_logits(hidden)
        torch.testing.assert_close(logits, reference.lm_head(expected), atol=1e-5, rtol=1e-6)


def positions(mask: torch.Tensor) -> torch.Tensor:
    return (mask.cumsum(1) - 1).clamp(min=0)


@torch.inference_mode()
def test_greedy_answers(pair: tuple[Any, Any]) -> None:
    built, reference = pair
    prompts = [built.assembler.prompt(messages, "understanding") for messages in questions()]
    answers = decode_text(built, prompts, max_new_tokens=8, sampling=GREEDY, keys=[(0, i) for i in range(len(prompts))])
    for prompt, answer in zip(prompts, answers, strict=True):
        ids, mask, pixels = as_reference(built, [prompt], reference.config.image_token_id)
        seen = {} if pixels is None else {"pixel_values": pixels}
        theirs = reference.generate(inputs=ids, attention_mask=mask, max_new_tokens=8, do_sample=False, **seen)
        said = theirs[0, ids.shape[1] :].tolist()
        assert answer == said[: said.index(built.text.eos)] if built.text.eos in said else answer == said


@torch.inference_mode()
@pytest.mark.parametrize("together", [False, True], ids=["one by one", "in a batch"])
def test_greedy_guided_codes(pair: tuple[Any, Any], together: bool) -> None:
    built, reference = pair
    texts = ("a red cat", "the thing in a white hall with more words", "x")
    prompts = [built.assembler.prompt((Message("user", (text,)),), "generation") for text in texts]
    sampling = Sampling(temperature=0.0, guidance=5.0)
    seen: set[int] = set()
    for group in [prompts] if together else [[prompt] for prompt in prompts]:
        ours = decode_codes(built, group, keys=[(0, i) for i in range(len(group))], sampling=sampling)
        ids, mask, _ = as_reference(built, group, -1)
        theirs = reference.generate(
            inputs=ids,
            attention_mask=mask,
            generation_mode="image",
            do_sample=False,
            guidance_scale=5.0,
            num_return_sequences=1,
            max_length=512,
        )
        assert ours[..., 0].tolist() == theirs.tolist()
        seen |= set(ours.flatten().tolist())
    assert len(seen) > 4, "the codes must differ to be worth comparing"


@torch.inference_mode()
@pytest.mark.parametrize("count", [1, 3])
def test_decoded_pictures(pair: tuple[Any, Any], count: int) -> None:
    built, reference = pair
    layout = built.model.code_layout
    codes = torch.randint(
        layout.codebooks[0], (count, layout.positions), generator=torch.Generator().manual_seed(count)
    )
    ours = built.model.generation_tokenizer.decode(codes[..., None], layout)
    theirs = reference.decode_image_tokens(codes).permute(0, 3, 1, 2)
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


@torch.inference_mode()
def test_encoding_normalises_latents_and_codebook(pair: tuple[Any, Any]) -> None:
    """By the formula: transformers' encode leaves the normalisation out and gives other codes here."""
    built, reference = pair
    pixels = (
        torch.rand(2, 3, *[int(built.target_transform.image_size)] * 2, generator=torch.Generator().manual_seed(1)) * 2
        - 1
    )
    vq = reference.model.vqmodel
    latents = vq.quant_conv(vq.encoder(pixels)).permute(0, 2, 3, 1).double()
    table = vq.quantize.embedding.weight.double()
    unit, rows = latents / latents.norm(dim=-1, keepdim=True), table / table.norm(dim=-1, keepdim=True)
    expected = (unit @ rows.T).argmax(-1).flatten(1)
    assert built.model.encode_pixels(pixels)[..., 0].tolist() == expected.tolist()
    assert (table.norm(dim=-1) - 1).abs().max() > 0.1


@torch.inference_mode()
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_decoding_in_other_types(small_janus: Any, dtype: torch.dtype) -> None:
    built, _, _ = load_checkpoint(small_janus.ours["deepseek"])
    tokenizer, layout = built.model.generation_tokenizer, built.model.code_layout
    codes = torch.arange(layout.positions)[None, :, None] % layout.codebooks[0]
    exact = tokenizer.decode(codes, layout)
    other = tokenizer.to(dtype).decode(codes, layout)
    assert other.dtype == dtype
    torch.testing.assert_close(other.float(), exact, atol=0.35 if dtype != torch.float64 else 1e-5, rtol=0)
    assert (other.float() - exact).abs().mean() < (1e-6 if dtype == torch.float64 else 0.05)


@torch.inference_mode()
def test_a_picture_is_the_same_in_any_batch(small_janus: Any) -> None:
    built, recipe, facts = load_checkpoint(small_janus.ours["deepseek"])
    session = Session(built, recipe.name, facts)
    sampling = Sampling(temperature=6.0, guidance=5.0)
    many = session.draw(["a cat", "a longer prompt for a dog"], images_per_prompt=2, sampling=sampling, seed=7)
    for size in (1, 3):
        again = session.draw(
            ["a cat", "a longer prompt for a dog"], images_per_prompt=2, sampling=sampling, seed=7, batch_size=size
        )
        assert [d.codes.tolist() for d in again] == [d.codes.tolist() for d in many]


def test_the_imported_model_is_mapped_not_copied(small_janus: Any) -> None:
    built, _, facts = load_checkpoint(Path(small_janus.ours["huggingface"]))
    assert facts["dtype"] == "stored"
    assert not any(parameter.is_meta for parameter in built.model.parameters())
    layout = SequenceLayout(torch.arange(3)[None])
    assert (
        built.model.language_model(torch.zeros(1, 3, small_janus.shape.hidden), layout).shape[-1]
        == small_janus.shape.hidden
    )
