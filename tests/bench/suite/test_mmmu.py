"""MMMU against the official programs' output, their traps, broken files, and a run that is scored again."""

from __future__ import annotations

import io
import json
import math
import os
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from janus_bench.suite.mmmu.benchmark import MMMU
from janus_bench.suite.mmmu.options import MMMUOptions
from janus_bench.suite.mmmu.parse import open_is_right, read_choice, read_open, repaired_choice, repaired_open
from janus_bench.suite.mmmu.spec import SPEC
from janus_bench.suite.mmmu.subjects import DOMAINS, SUBJECTS
from janus_core.errors import UserError
from janus_core.interfaces import Question

FILES = Path(__file__).parents[2] / "fixtures/evaluation/mmmu"
OUTPUTS = FILES / "model_outputs"
RESPONSES = FILES / "total_val_output_evalonly.json"
ANSWERS = FILES / "answer_dict_val.json"
OFFICIAL = json.loads((FILES / "official_output.json").read_text(encoding="utf-8"))
PROTOCOLS = [one.name for one in SPEC.protocols]
PUBLISHED = os.environ.get("JANUS_MMMU", "")
OPTIONS = {"A": "cat", "B": "catfish", "C": "a red dog", "D": "none"}


def benchmark(**options: Any) -> MMMU:
    return MMMU(MMMUOptions(**options))


def records() -> dict[str, list[dict[str, Any]]]:
    found = {}
    for file in sorted(OUTPUTS.glob("*/output.json")):
        found[file.parent.name] = json.loads(file.read_text(encoding="utf-8"))
    return found


def written(folder: Path, subjects: Mapping[str, Any]) -> Path:
    for subject, outputs in subjects.items():
        (folder / subject).mkdir(parents=True, exist_ok=True)
        (folder / subject / "output.json").write_text(json.dumps(outputs), encoding="utf-8")
    return folder


def responses() -> dict[str, str]:
    return dict(json.loads(RESPONSES.read_text(encoding="utf-8")))


def test_parse_and_eval_is_official() -> None:
    card = benchmark().score("parse", OUTPUTS, None)
    expected = OFFICIAL["parse_and_eval"]
    assert card.scores[0].value == pytest.approx(expected["overall_micro_acc"], abs=1e-12)
    assert (card.scores[0].correct, card.scores[0].total) == (20, expected["n"])
    assert card.details["per_subject"] == expected["per_subject"]
    seen = {one["id"]: {"judge": one["judge"], "parsed_pred": one["parsed_pred"]} for one in card.records}
    assert seen == expected["per_item"]
    fallback = next(value for name, value in expected.items() if name.startswith("random_fallback"))
    assert card.details["random_fallback_items"] == fallback
    assert card.warnings == []


def test_printed_table_is_official() -> None:
    card = benchmark().score("parse", OUTPUTS, ANSWERS)
    lines = (FILES / "print_results.stdout.txt").read_text(encoding="utf-8").splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert [[name, str(row["num"]), str(row["acc"])] for name, row in card.details["printed"].items()] == rows


def test_eval_only_is_official() -> None:
    card = benchmark().score("evalonly", RESPONSES, ANSWERS)
    assert card.details["printed"] == OFFICIAL["eval_only"]
    assert card.scores[0].value == 0.5
    assert [item.status for item in card.items[:3]] == ["scored", "unparsed", "unparsed"]
    assert benchmark().score("evalonly", OUTPUTS, ANSWERS).items == card.items
    assert benchmark().score("evalonly", OUTPUTS, None).items == card.items


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_follow_from_the_items(protocol: str) -> None:
    card = benchmark().score(protocol, OUTPUTS, ANSWERS)
    again = benchmark().aggregate(protocol, card.items)
    assert all(again[score.name] == score.value for score in card.scores)
    assert benchmark().aggregate(protocol, card.items * 2)["Science"] == pytest.approx(again["Science"], abs=1e-12)
    assert math.isnan(benchmark().aggregate(protocol, [])["accuracy"])
    assert [score.name for score in card.scores] == ["accuracy", "Art and Design", "Business", "Science"]


