"""Samples -> tokens -> one packed row in which no sample sees another."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
import torch

from janus_core.interfaces import BadRecord, Given, Message, Sample, Target
from janus_core.sequence.assemble import Assembled
from janus_core.sequence.pack import Batch, pack


@pytest.fixture(scope="module")
def built(tiny: ModuleType) -> Any:
    found = tiny.build(tiny.recipe("both", text=True))
    tiny.perturb(found.model)
    return found


def asked(tiny: ModuleType, question: str = "what?", answer: str = "a cat", seed: int = 0) -> Sample:
    image = tiny.picture(seed=seed)
    turns = (Message("user", (Given("image", image), f"\n{question}")), Message("assistant", (answer,)))
    return Sample(f"asked-{seed}", "understanding", turns)


def drawn(tiny: ModuleType, prompt: str = "a key", seed: int = 0) -> Sample:
    turns = (Message("user", (prompt,)), Message("assistant", (Target(tiny.picture(seed=seed)),)))
    return Sample(f"drawn-{seed}", "generation", turns)


def plain(text: str = "once upon a time") -> Sample:
    return Sample("plain", "text", (Message("plain", (text,)),))


def packed(built: Any, *samples: Assembled) -> Batch:
    transforms = {route: item.transform for route, item in built.assembler.routes.items()}
    return pack(samples, transforms, built.target_transform)


# -- assemble ---------------------------------------------------------------------------------------------------------


def test_each_supervised_id_is_predicted_at_the_position_before(built: Any, tiny: ModuleType) -> None:
    out, text = built.assembler.sample(asked(tiny)), built.text
    answer = [*text.encode(" a cat"), text.eos]
    assert [label for _, label in out.text_targets] == answer
    assert all(out.ids[at + 1] == label for at, label in out.text_targets)
    assert [at for at, _ in out.text_targets] == list(range(len(out.ids) - 1 - len(answer), len(out.ids) - 1))
    assert out.ids[0] == text.bos
    assert out.ids.count(text.bos) == 1


def test_every_turn_is_supervised(built: Any, tiny: ModuleType) -> None:
    turns = (*asked(tiny).messages, Message("user", ("and?",)), Message("assistant", ("a mat",)))
    out, text = built.assembler.sample(Sample("two", "understanding", turns)), built.text
    labels = [label for _, label in out.text_targets]
    assert labels == [*text.encode(" a cat"), text.eos, *text.encode(" a mat"), text.eos]
    assert all(out.ids[at + 1] == label for at, label in out.text_targets)


def test_plain_text_is_all_supervised(built: Any) -> None:
    out = built.assembler.sample(plain("hello"))
    assert out.ids == [built.text.bos, *built.text.encode("hello"), built.text.eos]
    assert out.text_targets == list(enumerate(out.ids[1:]))


def test_an_input_lies_between_its_begin_and_end(built: Any, tiny: ModuleType) -> None:
    out, text = built.assembler.sample(asked(tiny)), built.text
    ((route, place),) = out.given
    assert route == "image"
    assert place.length == built.assembler.routes["image"].num_tokens(place.prepared.num_tokens)
    assert out.ids[place.start - 1] == text.begin("image")
    assert out.ids[place.start + place.length] == text.end("image")
    assert out.ids[place.start : place.start + place.length] == [text.pad] * place.length
    assert text.decode(out.ids[: place.start]) == "User: "


def test_codes_follow_the_begin_token_and_end_the_sample(built: Any, tiny: ModuleType) -> None:
    out, text = built.assembler.sample(drawn(tiny)), built.text
    (place,) = out.targets
    assert place.length == built.model.code_layout.positions
    assert place.start + place.length == len(out.ids)
    assert out.ids[place.start - 1] == text.begin("image")
    assert out.text_targets == []
    assert text.decode(out.ids) == "User: a key\n\nAssistant:"


def test_a_prompt_is_the_beginning_of_the_sample(built: Any, tiny: ModuleType) -> None:
    """Training and inference must see the same tokens before the first predicted one."""
    sample = drawn(tiny)
    prompt = built.assembler.prompt(sample.messages[:1], "generation")
    whole = built.assembler.sample(sample)
    assert prompt.ids == whole.ids[: whole.targets[0].start]
    question = asked(tiny)
    prompt = built.assembler.prompt(question.messages[:1], "understanding")
    whole = built.assembler.sample(question)
    assert prompt.ids == whole.ids[: whole.text_targets[0][0] + 1]


def test_dropping_the_condition_keeps_bos_begin_and_length(built: Any, tiny: ModuleType) -> None:
    kept, text = built.assembler.sample(drawn(tiny)), built.text
    dropped = built.assembler.sample(drawn(tiny), drop_condition=True)
    start = kept.targets[0].start
    assert len(dropped.ids) == len(kept.ids)
    assert dropped.ids[0] == text.bos
    assert dropped.ids[start - 1] == text.begin("image")
    assert set(dropped.ids[1 : start - 1]) == {text.pad}
    assert dropped.targets[0].start == start
    prompt = built.assembler.prompt(drawn(tiny).messages[:1], "generation")
    built.assembler.drop_condition(prompt)
    assert prompt.ids == dropped.ids[:start]


@pytest.mark.parametrize("token", ["<begin_of_image>", "<｜end▁of▁sentence｜>"])
@pytest.mark.parametrize("where", ["question", "answer", "prompt", "plain"])
def test_control_tokens_in_data_are_refused(built: Any, tiny: ModuleType, token: str, where: str) -> None:
    samples = {
        "question": lambda: asked(tiny, question=f"x{token}"),
        "answer": lambda: asked(tiny, answer=token),
        "prompt": lambda: drawn(tiny, prompt=f"{token} y"),
        "plain": lambda: plain(f"a{token}b"),
    }
    with pytest.raises(BadRecord) as caught:
        built.assembler.sample(samples[where]())
    assert token in caught.value.reason


@pytest.mark.silent_failure(9)
def test_what_the_model_lacks_is_a_bad_record(tiny: ModuleType) -> None:
    """Row 9: a sample for a path that the model has not is refused by name, not by a crash."""
    only = tiny.build(tiny.recipe("understanding"))
    with pytest.raises(BadRecord, match="generation tokenizer"):
        only.assembler.sample(drawn(tiny))
    only = tiny.build(tiny.recipe("generation"))
    with pytest.raises(BadRecord, match=r"'image'.*none"):
        only.assembler.sample(asked(tiny))


def test_an_input_of_the_wrong_type_is_a_bad_record(built: Any) -> None:
    turns = (Message("user", (Given("image", "no picture"),)), Message("assistant", ("x",)))
    with pytest.raises(BadRecord) as caught:
        built.assembler.sample(Sample("odd", "understanding", turns))
    assert caught.value.place == "odd"


# -- pack -------------------------------------------------------------------------------------------------------------


def test_positions_restart_and_indices_move(built: Any, tiny: ModuleType) -> None:
    first, second = built.assembler.sample(asked(tiny)), built.assembler.sample(drawn(tiny))
    batch = packed(built, first, second)
    shift = len(first.ids)
    assert batch.layout.lengths == (shift, len(second.ids))
    assert batch.layout.positions[0].tolist() == [*range(shift), *range(len(second.ids))]
    assert batch.code_index.tolist() == [
        [shift + second.targets[0].start + i for i in range(batch.code_index.shape[1])]
    ]
    assert batch.ids[0, batch.text_index + 1].tolist() == batch.text_labels.tolist()
    assert batch.tasks == ("understanding", "generation")


def hidden_of(built: Any, batch: Batch) -> torch.Tensor:
    embeds, _ = built.model.embed(batch)
    found: torch.Tensor = built.model.language_model(embeds[None], batch.layout)[0]
    return found


@pytest.mark.parametrize("kind", ["asked", "drawn", "plain"])
@pytest.mark.silent_failure(11)
def test_a_sample_sees_no_other_one(built: Any, tiny: ModuleType, kind: str) -> None:
    """Row 11: logits and gradients of a sample are the same with and without others packed around it."""
    make = {"asked": lambda: asked(tiny, seed=5), "drawn": lambda: drawn(tiny, seed=5), "plain": plain}
    sample = built.assembler.sample(make[kind]())
    before = [built.assembler.sample(s) for s in (drawn(tiny, seed=1), asked(tiny, "where?", "at the left", seed=2))]
    after = [built.assembler.sample(plain("after all"))]
    alone, among = packed(built, sample), packed(built, *before, sample, *after)
    start = sum(len(other.ids) for other in before)
    end = start + len(sample.ids)

    def run(batch: Batch, part: slice) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        built.model.zero_grad()
        hidden = hidden_of(built, batch)[part]
        logits = built.model.language_model.text_logits(hidden)
        logits.square().sum().backward()
        grads = {n: p.grad.clone() for n, p in built.model.language_model.named_parameters() if p.grad is not None}
        return logits.detach(), grads

    logits, grads = run(alone, slice(0, None))
    others, other_grads = run(among, slice(start, end))
    torch.testing.assert_close(others, logits, rtol=1e-5, atol=1e-5)
    assert grads.keys() == other_grads.keys()
    assert len(grads) > 10
    for name, gradient in grads.items():
        torch.testing.assert_close(other_grads[name], gradient, rtol=1e-4, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    embeds = built.model.embed(among)[0].detach().requires_grad_()
    built.model.language_model(embeds[None], among.layout)[0][start:end].sum().backward()
    assert embeds.grad is not None
    reached = embeds.grad.abs().sum(-1) > 0
    assert reached[start:end].any()
    assert not reached[:start].any()
    assert not reached[end:].any()


@pytest.mark.silent_failure(12)
def test_losses_of_a_batch_are_the_sums_of_its_samples(built: Any, tiny: ModuleType) -> None:
    """Row 12: the sums of one batch equal those of its samples one by one, however uneven their lengths."""
    samples = [asked(tiny, seed=1), plain("some text"), drawn(tiny, seed=2), plain("x"), asked(tiny, "how?", "so", 3)]
    assembled = [built.assembler.sample(sample) for sample in samples]
    together = built.model(packed(built, *assembled))
    sums: dict[str, float] = {}
    counts: dict[str, int] = {}
    for one in assembled:
        losses = built.model(packed(built, one))
        assert list(losses.sums) == [one.task]
        sums[one.task] = sums.get(one.task, 0.0) + float(losses.sums[one.task].detach())
        counts[one.task] = counts.get(one.task, 0) + losses.counts[one.task]
    assert dict(together.counts) == counts
    for task, value in sums.items():
        assert float(together.sums[task].detach()) == pytest.approx(value, rel=1e-5)


def test_the_losses_are_taken_at_the_position_before(built: Any, tiny: ModuleType) -> None:
    out = built.assembler.sample(drawn(tiny, seed=4))
    batch = packed(built, built.assembler.sample(plain("x")), out)
    start = batch.layout.lengths[0] + out.targets[0].start
    codes, count = built.model.embed(batch)[1][0], out.targets[0].length
    hidden = hidden_of(built, batch)[start - 1 : start - 1 + count]
    total, terms = built.model.generation_head.loss(hidden, codes, built.model.code_layout)
    losses = built.model(batch)
    assert losses.counts["generation"] == terms == count
    assert float(losses.sums["generation"].detach()) == pytest.approx(float(total.detach()), rel=1e-5)
    out = built.assembler.sample(asked(tiny))
    logits = built.model.language_model.text_logits(hidden_of(built, packed(built, out)))
    answer = out.ids[out.text_targets[0][0] + 1 :]
    wanted = torch.nn.functional.cross_entropy(logits[-1 - len(answer) : -1], torch.tensor(answer), reduction="sum")
    losses = built.model(packed(built, out))
    assert losses.counts == {"understanding": len(answer)}
    assert float(losses.sums["understanding"].detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
