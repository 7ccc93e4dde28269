"""MME against its official outputs, and its results in every state that files come in."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from janus_bench.suite.mme.benchmark import Mme, build
from janus_bench.suite.mme.options import MmeOptions
from janus_bench.suite.mme.score import read_official, read_repaired
from janus_bench.suite.mme.spec import COGNITION, PERCEPTION, SIZES, SUBTASKS
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext
from janus_core.scores import ScoreCard


@pytest.fixture
def mme() -> Mme:
    return build(MmeOptions(), BuildContext())


@pytest.fixture
def results(evaluation: Path) -> Path:
    return evaluation / "mme" / "results"


@pytest.fixture
def spoilt(results: Path, tmp_path: Path) -> Path:
    """A copy of the results to change."""
    return Path(shutil.copytree(results, tmp_path / "spoilt"))


def values(card: ScoreCard) -> dict[str, float]:
    return {score.name: score.value for score in card.scores}


def change(path: Path, by: Callable[[list[str]], list[str]]) -> None:
    path.write_text("".join(by(path.read_text(encoding="utf-8").splitlines(keepends=True))), encoding="utf-8")


def test_official_numbers(mme: Mme, results: Path) -> None:
    official = json.loads((results.parent / "official_output.json").read_text())
    card = mme.score("official", results, None)
    assert card.details["MME_P_total"] == official["MME_P_total"] == values(card)["Perception"]
    assert card.details["MME_C_total"] == official["MME_C_total"] == values(card)["Cognition"]
    assert card.details["subtask_score"] == official["subtask_score"]
    assert card.details["per_item_parsed"] == official["per_item_parsed"]
    for name, wanted in official["subtask_detail"].items():
        found = card.details["subtask_detail"][name]
        assert {key: found[key] for key in wanted} == pytest.approx(wanted, abs=1e-12)
    assert [score.name for score in card.scores] == ["Perception", "Cognition", *SUBTASKS]
    assert card.protocol == "mme@official" and card.scores[0].unit == "points" and card.scores[0].total == 40
    assert len(card.warnings) == 1 and "not the released MME: existence 4 of 60" in card.warnings[0]
    assert not mme.score("official", results, results).warnings
    assert card.unparsed == sum(d["other_num"] for d in official["subtask_detail"].values())
    assert mme.score("official", results.parent, None).items == card.items


@pytest.mark.parametrize(
    ("response", "official", "repaired"),
    [
        ("Yes", "yes", "yes"),
        (" yes", "yes", "yes"),
        ("  yes", "other", "yes"),
        ("know", "no", "other"),
        ("noon", "no", "other"),
        ("none", "no", "other"),
        ("Not sure", "no", "other"),
        ("Eyes", "yes", "other"),
        ("**Yes**", "other", "yes"),
        ("**No**", "no", "no"),
        ('"Yes"', "yes", "yes"),
        ("y", "other", "other"),
        ("The answer is yes", "other", "yes"),
        ("no/yes", "no", "no"),
        ("", "other", "other"),
        ("Ｙｅｓ", "other", "other"),
        ("NO, yes", "no", "no"),
    ],
)
def test_traps_of_reading(response: str, official: str, repaired: str) -> None:
    assert (read_official(response), read_repaired(response)) == (official, repaired)


@pytest.mark.parametrize("seed", range(8))
def test_random_sets(mme: Mme, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    said = ["Yes", "No", "yes.", "NO", "", "know", "  Yes", "**Yes", "是", "Nein", "eyes", "no\u2028yes"]
    wanted = {}
    for name in SUBTASKS:
        rows, right = [], []
        for picture in range(chance.randint(1, 9)):
            for truth in chance.sample(["Yes", "No"], 2):
                answer = chance.choice(said)
                rows.append(f"{picture}.jpg\tIs it {truth}?\t{truth}\t{answer}\n")
                start = f"{answer.lower():4.4}"
                label = next((word for word in ("yes", "no") if word in start), "other")
                right.append(label == truth.lower())
        (tmp_path / f"{name}.txt").write_text("".join(rows), encoding="utf-8")
        both = [a and b for a, b in zip(right[::2], right[1::2], strict=True)]
        wanted[name] = 100 * sum(right) / len(right) + 100 * sum(both) / len(both)
    found = values(mme.score("official", tmp_path, None))
    assert {name: found[name] for name in SUBTASKS} == pytest.approx(wanted, abs=1e-9)
    assert found["Perception"] == pytest.approx(sum(wanted[name] for name in PERCEPTION), abs=1e-9)
    assert found["Cognition"] == pytest.approx(sum(wanted[name] for name in COGNITION), abs=1e-9)


@pytest.mark.parametrize("protocol", ["official", "repaired"])
def test_scores_come_from_the_items_alone(mme: Mme, results: Path, protocol: str) -> None:
    card = mme.score(protocol, results, None)
    assert dict(mme.aggregate(protocol, card.items)) == values(card)
    doubled = [item for item in reversed(card.items) for _ in range(3)]
    assert dict(mme.aggregate(protocol, doubled)) == pytest.approx(values(card))
    # a picture drawn twice and another not at all: both of its questions go together
    one, other = (card.items[n : n + 2] for n in (8, 10))
    assert {item.facts["subtask"] for item in (*one, *other)} == {"position"}
    again = [item for item in card.items if item not in other] + list(one)
    parts = [[item.score == 1 for item in one]] * 2
    share = sum(map(sum, parts)) / 4 + sum(map(all, parts)) / 2
    assert mme.aggregate(protocol, again)["position"] == pytest.approx(100 * share)


def test_repaired_reads_the_whole_answer(mme: Mme, results: Path) -> None:
    card = mme.score("repaired", results, None)
    assert card.protocol == "mme@repaired"
    assert card.details["per_item_parsed"]["numerical_calculation"] == ["yes", "no", "yes", "no"]
    assert card.details["per_item_parsed"]["celebrity"] == ["other"] * 4
    assert values(card)["landmark"] == 25 + 0


def test_shuffled_lines_give_the_same_and_are_told(mme: Mme, results: Path, spoilt: Path) -> None:
    before = mme.score("official", results, None)
    for name in ("posters", "OCR"):
        change(spoilt / f"{name}.txt", lambda lines: [lines[n] for n in (2, 1, 3, 0)])
    card = mme.score("official", spoilt, None)
    assert values(card) == values(before)
    assert len(card.warnings) == 2 and "posters, OCR" in card.warnings[0] and "every two lines" in card.warnings[0]


def test_a_missing_line_is_wrong(mme: Mme, spoilt: Path) -> None:
    change(spoilt / "existence.txt", lambda lines: lines[:1] + lines[2:])
    card = mme.score("official", spoilt, None)
    assert card.missing == 1 and "existence/open_existence_0000.jpg" in card.warnings[0]
    assert values(card)["existence"] == 75 + 50 and len(card.items) == 56
    last = next(item for item in card.items if item.status == "missing")
    assert (last.id, last.score, last.cluster) == (
        "existence/open_existence_0000.jpg#2",
        0,
        "existence/open_existence_0000.jpg",
    )


def test_a_missing_subtask_is_told(mme: Mme, results: Path, spoilt: Path) -> None:
    (spoilt / "OCR.txt").unlink()
    card = mme.score("official", spoilt, None)
    assert values(card)["Perception"] == 1250 - 200 and "OCR" not in values(card)
    assert "no answers for OCR" in card.warnings[0]
    known = mme.score("official", spoilt, results)
    assert known.missing == 4 and values(known)["OCR"] == 0 and "open_OCR_0000.jpg" in known.warnings[0]
    alone = mme.score("official", results / "code_reasoning.txt", None)
    assert values(alone) == {"Perception": 0, "Cognition": 200, "code_reasoning": 200}


def test_all_other_is_zero_and_told(mme: Mme, spoilt: Path) -> None:
    change(spoilt / "count.txt", lambda lines: [line.rpartition("\t")[0] + "\tperhaps\n" for line in lines])
    card = mme.score("official", spoilt, None)
    assert values(card)["count"] == 0 and "count" in card.warnings[0]
    assert card.details["subtask_detail"]["count"]["precision"] == 0


def test_tabs_and_line_breaks_in_a_response(mme: Mme, results: Path, spoilt: Path) -> None:
    change(spoilt / "count.txt", lambda lines: [lines[0].replace("YES, it", "YES,\tit"), *lines[1:]])
    change(spoilt / "color.txt", lambda lines: [lines[0], "\n", "and more\n", *lines[1:], "\n"])
    card = mme.score("official", spoilt, None)
    assert values(card) == values(mme.score("official", results, None))
    assert "count.txt, line 1" in card.warnings[0]
    assert all(f"color.txt, line {number}" in card.warnings[1] for number in (2, 3, 7))


def test_a_response_that_lost_its_tab_is_missing(mme: Mme, spoilt: Path) -> None:
    change(spoilt / "celebrity.txt", lambda lines: [lines[0].replace("\t\n", "\n"), *lines[1:]])
    card = mme.score("official", spoilt, None)
    assert card.missing == 1 and "celebrity.txt, line 1" in card.warnings[0]


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (lambda lines: ["one\tq\n", *lines], "scene.txt, line 1 is not an item"),
        (lambda lines: ["\n", *lines], "scene.txt, line 1 is not an item"),
        (lambda lines: [lines[0].replace("\tYes\t", "\tMaybe\t"), *lines[1:]], "line 1: what is right is 'Maybe'"),
        (lambda lines: [*lines, lines[0].replace("Yeah", "No")], "line 5 answers .* a second time and differently"),
    ],
)
def test_malformed_lines_are_named(mme: Mme, spoilt: Path, by: Callable[[list[str]], list[str]], told: str) -> None:
    change(spoilt / "scene.txt", by)
    with pytest.raises(UserError, match=told):
        mme.score("official", spoilt, None)


def test_a_line_that_stands_twice_counts_once(mme: Mme, results: Path, spoilt: Path) -> None:
    change(spoilt / "scene.txt", lambda lines: [*lines, lines[0]])
    card = mme.score("official", spoilt, None)
    assert values(card) == values(mme.score("official", results, None))
    assert "scene.txt, line 5" in card.warnings[0]


def test_extra_answers_and_other_truths(mme: Mme, results: Path, spoilt: Path) -> None:
    change(spoilt / "scene.txt", lambda lines: [*lines, "new.jpg\tIs it?\tYes\tYes\n", "new.jpg\tIs it so?\tNo\tNo\n"])
    card = mme.score("official", spoilt, results)
    assert values(card) == values(mme.score("official", results, None))
    assert "scene.txt, line 5" in card.warnings[0] and "scene.txt, line 6" in card.warnings[0]
    change(spoilt / "OCR.txt", lambda lines: [lines[0].replace("\tYes\t", "\tNo\t"), *lines[1:]])
    with pytest.raises(UserError, match="OCR.txt, line 1 says that no is right"):
        mme.score("official", spoilt, results)


def test_sizes_of_the_released_mme() -> None:
    assert sum(SIZES.values()) == 2374 and [len(PERCEPTION), len(COGNITION)] == [10, 4]


def test_nothing_to_read(mme: Mme, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no <subtask>.txt"):
        mme.score("official", tmp_path, None)
    (tmp_path / "notes.txt").write_text("a\tb\tYes\tYes\n")
    with pytest.raises(UserError, match="named after no subtask"):
        mme.score("official", tmp_path / "notes.txt", None)


def rows(results: Path) -> list[dict[str, str]]:
    found = []
    for name in SUBTASKS:
        for line in (results / f"{name}.txt").read_text(encoding="utf-8").splitlines():
            image, question, truth, response = line.split("\t")
            doc = {"question_id": f"{name}/{image}", "question": question, "answer": truth, "category": name}
            found.append(doc | {"response": response})
    return found


def test_files_of_other_toolkits(mme: Mme, results: Path, tmp_path: Path) -> None:
    wanted = mme.score("official", results, None).items
    lmms, llava, table = tmp_path / "samples.jsonl", tmp_path / "llava.jsonl", tmp_path / "m_MME.tsv"
    with lmms.open("w") as one, llava.open("w") as two, table.open("w", encoding="utf-8") as three:
        three.write("index\tquestion\tanswer\tcategory\timage_path\tprediction\n")
        for number, row in enumerate(rows(results)):
            text = row.pop("response")
            one.write(json.dumps({"doc_id": number, "doc": row, "resps": [[text]]}) + "\n")
            prompt = row["question"].replace(
                " Please answer yes or no.", "\nAnswer the question using a single word or phrase."
            )
            two.write(json.dumps({"question_id": row["question_id"], "prompt": prompt, "text": text}) + "\n")
            cells = [str(number), row["question"], row["answer"], row["category"], row["question_id"], text]
            three.write("\t".join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells) + "\n")
    assert mme.score("official", lmms, None).items == wanted
    assert mme.score("official", table, None).items == wanted
    assert mme.score("official", llava, results).items == wanted
    assert mme.score("official", llava, lmms_rows(results, tmp_path)).items == wanted
    with pytest.raises(UserError, match="--annotations"):
        mme.score("official", llava, None)


def lmms_rows(results: Path, folder: Path) -> Path:
    path = folder / "mme.json"
    path.write_text(json.dumps(rows(results)))
    return path


@pytest.fixture
def release(results: Path, tmp_path: Path) -> Path:
    """The released layout: half of the subtasks with folders of their own for pictures and questions."""
    root = tmp_path / "data" / "MME_Benchmark_release_version"
    for number, name in enumerate(SUBTASKS):
        images, texts = (
            (root / name / "images", root / name / "questions_answers_YN") if number % 2 else [root / name] * 2
        )
        images.mkdir(parents=True)
        texts.mkdir(parents=True, exist_ok=True)
        for row in rows(results):
            if row["category"] == name:
                image = row["question_id"].split("/")[1]
                (images / image).touch()
                with (texts / image.replace(".jpg", ".txt")).open("a", encoding="utf-8") as file:
                    file.write(f"{row['question']}\t{row['answer']}\n")
    return tmp_path / "data"


def test_a_run_writes_what_scores_the_same(
    mme: Mme, results: Path, release: Path, tmp_path: Path, fake_work: Any
) -> None:
    said = {(row["question_id"], row["question"]): row["response"] for row in rows(results)}

    def reply(question: Any) -> str:
        return said[question.id.partition("#")[0], question.text.split("\n")[0]]

    work = fake_work("official", release, tmp_path / "run", reply)
    card = mme.run(work)
    first = work.asked[0]
    assert first.text == (
        "Is there a pen in this image? Please answer yes or no.\nAnswer the question using a single word or phrase."
    )
    assert first.images[0].is_file() and first.id == "existence/open_existence_0000.jpg#1" and work.system == ""
    assert card.items == mme.score("official", results, None).items
    assert mme.score("official", tmp_path / "run" / "results", release).items == card.items
    short = mme.run(fake_work("official", release, tmp_path / "short", reply, 5))
    assert len(short.items) == 4 and short.missing == 0
    with pytest.raises(UserError, match="--limit of 2"):
        mme.run(fake_work("official", release, tmp_path / "one", reply, 1))


def test_breaks_in_answers_are_written_as_spaces(mme: Mme, release: Path, tmp_path: Path, fake_work: Any) -> None:
    card = mme.run(fake_work("official", release, tmp_path / "run", lambda question: "Yes\n\tit\u2028is"))
    assert len(card.warnings) == 1 and card.unparsed == 0
    assert card.records[0]["answer"] == "Yes  it\u2028is"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("llava", "Is there a pen in this image?\nAnswer the question using a single word or phrase."),
        ("official", "Is there a pen in this image? Please answer yes or no."),
    ],
)
def test_prompts_of_others(release: Path, style: Any, text: str) -> None:
    other = build(MmeOptions(prompts=style), BuildContext())
    assert other.questions("official", release)[0].text == text and other.system("official") is None
