"""MMBench against its official outputs, and its tables in every state that files come in."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from janus_bench.suite.choices import infer
from janus_bench.suite.mmbench.benchmark import Mmbench, build
from janus_bench.suite.mmbench.options import MmbenchOptions
from janus_bench.suite.mmbench.spec import SPEC
from janus_bench.suite.tables import as_pandas, read_table
from janus_bench.suite.xlsx import read_xlsx, write_xlsx
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext
from janus_core.scores import ScoreCard

PROTOCOLS = [protocol.name for protocol in SPEC.protocols]
OFFICIAL = {"circular": "circular_eval", "vanilla": "vanilla_first_pass(index<1e6)"}
Table = list[dict[str, str]]


@pytest.fixture
def mmbench() -> Mmbench:
    return build(MmbenchOptions(), BuildContext())


@pytest.fixture
def files(evaluation: Path) -> Path:
    return evaluation / "mmbench"


@pytest.fixture
def table(files: Path) -> Table:
    return read_table(files / "predictions.tsv")


def write(path: Path, table: Table) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(table)
    return path


def values(card: ScoreCard) -> dict[str, float]:
    return {score.name: score.value for score in card.scores}


@pytest.mark.parametrize("kind", ["tsv", "xlsx", "jsonl"])
@pytest.mark.parametrize("protocol", OFFICIAL)
def test_official_numbers(mmbench: Mmbench, files: Path, kind: str, protocol: str) -> None:
    official = json.loads((files / "official_output.json").read_text())[OFFICIAL[protocol]]
    card = mmbench.score(protocol, files / f"predictions.{kind}", files)
    assert card.details["acc"] == values(card) == official["acc"]
    assert card.details["per_question"] == official["per_question"]
    assert {item.id: item.score for item in card.items} == {k: v["hit"] for k, v in official["per_question"].items()}
    assert not card.warnings and card.unparsed == 4
    assert card.scores[0].name == "Overall" and card.scores[0].correct == {"circular": 6, "vanilla": 7}[protocol]


def test_circular_tells_the_vanilla_numbers_too(mmbench: Mmbench, files: Path) -> None:
    card = mmbench.score("circular", files / "predictions.tsv", files)
    assert card.details["vanilla_0"]["Overall"] == 7 / 11
    assert card.details["vanilla_all"]["Overall"] == 32 / 40
    assert PROTOCOLS[0] == "vanilla" and card.scores[0].baselines["chance"] < 0.05


LETTERS = {"A": "cat", "B": "catfish", "C": "dog", "D": "bird"}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("(C)", "C"),
        ("D.", "D"),
        ("b", None),
        ("A dog", "A"),
        ("A or B", None),
        ("a dog", "C"),
        ("catfish", None),
        ("cat", "A"),
        ("Z", "Z"),
        ("I can't process this file.", "Z"),
        ("Cannot determine the answer, C", "Z"),
        ("A b c d e", None),
        ("x A b c d e", None),
        ("A b c d", "A"),
        ("The answer is **C**, not A", "C"),
        ("the answer is a fish", "A"),
        ("The correct answer is dog, not B or C", "D"),
        ("Failed to obtain answer via API B", None),
        ("it is a dog " * 9, None),
        ("E", None),
        ("否", None),
        ("", None),
    ],
)
def test_traps_of_matching(answer: str, letter: str | None) -> None:
    assert infer(answer, LETTERS) == letter


def test_pandas_reads_cells_so() -> None:
    """What pandas 3.1 makes of columns; the cells were put through ``read_csv`` and ``read_excel`` there."""
    assert as_pandas(["None", "N/A", "nan", "", "none", " nan"]) == [None, None, None, None, "none", " nan"]
    assert as_pandas(["4", "007"]) == ["4", "7"]
    assert as_pandas(["4", ""]) == ["4.0", None]
    assert as_pandas(["4", "0.5"]) == ["4.0", "0.5"]
    assert as_pandas(["4", "cat"]) == ["4", "cat"]


@pytest.fixture
def nothing(tmp_path: Path) -> Path:
    """Two questions whose options pandas takes for missing, and their answers."""
    head = {"hint": "", "category": "c", "l2-category": "logic_reasoning", "split": "dev", "image": "x"}
    rows = [
        {"index": "1", "question": "Is it?", "A": "None", "B": "dog", "answer": "A", "prediction": "None"} | head,
        {"index": "1000001", "question": "Is it?", "A": "dog", "B": "None", "answer": "B", "prediction": "B"} | head,
        {"index": "2", "question": "Who?", "A": "an ox", "B": "an", "answer": "B", "prediction": ""} | head,
        {"index": "1000002", "question": "Who?", "A": "an", "B": "an ox", "answer": "A", "prediction": "an."} | head,
    ]
    write(tmp_path / "mmbench.tsv", [{k: v for k, v in row.items() if k != "prediction"} for row in rows])
    write(tmp_path / "predictions.tsv", rows)
    return tmp_path


def test_options_that_pandas_takes_for_missing(mmbench: Mmbench, nothing: Path) -> None:
    official = mmbench.score("vanilla", nothing / "predictions.tsv", nothing)
    # the option "None" is gone and so is the answer; a blank answer becomes "nan", which has "an" in it
    assert [(item.parsed, item.score, item.status) for item in official.items] == [
        (None, 0.0, "unparsed"),
        ("B", 1.0, "unparsed"),
    ]
    repaired = mmbench.score("vanilla-repaired", nothing / "predictions.tsv", nothing)
    assert repaired.protocol == "mmbench@vanilla-repaired"
    assert [(item.parsed, item.score, item.status) for item in repaired.items] == [
        ("A", 1.0, "scored"),
        (None, 0.0, "unparsed"),
    ]
    circular = mmbench.score("circular", nothing / "predictions.tsv", nothing)
    assert values(circular)["Overall"] == 0.5
    assert values(mmbench.score("circular-repaired", nothing / "predictions.tsv", nothing))["Overall"] == 0.5


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scores_come_from_the_items_alone(mmbench: Mmbench, files: Path, protocol: str) -> None:
    card = mmbench.score(protocol, files / "predictions.tsv", files)
    assert dict(mmbench.aggregate(protocol, card.items)) == values(card)
    doubled = [item for item in reversed(card.items) for _ in range(2)]
    assert dict(mmbench.aggregate(protocol, doubled)) == values(card)
    assert len({item.cluster for item in card.items}) == len(card.items) == 11


@pytest.mark.parametrize("seed", range(6))
def test_random_sets(mmbench: Mmbench, tmp_path: Path, seed: int) -> None:
    """Letters only: a question is right if all of its letters are."""
    chance = random.Random(seed)
    rows, right = [], {}
    for question in range(1, 30):
        options = [f"option {n}" for n in range(chance.randint(2, 4))]
        truth = chance.randrange(len(options))
        for turn in range(len(options)):
            letter = "ABCD"[(truth - turn) % len(options)]
            said = chance.choice(["A", letter, f"({letter})", letter, "what?"])
            cells = dict(zip("ABCD", options[turn:] + options[:turn], strict=False))
            row = {
                "index": str(question + turn * 1000000),
                "question": "Which?",
                **{k: cells.get(k, "") for k in "ABCD"},
            }
            rows.append(row | {"answer": letter, "category": str(question % 3), "prediction": said})
            right.setdefault(question, []).append(said.strip("()") == letter)
    chance.shuffle(rows)
    given = write(tmp_path / "predictions.tsv", rows)
    circular = mmbench.score("circular", given, None)
    assert values(circular)["Overall"] == pytest.approx(sum(map(all, right.values())) / len(right), abs=1e-12)
    vanilla = mmbench.score("vanilla", given, None)
    assert values(vanilla)["Overall"] == pytest.approx(sum(r[0] for r in right.values()) / len(right), abs=1e-12)
    for name in "012":
        part = [all(hits) for question, hits in right.items() if str(question % 3) == name]
        assert values(circular)[name] == pytest.approx(sum(part) / len(part), abs=1e-12)


def test_order_does_not_matter(mmbench: Mmbench, files: Path, table: Table, tmp_path: Path) -> None:
    random.Random(1).shuffle(table)
    card = mmbench.score("circular", write(tmp_path / "a.tsv", table), files)
    assert card.items == mmbench.score("circular", files / "predictions.tsv", files).items


def test_missing_rows_are_wrong_and_named(mmbench: Mmbench, files: Path, table: Table, tmp_path: Path) -> None:
    fewer = [row for row in table if row["index"] not in ("1000241", "263")]
    card = mmbench.score("circular", write(tmp_path / "a.tsv", fewer), files)
    assert card.missing == 2 and "263, 1000241" in card.warnings[0] and len(card.items) == 11
    assert values(card)["Overall"] == 4 / 11
    card = mmbench.score("vanilla", tmp_path / "a.tsv", files)
    assert card.missing == 1 and values(card)["Overall"] == 6 / 11 and "1000241" not in card.warnings[0]


def test_extra_rows_are_named_and_not_scored(mmbench: Mmbench, files: Path, table: Table, tmp_path: Path) -> None:
    given = write(tmp_path / "a.tsv", [*table, table[0] | {"index": "999"}])
    for protocol in PROTOCOLS:
        card = mmbench.score(protocol, given, files)
        assert values(card) == values(mmbench.score(protocol, files / "predictions.tsv", files))
        assert len(card.warnings) == 1 and "999" in card.warnings[0]


def test_a_row_given_twice(mmbench: Mmbench, files: Path, table: Table, tmp_path: Path) -> None:
    card = mmbench.score("circular", write(tmp_path / "a.tsv", [*table, table[3]]), files)
    assert values(card) == values(mmbench.score("circular", files / "predictions.tsv", files))
    assert table[3]["index"] in card.warnings[0]
    with pytest.raises(UserError, match="answers 1000252 twice and differently"):
        mmbench.score("circular", write(tmp_path / "b.tsv", [*table, table[3] | {"prediction": "D"}]), files)
    # LLaVA's converter lets the last line of a question win
    lines = (files / "predictions.jsonl").read_text().splitlines()
    (tmp_path / "c.jsonl").write_text("\n".join([*lines, '{"question_id": 241, "text": "B"}']))
    card = mmbench.score("vanilla", tmp_path / "c.jsonl", files)
    assert values(card)["Overall"] == 6 / 11 and "241" in card.warnings[0]


def test_other_options_than_the_annotations_are_told(
    mmbench: Mmbench, files: Path, table: Table, tmp_path: Path
) -> None:
    table[2] |= {"A": "coarse"}
    card = mmbench.score("vanilla", write(tmp_path / "a.tsv", table), files)
    assert "1 rows differ" in card.warnings[0] and "252" in card.warnings[0]


def test_several_splits(mmbench: Mmbench, table: Table, tmp_path: Path) -> None:
    for row in table[:5]:
        row["split"] = "test"
    card = mmbench.score("vanilla", write(tmp_path / "a.tsv", table), None)
    assert {k: v["Overall"] for k, v in card.details["acc_per_split"].items()} == {"test": 1.0, "dev": 5 / 9}
    assert "acc_per_split" in card.warnings[0]


def test_rotations_that_are_not_there(mmbench: Mmbench, table: Table, tmp_path: Path) -> None:
    given = write(tmp_path / "a.tsv", [row for row in table if row["index"] not in ("1000241", "252")])
    card = mmbench.score("circular", given, None)
    assert len(card.items) == 10 and "rotations only" in card.warnings[0] and "252" in card.warnings[0]
    assert "fewer rotations" in card.warnings[1] and "241" in card.warnings[1]


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (lambda text: text.replace("1000241\t", "x1\t", 1), "row 3: index is 'x1'"),
        (lambda text: text.replace("prediction", "reply", 1), "no column 'prediction'"),
        (lambda text: text.replace("\tdev\tA\n", "\tdev\tA\tmore\n", 1), "row 2 has 15 cells for 14 columns"),
        (lambda text: "", "is empty"),
        (lambda text: text.replace("split", "hint", 1), "the column 'hint' twice"),
    ],
)
def test_malformed_tables(mmbench: Mmbench, files: Path, tmp_path: Path, by: Callable[[str], str], told: str) -> None:
    given = tmp_path / "a.tsv"
    given.write_text(by((files / "predictions.tsv").read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        mmbench.score("vanilla", given, files)


def test_annotations_that_cannot_be_used(mmbench: Mmbench, files: Path, table: Table, tmp_path: Path) -> None:
    predictions = files / "predictions.tsv"
    with pytest.raises(UserError, match="index 241 has no answer"):
        mmbench.score("vanilla", predictions, write(tmp_path / "a.tsv", [table[0] | {"answer": ""}]))
    with pytest.raises(UserError, match="the answer is 'AB'"):
        mmbench.score("vanilla", predictions, write(tmp_path / "a.tsv", [table[0] | {"answer": "AB"}]))
    with pytest.raises(UserError, match="index 241 stands twice"):
        mmbench.score("vanilla", predictions, write(tmp_path / "a.tsv", [table[0], table[0]]))
    with pytest.raises(UserError, match="below 1000000"):
        mmbench.score("vanilla", predictions, write(tmp_path / "a.tsv", [table[1]]))
    with pytest.raises(UserError, match="--annotations"):
        mmbench.score("vanilla", files / "predictions.jsonl", None)
    with pytest.raises(UserError, match="one table of MMBench"):
        mmbench.score("vanilla", predictions, tmp_path / "..")
    (tmp_path / "a.xlsx").write_text("no workbook")
    with pytest.raises(UserError, match="no Excel workbook"):
        mmbench.score("vanilla", tmp_path / "a.xlsx", files)


@pytest.mark.parametrize("protocol", ["vanilla", "circular"])
def test_a_run_writes_what_scores_the_same(
    mmbench: Mmbench, files: Path, table: Table, tmp_path: Path, fake_work: Any, protocol: str
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "mmbench_dev_en.tsv").write_bytes((files / "mmbench_dev_en.tsv").read_bytes())
    said = {row["index"]: row["prediction"] for row in table}
    work = fake_work(protocol, data, tmp_path / "run", lambda question: said[question.id])
    card = mmbench.run(work)
    assert card.items == mmbench.score(protocol, files / "predictions.tsv", files).items
    assert len(work.asked) == (40 if protocol == "circular" else 11)
    sizes = {Image.open(question.images[0]).size for question in work.asked}
    assert sizes == {(8, 8)}
    assert work.system == ("" if protocol == "vanilla" else None)
    again = mmbench.score(protocol, tmp_path / "run" / "predictions.tsv", data)
    assert (again.items, again.warnings) == (card.items, card.warnings)
    sheet = mmbench.score(protocol, tmp_path / "run" / "upload.xlsx", data)
    assert sheet.items == card.items
    short = mmbench.run(fake_work(protocol, data, tmp_path / "short", lambda question: said[question.id], 3))
    assert sum(len(item.parsed.split()) for item in short.items if item.parsed) == 3 and short.missing == 0


def test_the_hidden_part_gives_a_sheet_for_the_server(
    mmbench: Mmbench, files: Path, tmp_path: Path, fake_work: Any
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = [row | {"answer": "", "A": "None"} for row in read_table(files / "mmbench_dev_en.tsv")]
    write(data / "mmbench_test_en.tsv", rows)
    with pytest.raises(UserError, match="upload.xlsx"):
        mmbench.run(fake_work("vanilla", data, tmp_path / "run", lambda question: "=B\x01"))
    sheet = read_xlsx(tmp_path / "run" / "upload.xlsx")
    assert sheet[0] == ["index", "question", "A", "B", "C", "D", "prediction", "answer", "split"]
    assert sheet[1][:7] == ["241", "Which is the main topic?", "None", "surfing", "", "", "=B\x01"] and len(sheet) == 12


@pytest.mark.parametrize(
    ("style", "text"),
    [
        (
            "janus",
            "Hint: A passage about snow.\nWhich is the main topic?\nA. skiing\nB. surfing\n\n"
            "Answer with the option's letter from the given choices directly.",
        ),
        (
            "llava",
            "A passage about snow.\nWhich is the main topic?\nA. skiing\nB. surfing\n"
            "Answer with the option's letter from the given choices directly.",
        ),
        (
            "vlmevalkit",
            "Hint: A passage about snow.\nQuestion: Which is the main topic?\nOptions:\nA. skiing\nB. surfing\n"
            "Please select the correct answer from the options above. \n",
        ),
    ],
)
def test_prompts(files: Path, style: Any, text: str) -> None:
    asked = build(MmbenchOptions(prompts=style), BuildContext()).questions("vanilla", files)
    assert asked[0].text == text and asked[1].text.split("\n")[0] in (
        "What is the texture?",
        "Question: What is the texture?",
    )


def test_prompts_lack_what_pandas_takes_for_missing(nothing: Path) -> None:
    (nothing / "predictions.tsv").unlink()
    write(nothing / "mmbench.tsv", [row | {"image": "AAAA"} for row in read_table(nothing / "mmbench.tsv")])
    for style, protocol, options in (
        ("janus", "vanilla", ["B. dog"]),
        ("janus", "vanilla-repaired", ["A. None", "B. dog"]),
        ("llava", "vanilla-repaired", []),
    ):
        asked = build(MmbenchOptions(prompts=style), BuildContext()).questions(protocol, nothing)[0]
        assert [line for line in asked.text.split("\n") if line[1:3] == ". "] == options


def test_a_picture_that_is_none(mmbench: Mmbench, nothing: Path) -> None:
    (nothing / "predictions.tsv").unlink()
    with pytest.raises(UserError, match="index 1 has no picture"):
        mmbench.questions("vanilla", nothing)


def test_workbooks(tmp_path: Path) -> None:
    rows: list[list[str | int]] = [
        ["index", "A"],
        [7, "a & <b>\n  c\t"],
        [8, ""],
        [9, "_x0041_ \x02 café 否 \U0001f600"],
    ]
    write_xlsx(tmp_path / "a.xlsx", rows)
    assert read_xlsx(tmp_path / "a.xlsx") == [[str(cell) for cell in row] for row in rows]
    one = (tmp_path / "a.xlsx").read_bytes()
    write_xlsx(tmp_path / "a.xlsx", rows)
    assert (tmp_path / "a.xlsx").read_bytes() == one
    with pytest.raises(UserError, match="row 1"):
        write_xlsx(tmp_path / "b.xlsx", [["x" * 40000]])


def test_tables_keep_line_breaks_and_long_cells(tmp_path: Path) -> None:
    row = {"index": "1", "image": "A" * 200000, "A": 'a "b"\n\tc', "B": "\u2028"}
    assert read_table(write(tmp_path / "a.tsv", [row])) == [row]
    assert csv.field_size_limit() == 131072
