"""Answers and drawings: the same alone and in company, cached and not."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from janus_core.errors import UserError
from janus_core.inference import decode
from janus_core.inference.sampling import choose_ids
from janus_core.inference.session import Session
from janus_core.interfaces import Given, Message, Sampling
from janus_core.sequence.pack import pack

QUESTIONS = ["what?", "where is the thing that nobody has ever seen?", "a", "how many are there? " * 4]
PROMPTS = ["a cat", "a very long prompt about a key at the bottom right on a pink background", "x"]
GREEDY, WARM = Sampling(temperature=0.0), Sampling(temperature=1.0)


@pytest.fixture(scope="module")
def session(tiny: ModuleType) -> Session:
    return loud(tiny, tiny.recipe("both", tokenizer="llamagen_vq"))


def loud(tiny: ModuleType, values: dict[str, Any]) -> Session:
    """A model whose logits differ enough that rounding decides nothing, and depend on what it has read."""
    built = tiny.build(values)
    tiny.perturb(built.model)
    with torch.no_grad():
        for parameter in built.model.language_model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(4)
        if built.model.draws:
            built.model.generation_head.vision_head.weight.mul_(8)
    built.model.eval()
    return Session(built)


def conversations(tiny: ModuleType) -> list[list[Message]]:
    found = []
    for i, question in enumerate(QUESTIONS):
        parts = (question,) if i == 1 else (Given("image", tiny.picture(seed=i)), f"\n{question}")
        found.append([Message("user", parts)])
    return found


def codes_of(session: Session, *prompts: str, **options: Any) -> list[list[int]]:
    options.setdefault("sampling", WARM)
    return [drawing.codes.flatten().tolist() for drawing in session.draw(prompts, **options)]


# -- text -------------------------------------------------------------------------------------------------------------


def test_greedy_answers_are_the_same_alone_and_among_others(session: Session, tiny: ModuleType) -> None:
    asked = conversations(tiny)
    together = session.answer(asked, max_new_tokens=12)
    alone = [session.answer([one], max_new_tokens=12)[0] for one in asked]
    assert together == alone
    assert len(set(together)) > 1  # the questions matter


@pytest.mark.parametrize("batch_size", [1, 2, 3])
def test_sampled_answers_do_not_depend_on_the_batch_size(session: Session, tiny: ModuleType, batch_size: int) -> None:
    asked = conversations(tiny)
    whole = session.answer(asked, max_new_tokens=12, sampling=WARM, seed=7)
    assert session.answer(asked, max_new_tokens=12, sampling=WARM, seed=7, batch_size=batch_size) == whole
    assert session.answer(asked, max_new_tokens=12, sampling=WARM, seed=8) != whole


def test_equal_questions_get_answers_of_their_own(session: Session) -> None:
    asked = [[Message("user", ("hm?",))]] * 4
    assert len(set(session.answer(asked, max_new_tokens=12, sampling=Sampling(temperature=2.0), batch_size=2))) == 4


def test_cached_decoding_is_the_argmax_of_the_full_forward(session: Session, tiny: ModuleType) -> None:
    built = session.built
    prompt = built.assembler.prompt((*conversations(tiny)[0],), "understanding")
    keys = [(0, 0)]
    (ids,) = decode.decode_text(built, [prompt], max_new_tokens=10, sampling=GREEDY, keys=keys)
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    expected: list[int] = []
    with torch.inference_mode():
        for _ in range(10):
            batch = pack([prompt], transforms, None)
            embeds, _ = built.model.embed(batch)
            hidden = built.model.language_model(embeds[None], batch.layout)[0, -1]
            token = int(built.model.language_model.text_logits(hidden).argmax())
            if token == built.text.eos:
                break
            expected.append(token)
            prompt.ids.append(token)
    assert ids == expected
    assert len(ids) > 1


def test_an_answer_ends_at_eos(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    eos, calls = session.built.text.eos, 0

    def choose(logits: torch.Tensor, noise: object, sampling: Sampling) -> torch.Tensor:
        nonlocal calls
        calls += 1
        ids = torch.full((len(logits),), ord("a") - 33)
        ids[0] = eos if calls == 3 else ids[0]
        return ids

    monkeypatch.setattr(decode, "choose_ids", choose)
    first, second = session.answer([[Message("user", ("q",))]] * 2, max_new_tokens=6)
    assert (len(first), len(second)) == (2, 6)
    assert calls == 6


def test_text_only_and_no_new_tokens(session: Session) -> None:
    assert isinstance(session.ask(None, "what is 1 + 1?", max_new_tokens=4), str)
    grown: list[str] = []
    answer = session.ask(None, "why?", max_new_tokens=6, on_text=lambda _, text: grown.append(text))
    assert grown[-1] == answer


def test_answers_leave_the_mode_of_the_model(session: Session) -> None:
    session.built.model.train()
    session.ask(None, "x", max_new_tokens=1)
    assert session.built.model.training
    session.built.model.eval()
    session.ask(None, "x", max_new_tokens=1)
    assert not session.built.model.training


# -- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("guidance", [1.0, 3.0])
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_a_picture_does_not_depend_on_the_batch_size(session: Session, batch_size: int, guidance: float) -> None:
    sampling = Sampling(guidance=guidance)
    whole = codes_of(session, *PROMPTS, images_per_prompt=2, sampling=sampling, seed=5)
    assert len(whole) == 6
    assert codes_of(session, *PROMPTS, images_per_prompt=2, sampling=sampling, seed=5, batch_size=batch_size) == whole


def test_a_picture_does_not_depend_on_its_neighbours(session: Session) -> None:
    first = codes_of(session, PROMPTS[0], seed=5)[0]
    assert codes_of(session, PROMPTS[0], PROMPTS[1], seed=5)[0] == first
    assert codes_of(session, PROMPTS[0], PROMPTS[2] * 30, seed=5)[0] == first
    second = codes_of(session, "another", PROMPTS[1], seed=5)[1]
    assert codes_of(session, PROMPTS[2], PROMPTS[1], seed=5)[1] == second


def test_seed_number_and_prompt_each_matter(session: Session) -> None:
    pictures = codes_of(session, *PROMPTS[:2], images_per_prompt=2, seed=1)
    pictures += codes_of(session, *PROMPTS[:2], images_per_prompt=2, seed=2)
    assert len({tuple(codes) for codes in pictures}) == 8
    assert codes_of(session, "a cat", seed=-1) != codes_of(session, "a cat", seed=2**63)


def test_temperature_0_draws_the_same_whatever_the_seed(session: Session) -> None:
    greedy = [codes_of(session, PROMPTS[0], sampling=GREEDY, seed=seed, images_per_prompt=2) for seed in (1, 2)]
    assert greedy[0] == greedy[1]
    assert greedy[0][0] == greedy[0][1]
    assert codes_of(session, PROMPTS[0], sampling=Sampling(top_k=1), seed=3)[0] == greedy[0][0]


@pytest.mark.parametrize(("guidance", "rows"), [(1.0, 2), (3.0, 4), (0.0, 4)])
def test_guidance_1_runs_without_the_free_rows(
    session: Session, monkeypatch: pytest.MonkeyPatch, guidance: float, rows: int
) -> None:
    seen: set[int] = set()
    model, former = session.built.model.language_model, session.built.model.language_model.forward

    def forward(embeds: torch.Tensor, *rest: Any, **more: Any) -> torch.Tensor:
        seen.add(len(embeds))
        found: torch.Tensor = former(embeds, *rest, **more)
        return found

    monkeypatch.setattr(model, "forward", forward)
    session.draw(PROMPTS[:2], sampling=Sampling(guidance=guidance))
    assert seen == {rows}


def test_guidance_0_draws_from_the_free_rows_alone(session: Session) -> None:
    """The free rows hold pads in place of the prompt, so that prompts of one length get one picture."""
    sampling = Sampling(temperature=0.0, guidance=0.0)
    first, second = codes_of(session, "a cat", "a key", sampling=sampling)
    assert first == second
    warm = codes_of(session, "a cat", "a key", sampling=GREEDY)
    assert warm[0] != warm[1]


def test_a_negative_prompt_takes_the_place_of_the_free_rows(session: Session) -> None:
    free = Sampling(temperature=0.0, guidance=0.0)
    plain = codes_of(session, "a key", sampling=GREEDY)
    assert codes_of(session, "a cat", sampling=free, negative="a key") == plain
    same = codes_of(session, "a cat", sampling=Sampling(temperature=0.0, guidance=4.0), negative="a cat")
    assert same == codes_of(session, "a cat", sampling=GREEDY)


def test_cached_drawing_is_the_argmax_of_the_training_forward(session: Session, tiny: ModuleType) -> None:
    """Teacher forcing with the drawn codes predicts them again: drawing reads positions as training does."""
    built = session.built
    codes = torch.tensor(codes_of(session, "a cat", sampling=GREEDY))[..., None]
    prompt = built.assembler.prompt((Message("user", ("a cat",)),), "generation")
    start, model = len(prompt.ids), built.model
    prompt.ids += [built.text.pad] * codes.shape[1]
    batch = pack([prompt], {}, None)
    with torch.inference_mode():
        embeds, _ = model.embed(batch)
        embeds[start:] = model.embed_codes(codes)[0]
        hidden = model.language_model(embeds[None], batch.layout)[0, start - 1 : -1]
        again = model.generation_head.logits(hidden).argmax(-1)
    assert again.tolist() == codes.flatten().tolist()
    assert len(set(again.tolist())) > 1


def test_a_drawing_is_its_codes_decoded(session: Session) -> None:
    (drawing,) = session.draw(["a cat"], seed=4)
    assert drawing.image.size == (32, 32)
    assert drawing.image.mode == "RGB"
    (again,) = session.render(drawing.codes[None])
    assert np.array_equal(np.asarray(again), np.asarray(drawing.image))
    assert (drawing.prompt, drawing.seed, drawing.number) == ("a cat", 4, 0)


# -- what cannot be ---------------------------------------------------------------------------------------------------


def test_a_model_without_the_part_says_so(tiny: ModuleType) -> None:
    understands = loud(tiny, tiny.recipe("understanding"))
    with pytest.raises(UserError, match="cannot draw") as caught:
        understands.draw(["a cat"])
    assert "recipe" in str(caught.value.remedy)
    draws = loud(tiny, tiny.recipe("generation"))
    with pytest.raises(UserError, match="routes: none"):
        draws.ask(tiny.picture(), "what?")
    assert isinstance(draws.ask(None, "what?", max_new_tokens=2), str)


@pytest.mark.parametrize("what", ["question", "prompt", "negative"])
def test_control_tokens_of_a_user_are_refused(session: Session, what: str) -> None:
    token = session.built.text.special.eos
    call = {
        "question": lambda: session.ask(None, f"a {token}"),
        "prompt": lambda: session.draw([token]),
        "negative": lambda: session.draw(["x"], negative=token),
    }[what]
    with pytest.raises(UserError) as caught:
        call()
    assert token in str(caught.value)


@pytest.mark.parametrize("what", ["ask", "draw"])
def test_a_prompt_that_is_too_long_is_told(session: Session, what: str) -> None:
    with pytest.raises(UserError, match="too long") as caught:
        session.ask(None, "x" * 17_000) if what == "ask" else session.draw(["x" * 17_000])
    assert "shorten" in str(caught.value.remedy)


# -- choosing ---------------------------------------------------------------------------------------------------------


def test_top_k_and_top_p_keep_what_they_should() -> None:
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log().repeat(4000, 1)
    noise = -torch.log(
        -torch.log(torch.rand(4000, 4, generator=torch.Generator().manual_seed(0)).clamp(1e-9, 1 - 1e-7))
    )

    def share(**options: Any) -> list[float]:
        ids = choose_ids(logits, noise, Sampling(**options))
        return (torch.bincount(ids, minlength=4) / 4000).tolist()

    assert share() == pytest.approx([0.5, 0.3, 0.15, 0.05], abs=0.03)
    assert share(top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert share(top_p=0.5) == [1, 0, 0, 0]
    assert share(top_p=0.79) == pytest.approx([0.625, 0.375, 0, 0], abs=0.03)
    assert share(top_p=0.81) == pytest.approx([0.526, 0.316, 0.158, 0], abs=0.03)
    assert share(top_k=9) == share()
    assert share(temperature=0.0) == [1, 0, 0, 0]
    assert share(temperature=0.5)[0] == pytest.approx(0.25 / 0.365, abs=0.03)