def test_what_no_letter_is_worth() -> None:
    values = {name: benchmark().score(name, OUTPUTS, None) for name in ("parse", "parse-wrong", "parse-expected")}
    assert [card.unparsed for card in values.values()] == [5, 5, 5]  # four choices, one blank open response
    assert values["parse-wrong"].scores[0].correct == 19
    assert values["parse-expected"].scores[0].value == pytest.approx((19 + 4 / 4) / 26, abs=1e-12)
    assert values["parse-expected"].scores[0].correct is None


def test_the_letters_have_a_stream_of_their_own() -> None:
    first = benchmark().score("parse", OUTPUTS, None)
    random.seed(7)
    state = random.getstate()
    assert benchmark().score("parse", OUTPUTS, None).items == first.items
    assert random.getstate() == state


@pytest.mark.parametrize(
    ("response", "letter", "mended"),
    [
        ("B", "B", "B"),
        ("(A) is wrong, so it must be (B)", "B", "B"),
        ("Either A or D", "D", "D"),
        ("A picture of something that nobody knows", "A", "A"),
        ("I think that this is a red dog", "C", "C"),
        ("it could well be some kind of catfish", "A", "A"),
        ("B\n", None, "B"),
        ("b)", None, "B"),
        ("[B]", None, "B"),
        ("Answer:D", None, "D"),
        ("Ｄ", None, "D"),
        ("**C**", None, "C"),
        ("", None, None),
        ("catfish", None, None),
        ("'B',", "B", "B"),
    ],
)
def test_choices(response: str, letter: str | None, mended: str | None) -> None:
    assert read_choice(response, "ABCD", OPTIONS) == letter
    assert repaired_choice(response, "ABCD", OPTIONS) == mended


@pytest.mark.parametrize(
    ("response", "truth", "official", "mended"),
    [
        ("concatenate", "cat", True, False),
        ("It is unknown", "no", True, False),
        ("0.004", "1e-3", True, False),
        ("0.3333", "0.33", True, True),
        ("36 watts", "30", False, False),
        ("−3", "-3", False, True),
        ("8", "$8.00", False, True),
        ("7.5", "7.5%", False, True),
        ("x = 1,000", "1000", True, True),
        ("The answer is 30.", "30", True, True),
        ("so\nthe final answer is north", "north", True, True),
        ("", "3.2", False, False),
        ("x", "x", True, True),
        ("box", "x", False, False),
    ],
)
def test_open_answers(response: str, truth: str, official: bool, mended: bool) -> None:
    assert open_is_right(read_open(response), [truth]) is official
    assert repaired_open(response, [truth]) is mended


@pytest.mark.parametrize("protocol", [name for name in PROTOCOLS if name != "parse"])
def test_order_changes_nothing_but_random_letters(protocol: str, tmp_path: Path) -> None:
    shuffled = {subject: random.Random(2).sample(rows, len(rows)) for subject, rows in records().items()}
    card = benchmark().score(protocol, written(tmp_path, shuffled), None)
    first = {item.id: item for item in benchmark().score(protocol, OUTPUTS, None).items}
    assert {item.id: item for item in card.items} == first
    assert benchmark().aggregate(protocol, card.items)["accuracy"] == pytest.approx(
        sum(item.score or 0 for item in first.values()) / 26, abs=1e-12
    )


def test_a_file_out_of_order_is_told(tmp_path: Path) -> None:
    outputs = records()
    outputs["Biology"].reverse()
    card = benchmark().score("parse", written(tmp_path, outputs), None)
    assert "Biology" in card.warnings[0]


