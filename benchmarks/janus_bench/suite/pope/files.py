"""POPE's files: labels, and answers as POPE, LLaVA, lmms-eval and VLMEvalKit write them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_bench.suite.pope.spec import CATEGORIES
from janus_bench.suite.reading import field, named, read_lines
from janus_bench.suite.rows import read_rows
from janus_core.errors import UserError

QUESTIONS = "llava_pope_test.jsonl"


@dataclass(frozen=True, slots=True)
class Label:
    """A question with its truth."""

    category: str
    number: str
    image: str
    text: str
    yes: bool

    @property
    def id(self) -> str:
        """Unique: the numbers begin anew in each category."""
        return f"{self.category}/{self.number}"


def read_labels(path: Path, categories: Sequence[str]) -> list[Label]:
    """The labels of the categories, in the official order.

    Args:
        path: the folder of ``coco_pope_*.json`` or the one above it; one such file where one category is asked for; or
            the data set lmms-lab/POPE as Parquet, JSON or JSON lines.

    Raises:
        UserError: a file is not there or not as it should be; it and the line are named.
    """
    files = {name: _label_file(path, name, alone=len(categories) == 1) for name in categories}
    found: list[Label] = []
    if any(file is None for file in files.values()):
        if path.is_dir() and not any(path.rglob("*.parquet")):
            lacking = [f"coco_pope_{name}.json" for name, file in files.items() if file is None]
            raise UserError(f"{path} has no {', '.join(lacking)}", "give the folder coco/ of POPE")
        rows = read_rows(path)
        found = [label for n, row in enumerate(rows, 1) for label in labels_of(row, f"{path}, item {n}")]
    for name, file in files.items():
        if file is not None:
            found += [_official(record, name, place) for place, record in _placed(file)]
    found = [label for name in categories for label in found if label.category == name]
    ids = [label.id for label in found]
    if len(set(ids)) < len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})
        raise UserError(f"{path} has question_id twice: {named(twice)}", "ids must be unique in a category")
    if not found:
        raise UserError(f"{path} has no question of {', '.join(categories)}", "is this POPE?")
    return found


def labels_of(row: Mapping[str, Any], place: str) -> list[Label]:
    """The labels of a row of lmms-lab/POPE or VLMEvalKit's POPE.tsv; there a row may stand for several categories."""
    categories = field(row, "category", str, place).split(",")
    if unknown := set(categories) - set(CATEGORIES):
        raise UserError(f"{place}: category {sorted(unknown)} is none of {', '.join(CATEGORIES)}", "is this POPE?")
    number = str(row.get("question_id", row.get("index", row.get("id", place))))
    image = str(row.get("image_source") or row.get("image_path") or row.get("image") or number)
    text = field(row, "question", str, place)
    yes = _yes(field(row, "answer", str, place).lower(), place)
    return [Label(name, number, Path(image).stem, text, yes) for name in categories]


def read_questions(path: Path, labels: Sequence[Label]) -> dict[str, str]:
    """LLaVA's question ids -> ids of the labels; ids of other categories -> "".

    LLaVA's code takes the n-th question of a category for the n-th label; here the two must agree.

    Raises:
        UserError: they do not; the line is named.
    """
    waiting: dict[str, list[Label]] = {}
    for each in labels:
        waiting.setdefault(each.category, []).append(each)
    places = dict.fromkeys(waiting, 0)
    found = {}
    for place, record in _placed(path):
        name = str(field(record, "question_id", (int, str), place))
        category = field(record, "category", str, place)
        found[name] = ""
        if category not in waiting:
            continue
        number, places[category] = places[category], places[category] + 1
        text, image = field(record, "text", str, place), field(record, "image", str, place)
        label = next(iter(waiting[category][number : number + 1]), None)
        if label is None or Path(image).stem != label.image or not same_question(text, label.text):
            against = f"{label.text!r} about {label.image}" if label else "no label"
            raise UserError(
                f"{place}: question {number + 1} of {category} is {text!r} about {image}, against {against}",
                "take both from one version of POPE: its random part has 2910 questions in one and 3000 in the other",
            )
        found[name] = label.id
    return found


def find_questions(annotations: Path) -> Path:
    """LLaVA's question file: beside the labels or one folder above."""
    folder = annotations if annotations.is_dir() else annotations.parent
    for place in (folder, folder.parent):
        if (place / QUESTIONS).is_file():
            return place / QUESTIONS
    raise UserError(
        f"these are answers by LLaVA's question ids, and {folder} has no {QUESTIONS} that tells what they mean",
        f"put {QUESTIONS} beside the labels",
    )


def same_question(asked: str, label: str) -> bool:
    """Whether a prompt asks the question of a label: it may say more after it."""
    return asked.strip().startswith(label.strip())


def write_answers(path: Path, asked: Iterable[tuple[Label, str]]) -> None:
    """Write ``{"question", "answer"}``, a line a question, in the order of the labels."""
    _write(path, ({"question": label.text, "answer": answer} for label, answer in asked))


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Write labels as POPE does; the number of a question that is not a whole number stays a text."""
    _write(
        path,
        (
            {
                "question_id": int(label.number) if label.number.isdecimal() else label.number,
                "image": f"{label.image}.jpg",
                "text": label.text,
                "label": "yes" if label.yes else "no",
            }
            for label in labels
        ),
    )


def _write(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")


def _label_file(path: Path, category: str, *, alone: bool) -> Path | None:
    """The official file of a category; None: the labels of all categories lie together."""
    name = f"coco_pope_{category}.json"
    if path.is_file():
        if path.suffix == ".parquet" or "category" in (read_rows(path) or [{}])[0]:
            return None
        if not alone or (path.name.startswith("coco_pope_") and path.name != name):
            raise UserError(f"{path} has no labels of the category {category}", "give the folder coco/ of POPE")
        return path
    return next((place / name for place in (path, path / "coco") if (place / name).is_file()), None)


def _placed(path: Path) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{path}, item {number}", record) for number, record in enumerate(read_lines(path), 1)]


def _official(record: Mapping[str, Any], category: str, place: str) -> Label:
    number = str(field(record, "question_id", (int, str), place))
    image, text = field(record, "image", str, place), field(record, "text", str, place)
    return Label(category, number, Path(image).stem, text, _yes(field(record, "label", str, place), place))


def _yes(label: str, place: str) -> bool:
    if label not in ("yes", "no"):
        raise UserError(f"{place}: the label is {label!r}, not yes or no", "is this a label file of POPE?")
    return label == "yes"
