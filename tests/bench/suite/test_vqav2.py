"""VQAv2 against the official scorer's output, its traps, broken files, and a run that is scored again."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from janus_bench.suite.vqav2.benchmark import VQAv2
from janus_bench.suite.vqav2.files import Annotation
from janus_bench.suite.vqav2.options import VQAv2Options
from janus_bench.suite.vqav2.score import judge_official, judge_repaired, llava_normalise, normalise
from janus_bench.suite.vqav2.spec import SPEC
from janus_core.errors import UserError
from janus_core.interfaces import Question

FILES = Path(__file__).parents[2] / "fixtures/evaluation/vqav2"
TRUTH = FILES / "v2_mscoco_val2014_annotations.json"
OFFICIAL = json.loads((FILES / "official_output.json").read_text(encoding="utf-8"))
PROTOCOLS = [one.name for one in SPEC.protocols]


def benchmark(**options: Any) -> VQAv2:
    return VQAv2(VQAv2Options(**options))


def raw() -> list[dict[str, Any]]:
    return list(json.loads((FILES / "results_raw.json").read_text(encoding="utf-8")))


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def truth(*answers: str) -> Annotation:
    return Annotation("1", "1", "what", "other", tuple((text, str(number)) for number, text in enumerate(answers)))


@pytest.mark.parametrize(
    ("protocol", "file", "expected"),
    [
        ("raw", "results_raw", "raw_predictions"),
        ("raw", "results_llava_normalised", "llava_normalised_predictions"),
        ("llava-normalised", "results_raw", "llava_normalised_predictions"),
        ("llava-normalised", "results_llava_normalised", "llava_normalised_predictions"),
    ],
)
def test_official_output(protocol: str, file: str, expected: str) -> None:
    card = benchmark().score(protocol, FILES / f"{file}.json", TRUTH)
    assert card.details == OFFICIAL[expected]
    assert card.protocol == f"vqav2@{protocol}"
    assert card.scores[0].value == pytest.approx(OFFICIAL[expected]["accuracy"]["overall"] / 100, abs=5e-5)
    exact = sum(OFFICIAL[expected]["evalQA"].values()) / 24 / 100
    assert card.scores[0].value == pytest.approx(exact, abs=1e-12)
    assert [item.id for item in card.items] == list(OFFICIAL[expected]["evalQA"])
    assert {item.id: item.cluster for item in card.items}["1003"] == "image 2"
    assert card.warnings == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_follow_from_the_items(protocol: str) -> None:
    card = benchmark().score(protocol, FILES / "results_raw.json", TRUTH)
    again = benchmark().aggregate(protocol, card.items)
    assert {score.name: score.value for score in card.scores} == {
        score.name: again[score.name] for score in card.scores
    }
    twice = benchmark().aggregate(protocol, [*card.items, *card.items])
    assert twice["accuracy"] == pytest.approx(again["accuracy"], abs=1e-12)
    assert benchmark().aggregate(protocol, [])["accuracy"] != benchmark().aggregate(protocol, [])["accuracy"]


@pytest.mark.parametrize(
    ("said", "answers", "worth"),
    [
        ("Yes", ["yes"] * 10, 0.0),
        ("Yes", ["yes"] * 9 + ["no"], 1.0),
        ("", ["a"] * 7 + ["the b"] * 3, 1.0),
        ("me@site.com", ["me sitecom"] * 8 + ["x"] * 2, 1.0),
        ("eleven", ["11"] * 6 + ["eleven"] * 4, 1.0),
        ("its", ["it's"] * 9 + ["x"], 0.0),
        ("cafe", ["café"] * 9 + ["x"], 0.0),
        ("books", ["books"] + ["vase"] * 9, 0.3),
        ("books", ["books"] * 2 + ["vase"] * 8, 0.6),
        ("books", ["books"] * 3 + ["vase"] * 7, 0.9),
        ("dont", ["don't"] * 9 + ["x"], 1.0),
        ("$5", ["$5"] * 9 + ["5"], 1.0),
        (".5", ["0.5"] * 9 + ["5"], 0.0),
    ],
)
def test_traps_of_the_official_scorer(said: str, answers: list[str], worth: float) -> None:
    assert judge_official(said, truth(*answers))[1] == pytest.approx(worth, abs=1e-12)


def test_only_the_first_32_stops_go() -> None:
    assert normalise("." * 40 + "x") == "." * 8 + "x"
    assert judge_repaired("." * 40 + "x", truth(*["x"] * 10)) == ("x", 1.0)
    assert judge_official("one", truth(*["1"] * 10))[1] == 0.0
    assert judge_repaired("one", truth(*["1"] * 10))[1] == 1.0
    assert judge_repaired(" ", truth(*["a"] * 5, *["the"] * 5))[1] == 0.0


def test_two_answers_of_one_identity_are_one() -> None:
    same = Annotation("1", "1", "what", "other", (("x", "7"),) * 4 + (("y", "8"),) * 6)
    # leaving one out leaves all of its copies out: the official code compares whole records
    assert judge_official("x", same)[1] == pytest.approx(0.6)


def test_llava_processor_is_no_projection(tmp_path: Path) -> None:
    assert (llava_normalise("whats"), llava_normalise("what's")) == ("what's", "what 's")
    assert llava_normalise("men's") == "men 's"
    once = [{"question_id": one["question_id"], "answer": llava_normalise(one["answer"])} for one in raw()]
    once[5]["answer"] = "what's"
    card = benchmark().score("llava-normalised", written(tmp_path / "results.json", once), TRUTH)
    assert card.items[5].parsed == "what's"
    assert "not normalised a second time" in card.warnings[0]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_order_and_form_change_nothing(protocol: str, tmp_path: Path) -> None:
    shuffled = raw()
    random.Random(0).shuffle(shuffled)
    expected = benchmark().score(protocol, FILES / "results_raw.json", TRUTH)
    lines = [
        json.dumps({"question_id": one["question_id"], "prompt": "p", "text": one["answer"], "metadata": {}})
        for one in shuffled
    ]
    (tmp_path / "merge.jsonl").write_text("\n".join(lines), encoding="utf-8")
    lmms = [
        json.dumps({"doc_id": n, "doc": {"question_id": one["question_id"]}, "filtered_resps": [one["answer"]]})
        for n, one in enumerate(shuffled)
    ]
    (tmp_path / "samples.jsonl").write_text("\n".join(lmms), encoding="utf-8")
    for file in (written(tmp_path / "results.json", shuffled), tmp_path / "merge.jsonl", tmp_path / "samples.jsonl"):
        assert benchmark().score(protocol, file, TRUTH).items == expected.items


def test_missing_extra_and_repeated(tmp_path: Path) -> None:
    answers = [*raw()[1:], {"question_id": 77, "answer": "x"}, {"question_id": 1001, "answer": "no"}]
    card = benchmark().score("raw", written(tmp_path / "results.json", answers), TRUTH)
    assert (card.items[0].status, card.items[0].score, card.missing) == ("missing", 0.0, 1)
    assert card.items[1].score == 0.0
    assert len(card.warnings) == 3
    for warning, name in zip(card.warnings, ("1000", "77", "1001"), strict=True):
        assert name in warning
    assert card.scores[0].total == 24


def test_blank_is_counted_and_llava_fills_in_a_blank(tmp_path: Path) -> None:
    blank = [one for one in raw() if one["question_id"] != 1011]
    card = benchmark().score("llava-normalised", written(tmp_path / "results.json", blank), TRUTH)
    assert (card.items[11].status, card.items[11].score) == ("missing", 1.0)
    assert "blank" in card.warnings[0]
    assert benchmark().score("raw", FILES / "results_raw.json", TRUTH).unparsed == 1


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('[{"question_id": 1000}]', ["item 1", "1000", "answer"]),
        ('[{"question_id": 1000, "answer": 3}]', ["item 1", "1000", "3"]),
        ('[{"answer": "x"}]', ["item 1", "question_id"]),
        ("[3]", ["item 1"]),
        ('[{"question_id": 1000', ["results.json", "JSON"]),
        ('{"question_id": 1000, "text": "x"}\n{', ["line 2"]),
    ],
)
def test_malformed_predictions_are_named(content: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        benchmark().score("raw", tmp_path / "results.json", TRUTH)
    assert all(name in str(error.value) for name in names)


def test_wrong_annotations_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answers"):
        benchmark().score("raw", FILES / "results_raw.json", FILES / "v2_OpenEnded_mscoco_val2014_questions.json")
    with pytest.raises(UserError, match="--annotations"):
        benchmark().score("raw", FILES / "results_raw.json", None)
    twice = json.loads(TRUTH.read_text(encoding="utf-8"))
    twice["annotations"].append(twice["annotations"][0])
    with pytest.raises(UserError, match="1000 twice"):
        benchmark().score("raw", FILES / "results_raw.json", written(tmp_path / "a.json", twice))
    with pytest.raises(UserError, match="several files"):
        benchmark().score("raw", FILES, TRUTH)


def test_rows_of_a_data_set_are_annotations(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    rows = json.loads(TRUTH.read_text(encoding="utf-8"))["annotations"]
    parquet.write_table(pyarrow.Table.from_pylist([{**row, "image": b"x"} for row in rows]), tmp_path / "val.parquet")
    card = benchmark().score("raw", FILES / "results_raw.json", tmp_path / "val.parquet")
    assert card.details == OFFICIAL["raw_predictions"]


def reference(said: str, answers: Sequence[str]) -> float:
    """The accuracy by subsets: the mean over all nines of people of min(1, matches / 3)."""
    nines = list(itertools.combinations(answers, 9))
    return sum(min(1.0, nine.count(said) / 3) for nine in nines) / len(nines)


def test_random_words_against_the_definition() -> None:
    chance = random.Random(3)
    words = ["cat", "dog", "2", "don't", "red car", "north"]
    for _ in range(200):
        people = [chance.choice(words) for _ in range(10)]
        said = chance.choice(words)
        assert judge_official(said, truth(*people))[1] == pytest.approx(reference(said, people), abs=1e-12)


class Told:
    """A model that says what is written down."""

    def __init__(self, answers: Mapping[str, str], protocol: str, data: Path, folder: Path, limit: int | None) -> None:
        self.answers, self.protocol, self.data, self.folder, self.limit = answers, protocol, data, folder, limit
        self.session, self.seed, self.asked = SimpleNamespace(), 0, list[Question]()

    def answer(
        self, name: str, questions: Sequence[Question], *, max_new_tokens: int, system: str | None = None
    ) -> list[str]:
        self.asked = list(questions)
        return [self.answers[question.id] for question in questions]


@pytest.mark.parametrize("limit", [None, 5])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_scored_again_from_its_files(protocol: str, limit: int | None, tmp_path: Path) -> None:
    said = {str(one["question_id"]): one["answer"] for one in raw()}
    work: Any = Told(said, protocol, FILES, tmp_path / "run", limit)
    card = benchmark().run(work)
    again = benchmark().score(protocol, tmp_path / "run/results.json", tmp_path / "run/annotations.json")
    assert (card.items, card.scores, card.details) == (again.items, again.scores, again.details)
    assert card.items == benchmark().score(protocol, FILES / "results_raw.json", TRUTH).items[:limit]
    assert work.asked[0].text == "Is it raining?\nAnswer the question using a single word or phrase."
    assert work.asked[3].images == (FILES / "val2014/COCO_val2014_000000000002.jpg",)


def test_a_test_split_is_written_for_the_server(tmp_path: Path) -> None:
    questions = json.loads((FILES / "v2_OpenEnded_mscoco_val2014_questions.json").read_text(encoding="utf-8"))
    questions["data_subtype"] = "test-dev2015"
    written(tmp_path / "v2_OpenEnded_mscoco_test-dev2015_questions.json", questions)
    said = {str(one["question_id"]): one["answer"] for one in raw()}
    work: Any = Told(said, "llava-normalised", tmp_path, tmp_path / "run", None)
    card = benchmark(split="test-dev2015", prompts="janus").run(work)
    assert card.scores == []
    assert "evalai.json" in card.warnings[0]
    assert work.asked[0].images == (tmp_path / "test2015/COCO_test2015_000000000001.jpg",)
    upload = json.loads((tmp_path / "run/evalai.json").read_text(encoding="utf-8"))
    assert upload == json.loads((FILES / "results_llava_normalised.json").read_text(encoding="utf-8"))