def test_missing_extra_and_repeated_responses(tmp_path: Path) -> None:
    said = responses()
    del said["validation_Accounting_1"]
    text = json.dumps(said | {"validation_Art_99": "A"})
    text = text[:-1] + ', "validation_Art_5": "D"}'
    (tmp_path / "total.json").write_text(text, encoding="utf-8")
    card = benchmark().score("evalonly", tmp_path / "total.json", ANSWERS)
    assert (card.items[0].id, card.items[0].status, card.items[0].score) == ("validation_Accounting_1", "missing", 0.0)
    for name, warning in zip(("Accounting_1", "Art_99", "Art_5"), card.warnings, strict=True):
        assert name in warning
    assert {item.id: item.score for item in card.items}["validation_Art_5"] == 1.0
    assert card.scores[0].total == 26


def test_missing_extra_and_repeated_outputs(tmp_path: Path) -> None:
    outputs = records()
    gone = outputs["Math"].pop()
    outputs["Math"].append({**outputs["Math"][0]})
    outputs["Physics"][0].pop("response")
    outputs["Music"] = []
    extra = {**outputs["Art"][0], "id": "validation_Art_77"}
    outputs["Art"].append(extra)
    outputs["Cooking"] = [{**extra, "id": "validation_Cooking_1"}]
    card = benchmark().score("parse", written(tmp_path, outputs), ANSWERS)
    told = "\n".join(card.warnings)
    for name in (gone["id"], "validation_Math_13", "validation_Physics_23", "Music", "validation_Art_77", "Cooking_1"):
        assert name in told
    by_id = {item.id: item for item in card.items}
    assert by_id[gone["id"]].status == "missing"
    assert by_id["validation_Physics_23"].status == "missing"
    assert "validation_Math_13 (2)" in by_id
    assert "validation_Art_77" not in by_id
    assert card.scores[0].total == 27


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ([{"question_type": "open"}], ["item 1", "'id'"]),
        ([{"id": "validation_Math_1", "question_type": "open", "response": "x"}], ["validation_Math_1", "answer"]),
        ([{"id": "validation_Math_1", "question_type": "open", "answer": "x", "response": 3}], ["Math_1", "response"]),
        (
            [{"id": "v_Math_1", "question_type": "multiple-choice", "answer": "A", "all_choices": []}],
            ["v_Math_1", "index2ans"],
        ),
        ({"id": 3}, ["list"]),
    ],
)
def test_malformed_outputs_are_named(content: Any, names: list[str], tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        benchmark().score("parse", written(tmp_path, {"Math": content}), None)
    assert all(name in str(error.value) for name in names)


def test_wrong_pairs_of_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without answers"):
        benchmark().score("evalonly", RESPONSES, None)
    with pytest.raises(UserError, match="no options"):
        benchmark().score("parse", RESPONSES, ANSWERS)
    with pytest.raises(UserError, match="ground_truth"):
        benchmark().score("evalonly", RESPONSES, RESPONSES)
    (tmp_path / "bad.json").write_text('{"validation_Math_1": 3}', encoding="utf-8")
    with pytest.raises(UserError, match="validation_Math_1"):
        benchmark().score("evalonly", tmp_path / "bad.json", ANSWERS)


def test_domains_hold_thirty_subjects() -> None:
    assert len(SUBJECTS) == len(set(SUBJECTS)) == 30
    assert len(DOMAINS) == 6


def rows(split: str = "validation") -> list[dict[str, Any]]:
    """The fixture as rows of the data set."""
    picture = io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, format="PNG")
    found = []
    for record in [one for subject in reversed(records().values()) for one in subject]:
        choice = record["question_type"] == "multiple-choice"
        row = {
            "id": record["id"].replace("validation", split),
            "question": f"Which of {record['id']}? <image 1>",
            "options": repr(list(record.get("index2ans", {}).values())),
            "answer": record["answer"] if isinstance(record["answer"], str) else repr(record["answer"]),
            "question_type": "multiple-choice" if choice else "open",
            "image_1": {"bytes": picture.getvalue(), "path": "x.png"},
            "image_2": {"bytes": picture.getvalue(), "path": "y.png"} if choice else None,
        }
        found.append(row | ({"answer": "?"} if split == "test" else {}))
    # the data set has one right letter a question
    return [row | ({"answer": "C"} if row["answer"] == "['A', 'C']" else {}) for row in found]


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


