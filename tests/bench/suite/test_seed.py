"""SEED-Bench against its official outputs, and its answers in every state that files come in."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from janus_bench.suite.seed.benchmark import Seed, build
from janus_bench.suite.seed.options import SeedOptions
from janus_bench.suite.seed.spec import SPEC
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext
from janus_core.scores import ScoreCard

PROTOCOLS = [protocol.name for protocol in SPEC.protocols]


@pytest.fixture
def seed() -> Seed:
    return build(SeedOptions(), BuildContext())


@pytest.fixture
def files(evaluation: Path) -> Path:
    return evaluation / "seedbench"


@pytest.fixture
def official(files: Path) -> Any:
    return json.loads((files / "official_output.json").read_text())


@pytest.fixture
def answers(files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (files / "answers_llava.jsonl").read_text(encoding="utf-8").splitlines()]


def write(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def values(card: ScoreCard) -> dict[str, float]:
    return {score.name: score.value for score in card.scores}


def given(files: Path, protocol: str) -> Path:
    return files / ("choice_losses.json" if protocol.startswith("likelihood") else "answers_llava.jsonl")


def test_official_letters(seed: Seed, files: Path, official: Any) -> None:
    card = seed.score("letter", files / "answers_llava.jsonl", files)
    assert card.details["percent"] == official["letter_route"]["percent"]
    assert card.details["per_item_correct"] == official["letter_route"]["per_item_correct"]
    assert list(values(card)) == ["accuracy", "image", "video", *list(official["letter_route"]["percent"])[:12]]
    assert values(card)["accuracy"] == 12 / 20 and card.scores[0].correct == 12
    assert not card.warnings and card.unparsed == 8 and card.missing == 0


def test_official_likelihoods(seed: Seed, files: Path, official: Any) -> None:
    card = seed.score("likelihood", files / "choice_losses.json", files)
    wanted = official["likelihood_route"]
    assert card.details["predictions"] == wanted["predictions"]
    assert [card.details[k] for k in ("all", "image", "video")] == pytest.approx([85, wanted["image"], 100], abs=1e-12)
    assert [item.score for item in card.items] == [
        float(letter == record["truth"])
        for letter, record in zip(wanted["predictions"].values(), card.records, strict=True)
    ]
    assert "KeyError 'gt'" in card.warnings[0] and card.details["ties"] == ["101002", "101003"]


def test_the_janus_papers_number_is_of_pictures(seed: Seed, files: Path) -> None:
    card = seed.score(PROTOCOLS[0], files / "answers_llava.jsonl", files)
    assert card.protocol == "seed@letter-img" and values(card)["accuracy"] == 9 / 17
    assert len(card.items) == 17 and "video" not in values(card) and not card.warnings
    assert {item.cluster for item in card.items} == {f"101000_{n}" for n in range(17)}


def test_repaired_finds_the_letter_in_words(seed: Seed, files: Path) -> None:
    card = seed.score("letter-repaired", files / "answers_llava.jsonl", files)
    parsed = {item.id: item.parsed for item in card.items}
    assert [parsed[f"1010{n:02}"] for n in (1, 2, 4, 6, 8, 10, 12, 15)] == [None, "B", "B", "A", None, "D", "C", "A"]
    assert values(card)["accuracy"] == 18 / 20 and card.unparsed == 2


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_come_from_the_items_alone(seed: Seed, files: Path, protocol: str) -> None:
    card = seed.score(protocol, given(files, protocol), files)
    assert dict(seed.aggregate(protocol, card.items)) == values(card)
    doubled = [item for item in reversed(card.items) for _ in range(2)]
    assert dict(seed.aggregate(protocol, doubled)) == values(card)


@pytest.mark.parametrize("number", range(5))
def test_random_sets(seed: Seed, tmp_path: Path, number: int) -> None:
    chance = random.Random(number)
    questions, answers, losses = [], [], {}
    right: dict[str, list[tuple[bool, bool, str]]] = {}
    for n in range(80):
        kind, name = chance.randint(1, 4), f"v{n}" if chance.random() < 0.3 else str(n)
        source = "video" if name.startswith("v") else "image"
        truth = chance.choice("ABCD")
        questions.append(
            {"answer": truth, "data_id": f"{n // 3}", "data_type": source, "question": "?", "question_id": name}
            | {f"choice_{letter}": letter for letter in "abcd"} | {"question_type_id": kind}
        )  # fmt: skip
        text = chance.choice([truth, truth, truth.lower(), "A", f"{truth} ", f"{truth}.", "", "AB"])
        values_of = [chance.choice([0.5, 1.0, 1.5, 2]) for _ in range(4)]
        answers.append({"question_id": int(name) if name.isdecimal() else name, "text": text})
        losses[name] = values_of
        ranked = sorted(range(4), key=lambda option: values_of[option])[0]
        right.setdefault(f"type {kind}", []).append((text == truth, "ABCD"[ranked] == truth, source))
    types = {f"type {kind}": kind for kind in range(1, 5)}
    (tmp_path / "SEED-Bench.json").write_text(json.dumps({"question_type": types, "questions": questions}))
    chance.shuffle(answers)
    everything = [row for rows in right.values() for row in rows]
    for column, protocol, path in (
        (0, "letter", write(tmp_path / "answers.jsonl", answers)),
        (1, "likelihood", tmp_path / "choice_losses.json"),
    ):
        (tmp_path / "choice_losses.json").write_text(json.dumps(losses))
        found = values(seed.score(protocol, path, tmp_path))
        for name, rows in right.items():
            assert found[name] == pytest.approx(sum(row[column] for row in rows) / len(rows), abs=1e-12)
        for source in ("image", "video"):
            part = [row[column] for row in everything if row[2] == source]
            assert found[source] == pytest.approx(sum(part) / len(part), abs=1e-12)
            if source == "image":
                assert values(seed.score(f"{protocol}-img", path, tmp_path))["accuracy"] == found["image"]


def test_a_type_without_a_right_answer(seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    answers[14]["text"] = "B"
    card = seed.score("letter", write(tmp_path / "a.jsonl", answers), files)
    assert values(card)["Visual Reasoning"] == 0 and "Visual Reasoning" in card.warnings[0]


def test_pictures_only(seed: Seed, files: Path, tmp_path: Path) -> None:
    content = json.loads((files / "SEED-Bench.json").read_text())
    content["questions"] = [q for q in content["questions"] if q["data_type"] == "image"]
    (tmp_path / "SEED-Bench.json").write_text(json.dumps(content))
    card = seed.score("letter", files / "answers_llava.jsonl", tmp_path)
    assert "video" not in values(card) and values(card)["accuracy"] == values(card)["image"] == 9 / 17
    assert any("v101017" in text for text in card.warnings) and any("about images" in text for text in card.warnings)
    content["questions"] = [q | {"data_type": "video"} for q in content["questions"]]
    (tmp_path / "SEED-Bench.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="no question about a picture"):
        seed.score("letter-img", files / "answers_llava.jsonl", tmp_path)


def test_order_missing_and_extra(seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    random.Random(2).shuffle(answers)
    whole = seed.score("letter", write(tmp_path / "a.jsonl", answers), files)
    assert whole.items == seed.score("letter", files / "answers_llava.jsonl", files).items
    fewer = [answer for answer in answers if answer["question_id"] not in (101000, "v101018")]
    card = seed.score("letter", write(tmp_path / "b.jsonl", [*fewer, {"question_id": 7, "text": "A"}]), files)
    assert card.missing == 2 and len(card.items) == 20 and values(card)["accuracy"] == 10 / 20
    assert "101000, v101018" in card.warnings[0] and "7" in card.warnings[1]
    # videos need no answer where pictures alone are scored
    card = seed.score("letter-img", tmp_path / "b.jsonl", files)
    assert card.missing == 1 and "v101018" not in card.warnings[0]


def test_the_last_of_several_answers_counts(
    seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    card = seed.score("letter", write(tmp_path / "a.jsonl", [*answers, answers[0] | {"text": "D"}]), files)
    assert values(card)["accuracy"] == 11 / 20 and "101000" in card.warnings[0]


def test_ids_that_are_texts(seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    texts = [answer | {"question_id": str(answer["question_id"])} for answer in answers]
    card = seed.score("letter", write(tmp_path / "a.jsonl", texts), files)
    assert values(card)["accuracy"] == 12 / 20 and "17 ids are numbers written as texts" in card.warnings[0]
    submission = [{"question_id": a["question_id"], "prediction": a["text"]} for a in texts]
    card = seed.score("letter", write(tmp_path / "b.jsonl", submission), files)
    assert values(card)["accuracy"] == 12 / 20 and not card.warnings


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"question_id": 101000}, r"line 21 \(101000\) has no 'text'"),
        ({"text": "A"}, "line 21 has no 'question_id'"),
        ({"question_id": 101000, "text": None}, "line 21.* None"),
    ],
)
def test_malformed_answers(
    seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path, record: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError, match=told):
        seed.score("letter", write(tmp_path / "a.jsonl", [*answers, record]), files)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"101000": [1, 2, 3]}', "question 101000 has not four losses"),
        ('{"101000": [1, 2, 3, 4], "101001": [1, 2, 3, "4"]}', "question 101001 has not four losses"),
        ('{"101000": [1, 2, 3, 4], "101001": 3}', "question 101001 has not four losses"),
        ('{"101000": [1, 2, 3, 4], "101000": [4, 3, 2, 1]}', "answers 101000 twice and differently"),
        ('{"101000": [1, 2', "is not JSON"),
    ],
)
def test_malformed_losses(seed: Seed, files: Path, tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "choice_losses.json").write_text(text)
    with pytest.raises(UserError, match=told):
        seed.score("likelihood", tmp_path, files)


def test_odd_losses(seed: Seed, files: Path, tmp_path: Path) -> None:
    path = tmp_path / "choice_losses.json"
    path.write_text(
        '{"101000": [NaN, 2, 1, 3], "101001": [1, 2, 1e999, -1], "101001": [1, 2, 1e999, -1], "x": [1, 1, 1, 1]}'
    )
    card = seed.score("likelihood", path, files)
    assert card.details["predictions"] == {"101000": "C", "101001": "D"} and card.missing == 18
    told = "\n".join(card.warnings)
    assert all(text in told for text in ("18 items", "not scored", "x", "more than once", "101001", "(NaN)", "101000"))


def test_letters_of_the_official_program(seed: Seed, files: Path, official: Any, tmp_path: Path) -> None:
    letters = official["likelihood_route"]["predictions"]
    records = [{"q_id": name, "prediction": letter, "gt": "A", "q_type_id": 1} for name, letter in letters.items()]
    card = seed.score("likelihood", write(tmp_path / "results.json", records), files)
    assert card.details["predictions"] == letters and card.details["all"] == 85.0


def test_malformed_questions(seed: Seed, files: Path, tmp_path: Path) -> None:
    content = json.loads((files / "SEED-Bench.json").read_text())
    for change, told in (
        ({"answer": "E"}, "the answer is 'E'"),
        ({"data_type": "sound"}, "data_type is 'sound'"),
        ({"question_type_id": "x"}, "question_type_id is 'x'"),
        ({"question_id": "101001"}, "question_id twice: 101001"),
    ):
        questions = [content["questions"][0] | change, *content["questions"][1:]]
        (tmp_path / "SEED-Bench.json").write_text(json.dumps(content | {"questions": questions}))
        with pytest.raises(UserError, match=told):
            seed.score("letter", files / "answers_llava.jsonl", tmp_path)
    with pytest.raises(UserError, match="--annotations"):
        seed.score("letter", files / "answers_llava.jsonl", None)


def test_files_of_other_toolkits(seed: Seed, files: Path, answers: list[dict[str, Any]], tmp_path: Path) -> None:
    questions = json.loads((files / "SEED-Bench.json").read_text())["questions"]
    rows = write(tmp_path / "seed.jsonl", questions)
    wanted = seed.score("letter", files / "answers_llava.jsonl", files).items
    assert seed.score("letter", files / "answers_llava.jsonl", rows).items == wanted
    samples = [
        {"doc_id": n, "doc": question, "resps": [[answer["text"]]]}
        for n, (question, answer) in enumerate(zip(questions, answers, strict=True))
    ]
    assert seed.score("letter", write(tmp_path / "samples.jsonl", samples), files).items == wanted
    lines = ["index\tquestion\tA\tB\tC\tD\tanswer\tcategory\tprediction"]
    for question, answer in zip(questions[:17], answers, strict=False):
        cells = [question["question_id"], question["question"], *(question[f"choice_{c}"] for c in "abcd")]
        lines.append("\t".join([*cells, question["answer"], "Scene Understanding", answer["text"]]))
    (tmp_path / "m_SEEDBench_IMG.tsv").write_text("\n".join(lines))
    card = seed.score("letter-img-repaired", tmp_path / "m_SEEDBench_IMG.tsv", None)
    assert values(card)["accuracy"] == values(card)["Scene Understanding"] == 15 / 17


@pytest.mark.parametrize(("protocol", "limit"), [("letter", None), ("letter-img", None), ("letter-repaired", 4)])
def test_a_run_writes_what_scores_the_same(
    seed: Seed,
    files: Path,
    answers: list[dict[str, Any]],
    tmp_path: Path,
    fake_work: Any,
    protocol: str,
    limit: int | None,
) -> None:
    said = {str(answer["question_id"]): answer["text"] for answer in answers}
    work = fake_work(protocol, files, tmp_path / "run", lambda question: said[question.id], limit)
    card = seed.run(work)
    blank = "\n" if protocol == "letter-img" else ""
    assert work.asked[0].text == (
        f"What is the setting?\nA. beach\nB. city\nC. farm\nD. forest\n{blank}"
        "Answer with the option's letter from the given choices directly."
    )
    assert work.asked[0].images == (files / "SEED-Bench-image" / "101000_0",) and not work.asked[0].options
    if protocol == "letter":
        assert work.asked[-1].images == (files / "SEED-Bench-video-image" / "12_v101019.png",)
    assert work.system == ("" if protocol == "letter-img" else None)
    assert card.items == seed.score(protocol, files / "answers_llava.jsonl", files).items[:limit]
    assert seed.score(protocol, tmp_path / "run", tmp_path / "run").items == card.items
    submission = seed.score(protocol, tmp_path / "run" / "submission.jsonl", tmp_path / "run")
    assert submission.items == card.items and submission.warnings == card.warnings


@pytest.mark.parametrize("limit", [None, 5])
def test_a_run_ranks_the_options(seed: Seed, files: Path, tmp_path: Path, fake_work: Any, limit: int | None) -> None:
    losses = json.loads((files / "choice_losses.json").read_text())
    work = fake_work("likelihood", files, tmp_path / "run", lambda question: losses[question.id], limit)
    card = seed.run(work)
    assert work.asked[0].text == "What is the setting?"
    assert work.asked[0].options == ("beach", "city", "farm", "forest")
    assert card.items == seed.score("likelihood", files / "choice_losses.json", files).items[:limit]
    assert json.loads((tmp_path / "run" / "choice_losses.json").read_text()) == {q.id: losses[q.id] for q in work.asked}
    assert seed.score("likelihood", tmp_path / "run", tmp_path / "run").items == card.items
    with pytest.raises(UserError, match="--data"):
        seed.run(fake_work("likelihood", None, tmp_path / "none", lambda question: [0.0]))
