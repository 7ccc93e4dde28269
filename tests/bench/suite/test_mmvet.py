"""MM-Vet against the official evaluator with scripted replies, its traps, broken files, and graded runs."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from janus_bench.judges.judge import Reply, Request
from janus_bench.judges.recorded import RecordedReplies
from janus_bench.suite.mmvet.benchmark import JANUS_SYSTEM, MMVet
from janus_bench.suite.mmvet.files import read_questions
from janus_bench.suite.mmvet.grade import grade, read_grade
from janus_bench.suite.mmvet.options import MMVetOptions
from janus_bench.suite.mmvet.prompt import AGAIN
from janus_core.errors import UserError
from janus_core.interfaces import Question

FILES = Path(__file__).parents[2] / "fixtures/evaluation/mmvet"
QUESTIONS = FILES / "mm-vet.json"
ANSWERS = FILES / "results/model.json"
GRADES = FILES / "grading/model_gpt-4-0613-grade-2runs.json"
REPLIES = FILES / "judge_replies.json"
OFFICIAL = json.loads((FILES / "official_output.json").read_text(encoding="utf-8"))
PROTOCOLS = ("gpt4", "gpt4-repaired")


def benchmark(**options: Any) -> MMVet:
    return MMVet(MMVetOptions(**options))


def recorded(out: Path | None = None, **options: Any) -> MMVet:
    judge = {"type": "replies", "file": str(REPLIES)}
    return benchmark(**{"judge": judge, "runs": 2, "out": None if out is None else str(out), **options})


def grades() -> dict[str, dict[str, list[Any]]]:
    return dict(json.loads(GRADES.read_text(encoding="utf-8")))


def written(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def by_set(table: Mapping[str, str]) -> dict[frozenset[str], str]:
    """Names of sets of capabilities change with PYTHONHASHSEED in the official code."""
    return {frozenset(name.split("_")): value for name, value in table.items()}


def test_grading_is_official(tmp_path: Path) -> None:
    card = recorded(tmp_path).score("gpt4", ANSWERS, QUESTIONS)
    assert card.details["grades"] == OFFICIAL["grades"]
    assert card.details["cap_score"] == OFFICIAL["cap_score"]
    assert by_set(card.details["cap_integration_score"]) == by_set(OFFICIAL["cap_integration_score"])
    for name in (GRADES.name, "model_gpt-4-0613-cap-score-2runs.csv"):
        assert (tmp_path / name).read_bytes() == (FILES / "grading" / name).read_bytes()
    names = "model_gpt-4-0613-cap-int-score-2runs.csv"
    ours, theirs = ((folder / names).read_text().splitlines() for folder in (tmp_path, FILES / "grading"))
    assert sorted(ours[1].split(",")) == sorted(theirs[1].split(","))
    assert (card.warnings, card.stand_in, card.settings["runs"]) == ([], "", 2)
    assert card.settings["judge"] == "gpt-4-0613 as recorded in judge_replies.json"


def test_calls_are_official() -> None:
    class Watched:
        id = stand_in = ""

        def __init__(self) -> None:
            self.inner, self.asked = RecordedReplies(REPLIES, "gpt-4-0613"), list[Request]()

        def ask(self, request: Request) -> Reply:
            self.asked.append(request)
            return self.inner.ask(request)

    judge = Watched()
    grade(read_questions(QUESTIONS), json.loads(ANSWERS.read_text(encoding="utf-8")), judge, 2)
    expected = json.loads((FILES / "judge_calls.json").read_text(encoding="utf-8"))
    assert len(judge.asked) == len(expected) == 28
    for request, call in zip(judge.asked, expected, strict=True):
        assert request.name.startswith(f"{call['id']} ")
        assert (request.temperature, request.max_tokens) == (call["temperature"], call["max_tokens"])
        assert request.prompt.endswith(AGAIN) is call["suffix"]
        assert request.prompt.endswith(call["prompt_tail"])
    assert len({request.name for request in judge.asked}) == 28


def test_a_file_of_grades_is_the_offline_door() -> None:
    card = benchmark().score("gpt4", GRADES, QUESTIONS)
    assert card.details["cap_score"] == OFFICIAL["cap_score"]
    assert [item.facts["grades"] for item in card.items] == [one["score"] for one in OFFICIAL["grades"].values()]
    assert {item.id: item.status for item in card.items}["v1_7"] == "unparsed"
    assert benchmark().score("gpt4", FILES / "grading", FILES).items == card.items
    once = benchmark(runs=1).score("gpt4", GRADES, QUESTIONS)
    assert (once.details["cap_score"]["total"], once.details["cap_score"]["std"]) == ("59.0", "0.0")
    assert card.settings["judge models"] == ["gpt-4-0613"]


def test_scores_against_another_way() -> None:
    card = benchmark().score("gpt4", GRADES, QUESTIONS)
    questions = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    each = {name: one["score"] for name, one in grades().items()}
    for score in card.scores:
        part = [name for name, one in questions.items() if score.name in ("total", *one["capability"])]
        assert score.total == len(part)
        assert score.value == pytest.approx(statistics.mean(statistics.mean(each[name]) for name in part), abs=1e-12)
    assert [score.name for score in card.scores] == ["total", "rec", "ocr", "know", "gen", "spat", "math"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_follow_from_the_items(protocol: str) -> None:
    card = benchmark().score(protocol, GRADES, QUESTIONS)
    again = benchmark().aggregate(protocol, card.items)
    assert all(again[score.name] == score.value for score in card.scores)
    assert benchmark().aggregate(protocol, card.items * 3)["know"] == pytest.approx(again["know"], abs=1e-12)
    assert math.isnan(benchmark().aggregate(protocol, [])["total"])


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (".5", 0.5),
        ("0.", 0.0),
        ("1e0", 1.0),
        ("1.0 (right)", 1.0),
        ("0.8 ", 0.8),
        ("1.5", None),
        ("-1", None),
        ("Score: 0.2", None),
        (" 0.2", None),
        ("", None),
    ],
)
def test_replies(reply: str, expected: float | None) -> None:
    assert read_grade(reply) == read_grade(reply, repaired=True) == expected


def test_nan_poisons_every_mean_and_is_repaired(tmp_path: Path) -> None:
    given = grades()
    given["v1_1"] |= {"content": ["nan", "1.0"], "score": [math.nan, 1.0]}
    card = benchmark().score("gpt4", written(tmp_path / "g.json", given), QUESTIONS)
    values = {score.name: score.value for score in card.scores}
    assert math.isnan(values["total"])
    assert math.isnan(values["rec"])
    assert values["math"] == pytest.approx(0.725)
    assert (card.details["cap_score"]["total"], card.details["cap_score"]["math"]) == ("", "72.5")
    assert "v1_1" in card.warnings[0]
    mended = benchmark().score("gpt4-repaired", tmp_path / "g.json", QUESTIONS)
    assert mended.items[1].facts["grades"] == [0.0, 1.0]
    assert mended.items[1].status == "unparsed"
    assert math.isnan(read_grade("nan") or 0.0)
    assert read_grade("nan", repaired=True) is None


def test_repaired_grading() -> None:
    class Said:
        id = stand_in = ""

        def __init__(self, *replies: str) -> None:
            self.replies, self.asked = list(replies), list[Request]()

        def ask(self, request: Request) -> Reply:
            self.asked.append(request)
            return Reply(self.replies.pop(0), "m")

    one = {"v1_1": read_questions(QUESTIONS)["v1_1"]}
    official, mended = Said("nan"), Said("nan", "x", "x", "x", "x", "0.7")
    assert math.isnan(grade(one, {"v1_1": "a\nb | c"}, official, 1)["v1_1"].score[0])
    assert official.asked[0].prompt.endswith("| a\nb | c | ")
    assert grade(one, {"v1_1": "a\nb | c"}, mended, 1, repaired=True)["v1_1"].score == [0.7]
    assert mended.asked[0].prompt.endswith("| a b / c | ")
    sixth = Said(*["x"] * 5, "0.7")
    graded = grade(one, {"v1_1": "a"}, sixth, 1)["v1_1"]
    assert (graded.score, graded.content) == ([0.0], ["0.7"])


def test_missing_extra_and_repeated_answers(tmp_path: Path) -> None:
    said = json.loads(ANSWERS.read_text(encoding="utf-8"))
    del said["v1_0"]
    text = json.dumps(said | {"v1_99": "x"})[:-1] + ', "v1_2": "No entry"}'
    (tmp_path / "model.json").write_text(text, encoding="utf-8")
    card = benchmark(judge={"type": "rule"}).score("gpt4", tmp_path / "model.json", QUESTIONS)
    assert (card.items[0].status, card.items[0].score, card.scores[0].total) == ("missing", 0.0, 10)
    assert card.items[2].score == 1.0
    for name, warning in zip(("v1_0", "v1_99", "v1_2", "rule-judge"), card.warnings, strict=True):
        assert name in warning
    assert card.stand_in
    kept = benchmark().score("gpt4", tmp_path / "model_rule-judge-grade-1runs.json", QUESTIONS)
    assert kept.stand_in
    assert kept.items == card.items


def test_order_changes_nothing(tmp_path: Path) -> None:
    said = dict(reversed(json.loads(ANSWERS.read_text(encoding="utf-8")).items()))
    lines = [json.dumps({"question_id": name.removeprefix("v1_"), "text": text}) for name, text in said.items()]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    expected = recorded(tmp_path / "a").score("gpt4", ANSWERS, QUESTIONS).items
    assert recorded(tmp_path / "b").score("gpt4", tmp_path / "answers.jsonl", QUESTIONS).items == expected
    assert recorded(tmp_path / "c").score("gpt4", written(tmp_path / "m.json", said), QUESTIONS).items == expected
    file = written(tmp_path / "g.json", dict(reversed(grades().items())))
    assert benchmark().score("gpt4", file, QUESTIONS).items == expected


def test_grades_that_lack_or_exceed(tmp_path: Path) -> None:
    given = grades()
    del given["v1_0"]
    given["v1_99"] = given["v1_1"]
    card = benchmark().score("gpt4", written(tmp_path / "g.json", given), QUESTIONS)
    assert "v1_99" in card.warnings[0]
    assert "v1_0" in card.warnings[1]
    assert card.items[0].status == "missing"
    assert card.scores[0].value == pytest.approx(0.52)
    given["v1_1"] = {"model": ["m"], "content": ["1"], "score": [1.0]}
    with pytest.raises(UserError, match=r"v1_1 have fewer than 2[\s\S]*runs=1"):
        benchmark().score("gpt4", written(tmp_path / "g.json", given), QUESTIONS)


@pytest.mark.parametrize("score", [1.5, -0.1, "1", None, True])
def test_malformed_grades_are_named(score: Any, tmp_path: Path) -> None:
    given = grades()
    given["v1_4"]["score"][1] = score
    with pytest.raises(UserError, match="v1_4"):
        benchmark().score("gpt4", written(tmp_path / "g.json", given), QUESTIONS)


def test_wrong_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--annotations"):
        benchmark().score("gpt4", GRADES, None)
    with pytest.raises(UserError, match=r"without grades[\s\S]*judge\.type"):
        benchmark().score("gpt4", ANSWERS, QUESTIONS)
    with pytest.raises(UserError, match="v1_0"):
        benchmark(judge={"type": "rule"}).score("gpt4", written(tmp_path / "m.json", {"v1_0": 3}), QUESTIONS)
    questions = json.loads(QUESTIONS.read_text(encoding="utf-8"))
    del questions["v1_3"]["capability"]
    with pytest.raises(UserError, match="v1_3.*capability"):
        benchmark().score("gpt4", GRADES, written(tmp_path / "q.json", questions))


def test_grades_beside_the_answers_are_taken(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(ANSWERS.read_bytes())
    (tmp_path / GRADES.name).write_bytes(GRADES.read_bytes())
    card = benchmark().score("gpt4", tmp_path / "model.json", QUESTIONS)
    assert card.details["cap_score"] == OFFICIAL["cap_score"]
    assert GRADES.name in card.warnings[0]


def test_rows_of_a_data_set_are_questions(tmp_path: Path) -> None:
    rows = [
        {"question_id": name, **one, "capability": ",".join(one["capability"])}
        for name, one in json.loads(QUESTIONS.read_text(encoding="utf-8")).items()
    ]
    card = benchmark().score("gpt4", GRADES, written(tmp_path / "rows.json", rows))
    assert card.details["cap_score"] == OFFICIAL["cap_score"]


class Told:
    """A model that says what is written down."""

    def __init__(self, answers: Mapping[str, str], protocol: str, data: Path, folder: Path, limit: int | None) -> None:
        self.answers, self.protocol, self.data, self.folder, self.limit = answers, protocol, data, folder, limit
        self.session, self.seed, self.asked = SimpleNamespace(), 0, list[Question]()

    def answer(
        self, name: str, questions: Sequence[Question], *, max_new_tokens: int, system: str | None = None
    ) -> list[str]:
        self.asked, self.system = list(questions), system
        return [self.answers[question.id] for question in questions]


@pytest.mark.parametrize("limit", [None, 4])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_scored_again_from_its_files(protocol: str, limit: int | None, tmp_path: Path) -> None:
    said = json.loads(ANSWERS.read_text(encoding="utf-8"))
    work: Any = Told(said, protocol, FILES, tmp_path / "run", limit)
    card = recorded().run(work)
    again = benchmark().score(
        protocol, tmp_path / "run/model_gpt-4-0613-grade-2runs.json", tmp_path / "run/mm-vet.json"
    )
    assert (again.items, again.scores) == (card.items, card.scores)
    assert again.details == card.details
    if protocol == "gpt4":
        assert card.items == benchmark().score(protocol, GRADES, QUESTIONS).items[:limit]
    assert (work.asked[0].text, work.system) == ("What is x in the sum on the left?", JANUS_SYSTEM)
    assert work.asked[0].images == (FILES / "images/v1_0.png",)


def test_a_run_without_a_judge_keeps_its_answers(tmp_path: Path) -> None:
    said = json.loads(ANSWERS.read_text(encoding="utf-8"))
    work: Any = Told(said, "gpt4", FILES, tmp_path / "run", None)
    card = benchmark(prompts="llava").run(work)
    assert (card.scores, card.items, work.system) == ([], [], None)
    assert "not graded yet" in card.warnings[0]
    assert json.loads((tmp_path / "run/model.json").read_text(encoding="utf-8")) == said