def parquet(folder: Path, split: str = "validation") -> Path:
    table = pytest.importorskip("pyarrow")
    files = pytest.importorskip("pyarrow.parquet")
    files.write_table(table.Table.from_pylist(rows(split)), folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_run_is_scored_again_from_its_files(protocol: str, tmp_path: Path) -> None:
    work: Any = Told(responses(), protocol, parquet(tmp_path), tmp_path / "run", None)
    card = benchmark().run(work)
    expected = benchmark().score(protocol, OUTPUTS if protocol != "evalonly" else RESPONSES, ANSWERS)
    assert [(i.id, i.score, i.parsed) for i in card.items] == [(i.id, i.score, i.parsed) for i in expected.items]
    assert card.warnings == []
    written_by_it = tmp_path / "run" / ("total_output.json" if protocol == "evalonly" else "outputs")
    again = benchmark().score(protocol, written_by_it, tmp_path / "run/answer_dict_validation.json")
    assert again.items == card.items
    from_rows = benchmark().score(protocol, tmp_path / "run/total_output.json", tmp_path)
    assert [item.score for item in from_rows.items] == [item.score for item in card.items]
    submitted = json.loads((tmp_path / "run/submission.json").read_text(encoding="utf-8"))
    assert (submitted["validation_Accounting_2"], submitted["validation_Math_13"]) == ("C", "36 watts")


def test_prompts(tmp_path: Path) -> None:
    work: Any = Told(responses(), "parse", parquet(tmp_path), tmp_path / "run", 15)
    card = benchmark().run(work)
    assert card.scores[0].total == 15
    assert work.asked[0].text == (
        "Which of validation_Accounting_1? <image 1>\nA. $63,020\nB. $58,410\nC. $71,320\nD. $77,490\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert work.asked[12].text == "Which of validation_Math_13? <image 1>\nAnswer the question directly. "
    assert work.system == ""
    assert [path.name for path in work.asked[0].images] == [f"validation_Accounting_1_{n}.png" for n in (1, 2)]
    assert Image.open(work.asked[0].images[0]).size == (4, 4)
    llava = benchmark(prompts="llava")
    asked = llava.questions("parse", tmp_path)
    assert asked[0].text == (
        "Which of validation_Accounting_1? <image 1>\n(A) $63,020\n(B) $58,410\n(C) $71,320\n(D) $77,490\n\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert asked[12].text.endswith("<image 1>\nAnswer the question using a single word or phrase.")
    assert (len(asked[0].images), llava.system("parse")) == (1, None)


def test_a_test_split_is_written_for_the_server(tmp_path: Path) -> None:
    said = {name.replace("validation", "test"): text for name, text in responses().items()}
    work: Any = Told(said, "parse", parquet(tmp_path, "test"), tmp_path / "run", None)
    card = benchmark(split="test").run(work)
    assert card.scores == []
    assert "submission.json" in card.warnings[0]
    submitted = json.loads((tmp_path / "run/submission.json").read_text(encoding="utf-8"))
    assert (submitted["test_Art_5"], submitted["test_Math_17"]) == ("D", "Two")


@pytest.mark.skipif(not PUBLISHED, reason="set JANUS_MMMU to the folder mmmu/ of MMMU-Benchmark/MMMU")
@pytest.mark.parametrize(("model", "accuracy"), [("llava1.5_13b", 0.367), ("qwen_vl", 0.361)])
def test_published_outputs(model: str, accuracy: float) -> None:
    folder = Path(PUBLISHED)
    card = benchmark().score("parse", folder / "example_outputs" / model, folder / "answer_dict_val.json")
    assert (card.scores[0].total, round(card.scores[0].value, 3)) == (900, accuracy)
