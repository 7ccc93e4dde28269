"""GQA against eval.py's output, its traps, broken files, and a run that is scored again."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from janus_bench.suite.gqa.benchmark import GQA
from janus_bench.suite.gqa.options import GQAOptions
from janus_bench.suite.gqa.score import distribution, llava_convert, repaired
from janus_bench.suite.gqa.spec import SPEC
from janus_core.errors import UserError
from janus_core.interfaces import Question
from janus_core.scores import ScoredItem

FILES = Path(__file__).parents[2] / "fixtures/evaluation/gqa"
QUESTIONS = FILES / "testdev_balanced_questions.json"
ANSWERS = FILES / "llava_answers.jsonl"
OFFICIAL = json.loads((FILES / "official_output.json").read_text(encoding="utf-8"))
PROTOCOLS = [one.name for one in SPEC.protocols]


def benchmark(**options: Any) -> GQA:
    return GQA(GQAOptions(**options))


def said() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]


def official(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"questionId": one["question_id"], "prediction": one["text"]} for one in answers]


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("protocol", "file", "route"),
    [
        ("llava", "llava_answers.jsonl", "llava_route"),
        ("llava", "testdev_balanced_predictions.json", "llava_route"),
        ("raw", "testdev_balanced_predictions.json", "llava_route"),
        ("raw", "llava_answers.jsonl", "raw_route_no_normalisation"),
    ],
)
def test_official_output(protocol: str, file: str, route: str) -> None:
    card = benchmark().score(protocol, FILES / file, QUESTIONS)
    assert {name: card.details[name] for name in OFFICIAL[route]} == OFFICIAL[route]
    assert card.warnings == []
    if route == "llava_route":
        assert {item.id: item.score for item in card.items} == OFFICIAL["per_item_correct_llava_route"]
        printed = (FILES / "official.stdout.txt").read_text(encoding="utf-8").partition("Loading predictions...\n")[2]
        assert "\n".join(card.details["stdout"]).strip() == printed.strip()
        assert card.details["Accuracy / structural type"]["query"] == {"accuracy": 44.44, "questions": 9}
    assert card.scores[0].name == "accuracy"
    assert {item.id: item.cluster for item in card.items}["200001"] == "image n2000000"


def test_exact_ratios() -> None:
    card = benchmark().score("llava", ANSWERS, QUESTIONS)
    exact = {"accuracy": 7 / 15, "binary": 3 / 6, "open": 4 / 9, "validity": 8 / 15, "plausibility": 7 / 15}
    values = {score.name: score.value for score in card.scores}
    assert {name: values[name] for name in exact} == pytest.approx(exact, abs=1e-12)
    assert values["distribution"] == pytest.approx(6 / 9 / 100, abs=1e-12)
    assert [score.correct for score in card.scores[:3]] == [7, 3, 4]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_follow_from_the_items(protocol: str) -> None:
    card = benchmark().score(protocol, ANSWERS, QUESTIONS)
    again = benchmark().aggregate(protocol, card.items)
    assert all(again[score.name] == score.value for score in card.scores)
    thrice = benchmark().aggregate(protocol, card.items * 3)
    assert thrice["accuracy"] == pytest.approx(again["accuracy"], abs=1e-12)
    # chi-square of counts grows with the counts
    assert thrice["distribution"] == pytest.approx(again["distribution"] * 3, abs=1e-12)
    assert math.isnan(benchmark().aggregate(protocol, [])["accuracy"])


@pytest.mark.parametrize(
    ("text", "llava", "mended"),
    [
        ("Right ", "right ", "right"),
        ("left..", "left", "left"),
        ("Overcast!", "overcast!", "overcast"),
        ("Ｌarge", "ｌarge", "large"),
        ("a cup", "a cup", "a cup"),
        ("", "", ""),
    ],
)
def test_conversions(text: str, llava: str, mended: str) -> None:
    assert (llava_convert(text), repaired(text)) == (llava, mended)
    assert llava_convert(llava) == llava


def test_repaired_mends_what_is_documented() -> None:
    card = benchmark().score("repaired", ANSWERS, QUESTIONS)
    assert {item.id for item in card.items if not item.score} == {"200003", "200004", "200008", "200009", "200013"}
    assert card.details["repaired"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_order_changes_nothing(protocol: str, tmp_path: Path) -> None:
    answers = said()
    random.Random(1).shuffle(answers)
    file = written(tmp_path / "testdev_balanced_predictions.json", official(answers))
    assert benchmark().score(protocol, file, FILES).items == benchmark().score(protocol, ANSWERS, QUESTIONS).items


def test_missing_extra_repeated_and_blank(tmp_path: Path) -> None:
    answers = [*said()[1:], {"question_id": "9", "text": "x"}, {"question_id": "200001", "text": "yes"}]
    card = benchmark().score("llava", written(tmp_path / "p.json", official(answers)), QUESTIONS)
    assert (card.items[0].status, card.items[0].score, card.items[0].facts["valid"]) == ("missing", 0.0, 0)
    assert card.items[1].score == 0.0
    assert [name in warning for name, warning in zip(("200000", "9", "200001"), card.warnings, strict=True)] == [
        True
    ] * 3
    assert (card.scores[0].total, card.missing, card.unparsed) == (15, 1, 1)


def test_without_choices(tmp_path: Path) -> None:
    alone = tmp_path / "testdev_balanced_questions.json"
    alone.write_bytes(QUESTIONS.read_bytes())
    card = benchmark().score("llava", ANSWERS, alone)
    assert [score.name for score in card.scores] == ["accuracy", "binary", "open", "distribution"]
    assert (card.details["validity"], card.details["plausibility"]) == (0.0, 0.0)
    assert "choices" in card.warnings[0]
    written(tmp_path / "testdev_balanced_choices.json", {"200000": {"valid": ["yes"], "plausible": []}})
    card = benchmark().score("llava", ANSWERS, alone)
    assert "KeyError" in card.warnings[0]
    assert {score.name: score.correct for score in card.scores}["validity"] == 1


def test_common_questions_take_kinds_for_answers(tmp_path: Path) -> None:
    whole = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    whole["200000"]["types"]["detailed"] = "twoCommon"
    (tmp_path / "testdev_balanced_choices.json").write_bytes((FILES / "testdev_balanced_choices.json").read_bytes())
    answers = [{**one, "text": "shape"} if one["question_id"] == "200000" else one for one in said()]
    card = benchmark().score(
        "llava",
        written(tmp_path / "p.json", official(answers)),
        written(tmp_path / "testdev_balanced_questions.json", whole),
    )
    assert (card.items[0].facts["valid"], card.items[0].facts["plausible"]) == (1, 1)


def test_consistency(tmp_path: Path) -> None:
    whole = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    whole["200000"]["entailed"] = ["200000", "200001", "200014"]
    whole["200008"]["entailed"] = ["200001"]
    whole["200001"]["entailed"] = ["gone"]
    card = benchmark(consistency=True).score("llava", ANSWERS, written(tmp_path / "q_questions.json", whole))
    values = {score.name: score.value for score in card.scores}
    assert values["consistency"] == 0.5
    assert any("200001" in warning for warning in card.warnings)
    assert "Consistency: 50.00%" in card.details["stdout"]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ('[{"questionId": "200000"}]', ["item 1", "200000", "prediction"]),
        ('[{"questionId": "200000", "prediction": null}]', ["item 1", "200000", "None"]),
        ('{"question_id": "200000", "text": "x"}\nno', ["line 2"]),
        ("[", ["JSON"]),
    ],
)
def test_malformed_predictions_are_named(content: str, names: list[str], tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        benchmark().score("llava", tmp_path / "p.json", QUESTIONS)
    assert all(name in str(error.value) for name in names)


def test_wrong_questions_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--annotations"):
        benchmark().score("llava", ANSWERS, None)
    whole = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    del whole["200002"]["types"]["structural"]
    with pytest.raises(UserError, match="200002.*structural"):
        benchmark().score("llava", ANSWERS, written(tmp_path / "q.json", whole))
    none = {name: {**one, "isBalanced": False} for name, one in json.loads(QUESTIONS.read_text("utf-8")).items()}
    with pytest.raises(UserError, match="balanced"):
        benchmark().score("llava", ANSWERS, written(tmp_path / "q.json", none))


def test_rows_of_a_data_set_are_questions(tmp_path: Path) -> None:
    rows = [{"id": name, **one} for name, one in json.loads(QUESTIONS.read_text(encoding="utf-8")).items()]
    card = benchmark().score("llava", ANSWERS, written(tmp_path / "rows.json", rows))
    assert card.scores[0].correct == 7


def test_distribution_against_another_way() -> None:
    chance = random.Random(4)
    for _ in range(100):
        rows = [(chance.choice("xyz"), chance.choice("abc"), chance.choice("abcd")) for _ in range(30)]
        items = [ScoredItem(str(n), "c", 0.0, p, facts={"group": g, "gold": t}) for n, (g, t, p) in enumerate(rows)]
        expected = 0.0
        for group in "xyz":
            gold = Counter(t for g, t, _ in rows if g == group)
            given = Counter(p for g, _, p in rows if g == group)
            square = sum((given[answer] - count) ** 2 / count for answer, count in gold.items())
            expected += square * gold.total() / len(rows) / 100
        assert distribution(items) == pytest.approx(expected, abs=1e-12)


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


@pytest.mark.parametrize("limit", [None, 6])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_scored_again_from_its_files(protocol: str, limit: int | None, tmp_path: Path) -> None:
    answers = {one["question_id"]: one["text"] for one in said()}
    work: Any = Told(answers, protocol, FILES, tmp_path / "run", limit)
    card = benchmark().run(work)
    again = benchmark().score(protocol, tmp_path / "run/answers.jsonl", tmp_path / "run")
    assert (card.items, card.scores, card.details) == (again.items, again.scores, again.details)
    assert card.items == benchmark().score(protocol, ANSWERS, QUESTIONS).items[:limit]
    # what eval.py would be given says the same under raw
    other = benchmark().score("raw", tmp_path / "run/testdev_balanced_predictions.json", tmp_path / "run")
    assert protocol == "repaired" or other.scores == card.scores
    assert work.asked[0].text == "Is the sky clear?\nAnswer the question using a single word or phrase."
    assert work.asked[0].images == (FILES / "images/n2000000.jpg",)
