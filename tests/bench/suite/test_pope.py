"""POPE against its official outputs, and its answers in every state that files come in."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from janus_bench.suite.pope.benchmark import Pope, build
from janus_bench.suite.pope.options import PopeOptions
from janus_bench.suite.pope.score import read_official, read_repaired, read_vlmevalkit
from janus_bench.suite.pope.spec import CATEGORIES, SPEC
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext
from janus_core.scores import ScoreCard

PROTOCOLS = [protocol.name for protocol in SPEC.protocols]


@pytest.fixture
def pope() -> Pope:
    return build(PopeOptions(), BuildContext())


@pytest.fixture
def files(evaluation: Path) -> Path:
    return evaluation / "pope"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def values(card: ScoreCard) -> dict[str, float]:
    return {score.name: score.value for score in card.scores}


@pytest.mark.parametrize("answers", ["answers_official", "answers_llava.jsonl"])
def test_official_numbers(pope: Pope, files: Path, answers: str) -> None:
    official = json.loads((files / "official_output.json").read_text())
    card = pope.score("mean3", files / answers, files)
    for category, wanted in official["per_category"].items():
        wanted.pop("stdout")
        found = card.details["per_category"][category]
        assert found.pop("per_item") == wanted.pop("per_item")
        assert found == pytest.approx(wanted, abs=1e-12)
        assert [found[cell] for cell in ("TP", "FP", "TN", "FN")] == [wanted[c] for c in ("TP", "FP", "TN", "FN")]
    assert card.details["mean_over_categories"] == pytest.approx(official["mean_over_categories"], abs=1e-12)
    assert card.scores[0].name == "F1" and card.scores[0].value == pytest.approx(0.6318181818181818, abs=1e-12)
    assert card.scores[0].baselines == {"always yes": pytest.approx((2 / 3 + 2 / 3 + 6 / 11) / 3)}
    assert not card.warnings and card.missing == 0


def test_the_janus_papers_number_is_the_random_split(pope: Pope, files: Path) -> None:
    card = pope.score(PROTOCOLS[0], files / "answers_official" / "random.jsonl", files / "coco")
    assert card.protocol == "pope@random" and card.version == 1
    assert values(card) == {"F1": 0.75, "accuracy": 0.75, "precision": 0.75, "recall": 0.75, "yes ratio": 0.5}
    assert card.scores[1].correct == 6 and card.scores[0].baselines == {"always yes": pytest.approx(2 / 3)}
    alone = pope.score("random", files / "answers_llava.jsonl", files / "coco" / "coco_pope_random.json")
    assert values(alone) == values(card)
    assert [item.id for item in card.items] == [f"random/{n}" for n in range(1, 9)]
    assert len({item.cluster for item in card.items}) == 4


def test_vlmevalkit_reads_as_it_does(pope: Pope, files: Path) -> None:
    other = json.loads((files / "other_implementations.json").read_text())["vlmevalkit_YOrN_Extraction(no judge)"]
    card = pope.score("vlmevalkit", files / "answers_llava.jsonl", files)
    by_category = [item.parsed for name in CATEGORIES for item in card.items if item.facts["category"] == name]
    assert by_category == other["extracted"]
    assert values(card)["accuracy"] == other["acc"]


@pytest.mark.parametrize(
    ("text", "official", "understood", "repaired", "vlmevalkit"),
    [
        ("Yes", "yes", True, "yes", "Yes"),
        ("", "yes", False, "other", "Unknown"),
        ("NO", "yes", False, "no", "No"),
        ("No!", "yes", False, "no", "No"),
        ("Nope", "yes", False, "no", "Unknown"),
        ("there isn't any", "yes", False, "no", "Unknown"),
        ("no\n", "yes", False, "no", "No"),
        ("No,there", "yes", False, "no", "No"),
        ("yes, but not sure", "no", True, "yes", "Yes"),
        ("It's 0.5 no", "yes", False, "no", "No"),
        ("yes and no", "no", True, "yes", "Unknown"),
        ("I know that", "yes", False, "other", "Unknown"),
        ("否", "yes", False, "other", "Unknown"),
        ("No.", "no", True, "no", "No"),
        ("yes.no", "yes", True, "yes", "Unknown"),
    ],
)
def test_traps_of_reading(text: str, official: str, understood: bool, repaired: str, vlmevalkit: str) -> None:
    assert (read_official(text).parsed, read_official(text).understood) == (official, understood)
    assert read_repaired(text).parsed == repaired
    assert read_vlmevalkit(text).parsed == vlmevalkit


def by_hand(labels: Sequence[Mapping[str, Any]], answers: Sequence[str]) -> dict[str, float]:
    """Another writing of the official rule."""
    said = [
        not any(f" {word} " in f" {a.partition('.')[0].replace(',', '')} " for word in ("No", "no", "not"))
        for a in answers
    ]
    true = [label["label"] != "no" for label in labels]
    hits = sum(s and t for s, t in zip(said, true, strict=True))
    precision, recall = hits / sum(said), hits / sum(true)
    accuracy = sum(s == t for s, t in zip(said, true, strict=True)) / len(said)
    f1 = 2 * precision * recall / (precision + recall)
    return {
        "F1": f1,
        "accuracy": accuracy,
        "precision": precision,
        "recall": recall,
        "yes ratio": sum(said) / len(said),
    }


WORDS = ["yes", "Yes", "no", "No", "not", "Not", "NO", "a", "dog", ".", "0.5", "isn't", "\t", "否", "\u2028", ""]


@pytest.mark.parametrize("seed", range(8))
def test_random_sets(pope: Pope, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    labels = [
        {
            "question_id": n + 1,
            "image": f"{n // 3}.jpg",
            "text": f"Is there a {n}?",
            "label": chance.choice(["yes", "no"]),
        }
        for n in range(60)
    ]
    answers = [chance.choice([" ", ", ", ""]).join(chance.choices(WORDS, k=chance.randint(0, 4))) for _ in labels]
    labels[0]["label"], answers[0] = "yes", "Yes"
    write(tmp_path / "coco" / "coco_pope_popular.json", labels)
    given = write(
        tmp_path / "a.jsonl", [{"question": q["text"], "answer": a} for q, a in zip(labels, answers, strict=True)]
    )
    card = pope.score("popular", given, tmp_path)
    assert values(card) == pytest.approx(by_hand(labels, answers), abs=1e-12)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_come_from_the_items_alone(pope: Pope, files: Path, protocol: str) -> None:
    card = pope.score(protocol, files / "answers_official", files)
    assert dict(pope.aggregate(protocol, card.items)) == values(card)
    doubled = [item for item in reversed(card.items) for _ in range(2)]
    assert dict(pope.aggregate(protocol, doubled)) == pytest.approx(values(card), abs=1e-12)
    assert all(not math.isnan(value) for value in values(card).values())


def test_repaired_is_another_number_with_its_own_name(pope: Pope, files: Path) -> None:
    card = pope.score("adversarial-repaired", files / "answers_official", files)
    assert card.protocol == "pope@adversarial-repaired"
    assert [item.parsed for item in card.items] == ["yes", "no", "other", "no", "no", "no", "other", "no"]
    assert values(card)["accuracy"] == 5 / 8 and card.unparsed == 2
    # what is neither counts against the model whatever the label: item 3 as FN, item 7 as FP
    assert [card.details["per_category"]["adversarial"][c] for c in ("TP", "FP", "TN", "FN")] == [1, 1, 4, 2]


def test_blank_answers_are_yes_and_told(pope: Pope, files: Path) -> None:
    card = pope.score("popular", files / "answers_official", files)
    blank = next(item for item in card.items if item.id == "popular/3")
    assert (blank.parsed, blank.status, blank.score) == ("yes", "unparsed", 1.0)


def test_order_of_llava_answers_does_not_matter(pope: Pope, files: Path, tmp_path: Path) -> None:
    records = lines(files / "answers_llava.jsonl")
    random.Random(3).shuffle(records)
    shuffled = pope.score("mean3", write(tmp_path / "a.jsonl", records), files)
    assert shuffled.items == pope.score("mean3", files / "answers_llava.jsonl", files).items


def test_order_of_official_answers_is_checked(pope: Pope, files: Path, tmp_path: Path) -> None:
    records = lines(files / "answers_official" / "random.jsonl")
    given = write(tmp_path / "a.jsonl", [records[1], records[0], *records[2:]])
    with pytest.raises(UserError, match=r"a.jsonl, item 1 .*a car.* \(random/1\) is .*a snowboard"):
        pope.score("random", given, files)


def test_missing_answers_are_wrong_and_named(pope: Pope, files: Path, tmp_path: Path) -> None:
    records = lines(files / "answers_llava.jsonl")
    card = pope.score("mean3", write(tmp_path / "a.jsonl", records[:2] + records[3:]), files)
    assert card.missing == 1 and "random/3" in card.warnings[0]
    assert card.details["per_category"]["random"]["FN"] == 2 and len(card.items) == 24
    short = lines(files / "answers_official" / "random.jsonl")[:6]
    card = pope.score("random", write(tmp_path / "b.jsonl", short), files)
    assert [item.id for item in card.items if item.status == "missing"] == ["random/7", "random/8"]
    assert [card.details["per_category"]["random"][c] for c in ("TP", "FP", "TN", "FN")] == [3, 1, 3, 1]


def test_extra_answers_are_named_and_not_scored(pope: Pope, files: Path, tmp_path: Path) -> None:
    records = lines(files / "answers_llava.jsonl")
    given = write(tmp_path / "a.jsonl", [*records, {"question_id": 99, "text": "No"}])
    card = pope.score("mean3", given, files)
    assert values(card) == values(pope.score("mean3", files / "answers_llava.jsonl", files))
    assert len(card.warnings) == 1 and "99" in card.warnings[0]
    longer = lines(files / "answers_official" / "random.jsonl") * 2
    card = pope.score("random", write(tmp_path / "b.jsonl", longer), files)
    assert values(card)["F1"] == 0.75 and "item 9" in card.warnings[0]


def test_an_answer_given_twice(pope: Pope, files: Path, tmp_path: Path) -> None:
    records = lines(files / "answers_llava.jsonl")
    card = pope.score("mean3", write(tmp_path / "a.jsonl", [*records, records[4]]), files)
    assert values(card) == values(pope.score("mean3", files / "answers_llava.jsonl", files))
    assert "random/5" in card.warnings[0]
    with pytest.raises(UserError, match="random/5"):
        pope.score("mean3", write(tmp_path / "b.jsonl", [*records, records[4] | {"text": "No"}]), files)


@pytest.mark.parametrize(("answer", "f1"), [("No", 0.0), ("Yes", 2 / 3)])
def test_what_official_code_divides_by_zero(pope: Pope, files: Path, tmp_path: Path, answer: str, f1: float) -> None:
    records = [record | {"answer": answer} for record in lines(files / "answers_official" / "random.jsonl")]
    card = pope.score("random", write(tmp_path / "a.jsonl", records), files)
    assert values(card)["F1"] == pytest.approx(f1)
    assert math.isnan(values(card)["precision"]) == (answer == "No")
    assert bool(card.warnings) == (answer == "No")


def test_nothing_is_defined_without_yes(pope: Pope, files: Path, tmp_path: Path) -> None:
    labels = [record | {"label": "no"} for record in lines(files / "coco" / "coco_pope_random.json")]
    write(tmp_path / "coco" / "coco_pope_random.json", labels)
    given = write(tmp_path / "a.jsonl", [{"question": label["text"], "answer": "No"} for label in labels])
    card = pope.score("random", given, tmp_path)
    assert math.isnan(card.scores[0].value) and "not defined" in card.warnings[0]
    assert card.details["per_category"]["random"]["f1"] is None and values(card)["accuracy"] == 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda text: text + "{broken\n", "line 9 is not JSON"),
        (lambda text: text.replace('"answer": "NO"', '"answer": 3'), "item 8: 'answer' is 3"),
        (lambda text: text.replace('"answer": "NO"', '"reply": "NO"'), "item 8 has no 'answer'"),
        (lambda text: "[]\n" + text, "line 1 is not a JSON object"),
        (lambda text: text.replace("answer", "reply"), "in no format that is known"),
    ],
)
def test_malformed_answers(pope: Pope, files: Path, tmp_path: Path, spoil: Callable[[str], str], told: str) -> None:
    given = tmp_path / "a.jsonl"
    given.write_text(spoil((files / "answers_official" / "random.jsonl").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        pope.score("random", given, files)


def test_wrong_labels_are_refused(pope: Pope, files: Path, tmp_path: Path) -> None:
    answers = files / "answers_official"
    with pytest.raises(UserError, match="coco_pope_random.json"):
        pope.score("random", answers, tmp_path)
    with pytest.raises(UserError, match="no labels of the category random"):
        pope.score("random", answers, files / "coco" / "coco_pope_popular.json")
    labels = lines(files / "coco" / "coco_pope_random.json")
    write(tmp_path / "coco" / "coco_pope_random.json", [labels[0] | {"label": "No"}])
    with pytest.raises(UserError, match="the label is 'No'"):
        pope.score("random", answers, tmp_path)
    write(tmp_path / "coco" / "coco_pope_random.json", [labels[0], labels[0]])
    with pytest.raises(UserError, match="random/1"):
        pope.score("random", answers, tmp_path)


def test_llava_questions_of_another_version_are_refused(pope: Pope, files: Path, tmp_path: Path) -> None:
    write(tmp_path / "coco" / "coco_pope_random.json", lines(files / "coco" / "coco_pope_random.json")[1:])
    write(tmp_path / "llava_pope_test.jsonl", lines(files / "llava_pope_test.jsonl"))
    with pytest.raises(UserError, match="2910 questions"):
        pope.score("random", files / "answers_llava.jsonl", tmp_path)
    (tmp_path / "llava_pope_test.jsonl").unlink()
    with pytest.raises(UserError, match="no llava_pope_test.jsonl"):
        pope.score("random", files / "answers_llava.jsonl", tmp_path)


def test_lmms_eval_samples_and_hugging_face_labels(pope: Pope, files: Path, tmp_path: Path) -> None:
    rows = []
    for name in CATEGORIES:
        for label in lines(files / "coco" / f"coco_pope_{name}.json"):
            image = label["image"].removesuffix(".jpg")
            rows.append({"category": name, "question_id": str(label["question_id"]), "question": label["text"]})
            rows[-1] |= {"answer": label["label"], "image_source": image}
    by_name = {name: lines(files / "answers_official" / f"{name}.jsonl") for name in CATEGORIES}
    texts = [answer["answer"] for name in CATEGORIES for answer in by_name[name]]
    samples = [
        {"doc_id": n, "doc": row, "resps": [[text]], "filtered_resps": [text]}
        for n, (row, text) in enumerate(zip(rows, texts, strict=True))
    ]
    random.Random(0).shuffle(samples)
    given = write(tmp_path / "samples.jsonl", samples)
    wanted = pope.score("mean3", files / "answers_official", files).items
    assert pope.score("mean3", given, files).items == wanted
    alone = pope.score("mean3", given, None)
    assert sorted(alone.items, key=lambda item: item.id) == sorted(wanted, key=lambda item: item.id)
    labels = write(tmp_path / "pope.jsonl", rows)
    assert pope.score("mean3", given, labels).items == wanted
    assert pope.score("mean3", files / "answers_official", labels).items == wanted


def test_vlmevalkit_table_scores_itself(pope: Pope, files: Path, tmp_path: Path) -> None:
    (tmp_path / "m_POPE.tsv").write_text(
        "index\tquestion\tanswer\tcategory\timage_path\tprediction\n"
        "0\tIs there a dog?\tYes\tadversarial,popular,random\t1.jpg\tYes\n"
        "1\tIs there a cat?\tNo\trandom\t1.jpg\tyes it is\n"
        "2\tIs there a cup?\tNo\tpopular\t2.jpg\tmaybe\n"
    )
    card = pope.score("vlmevalkit", tmp_path / "m_POPE.tsv", None)
    assert len(card.items) == 5 and values(card)["accuracy"] == 3 / 5
    assert values(card)["F1"] == pytest.approx(2 * 0.75 / 1.75) and values(card)["popular: accuracy"] == 1 / 2
    assert card.warnings and card.unparsed == 1
    # its numbers are not POPE's: 1 is another question there
    with pytest.raises(UserError, match="'Is there a cat.' for random/1, the annotations have 'Is there a snowboard"):
        pope.score("random", tmp_path / "m_POPE.tsv", files)
    (tmp_path / "a.jsonl").write_text('{"question": "q", "answer": "yes"}\n')
    with pytest.raises(UserError, match="--annotations"):
        pope.score("random", tmp_path / "a.jsonl", None)


@pytest.mark.parametrize(
    ("protocol", "limit"), [("random", None), ("mean3", None), ("mean3", 10), ("vlmevalkit", None)]
)
def test_a_run_writes_what_scores_the_same(
    pope: Pope, files: Path, tmp_path: Path, fake_work: Any, protocol: str, limit: int | None
) -> None:
    texts = {f"{name}/{n}": r["answer"] for name in CATEGORIES
             for n, r in enumerate(lines(files / "answers_official" / f"{name}.jsonl"), 1)}  # fmt: skip
    work = fake_work(protocol, files, tmp_path / "run", lambda question: texts[question.id], limit)
    card = pope.run(work)
    assert (
        work.asked[0].text == "Is there a snowboard in the image?\nAnswer the question using a single word or phrase."
    )
    assert work.asked[0].images == (files / "val2014" / "COCO_val2014_000000001000.jpg",)
    assert work.system == "" and card.settings["prompts"] == "janus"
    again = pope.score(protocol, tmp_path / "run" / "answers", tmp_path / "run" / "coco")
    assert again.items == card.items and len(card.items) == len(work.asked)
    if limit is None:
        assert card.items == pope.score(protocol, files / "answers_official", files).items


def test_prompts_of_others(files: Path) -> None:
    other = build(PopeOptions(prompts="vlmevalkit"), BuildContext())
    assert other.questions("random", files)[0].text == "Is there a snowboard in the image? Please answer yes or no."
    assert other.system("random") is None
