"""MME's files: results of the official tool, and of LLaVA, lmms-eval and VLMEvalKit; the released questions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from janus_bench.suite.mme.pairs import Line
from janus_bench.suite.mme.spec import SUBTASKS
from janus_bench.suite.predicted import read_answers
from janus_bench.suite.reading import field, named, read_lines, read_text
from janus_bench.suite.rows import read_rows
from janus_bench.suite.tables import TABLES, read_table
from janus_core.errors import UserError

RELEASE = "MME_Benchmark_release_version"
PICTURES = (".jpg", ".png", ".jpeg")
FORMAT = "picture, question, Yes or No, response, with tabs between them"


def read_results(path: Path, questions: Sequence[Line]) -> tuple[list[Line], list[str]]:
    """The answers of a file or folder in any of the formats, and what must be said of them.

    Args:
        questions: of the annotations, for answers that do not say what is right (LLaVA's); empty: there are none.

    Raises:
        UserError: there is nothing to read, or a line is malformed; it is named.
    """
    files = _text_files(path)
    if files:
        return _official(files, answered=True)
    file = _only_file(path)
    if file.suffix in TABLES:
        rows = read_table(file)
        return [_row(row, field(row, "prediction", str, f"{file}, row {n}"), f"{file}, row {n}")
                for n, row in enumerate(rows, 2)], []  # fmt: skip
    records = read_lines(file)
    texts = [text for _, text in read_answers(file, ("question_id",), ("text",))]
    truths = {line.key: line.truth for line in questions}
    found = []
    for number, (record, text) in enumerate(zip(records, texts, strict=True), 1):
        place = f"{file}, item {number}"
        if "doc" in record:
            found.append(_row(field(record, "doc", dict, place), text, place))
        elif not questions:
            raise UserError(f"{file} holds answers without what is right", "give --annotations: the folder of MME")
        else:
            found.append(_llava(record, text, truths, place))
    return found, []


def read_questions(path: Path) -> list[Line]:
    """The questions, in the order of the subtasks: of the released folder, of result files, or of a data set by rows.

    Raises:
        UserError: there are none, or a line is malformed; it is named.
    """
    files = _text_files(path)
    if files:
        lines = [replace(line, response=None) for line in _official(files, answered=False)[0]]
    elif path.is_dir() and not any(path.rglob("*.parquet")):
        lines = [line for name in SUBTASKS for line in _released(path, name)]
    elif path.suffix in TABLES:
        lines = [_row(row, None, f"{path}, row {n}") for n, row in enumerate(read_table(path), 2)]
    else:
        lines = [_row(row, None, f"{path}, item {n}") for n, row in enumerate(read_rows(path), 1)]
    if not lines:
        raise UserError(f"{path} has no folder of a subtask of MME ({', '.join(SUBTASKS)})", f"give {RELEASE}")
    return sorted(lines, key=lambda line: SUBTASKS.index(line.subtask))


def picture(data: Path, line: Line) -> Path:
    """Where a picture lies in the released folder."""
    return _folders(data, line.subtask)[0] / line.image


def write_results(folder: Path, lines: Sequence[Line]) -> None:
    """Write the files of the official tool; a tab or line break of a response becomes a space, as it stops there."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, list[str]] = {}
    for line in lines:
        response = re.sub(r"[\t\r\n]", " ", line.response or "")
        text = "\t".join((line.image, line.question, line.truth.capitalize(), response))
        texts.setdefault(line.subtask, []).append(text + "\n")
    for name, found in texts.items():
        (folder / f"{name}.txt").write_text("".join(found), encoding="utf-8")


def _text_files(path: Path) -> list[Path]:
    """The official files of a folder, or of the one folder in it that has some."""
    if path.is_file():
        return [path] if path.suffix == ".txt" else []
    folders = [path, *sorted(p for p in path.iterdir() if p.is_dir())]
    found = {folder: [folder / f"{name}.txt" for name in SUBTASKS if (folder / f"{name}.txt").is_file()]
             for folder in folders}  # fmt: skip
    having = [folder for folder, files in found.items() if files]
    if path not in having and len(having) > 1:
        names = named([folder.name for folder in having])
        raise UserError(f"{path} has several folders with results: {names}", "name one of them")
    return found[path if path in having else having[0]] if having else []


def _only_file(path: Path) -> Path:
    if path.is_file():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in (".jsonl", ".json", *TABLES))
    if len(files) != 1:
        have = named([file.name for file in files]) or "nothing that could be one"
        raise UserError(f"{path} has no <subtask>.txt, and should hold one file of answers: {have}", "name the file")
    return files[0]


def _official(files: Sequence[Path], *, answered: bool) -> tuple[list[Line], list[str]]:
    lines: list[Line] = []
    tabs: list[str] = []
    breaks: list[str] = []
    blanks: list[str] = []
    for file in files:
        if file.stem not in SUBTASKS:
            raise UserError(f"{file} is named after no subtask", f"call it after one of {', '.join(SUBTASKS)}")
        first = len(lines)
        for number, text in enumerate(read_text(file).removesuffix("\n").split("\n"), 1):
            place = f"{file}, line {number}"
            if "\t" not in text and len(lines) > first:
                lines[-1] = _longer(lines[-1], text)
                breaks.append(place)
                continue
            line = _line(file.stem, text, place)
            tabs += [place] if "\t" in (line.response or "") else []
            blanks += [place] if line.response is None else []
            lines.append(line)
    warnings = [
        f"{len(places)} lines {what}; the official code stops there: {named(places)}"
        for places, what in (
            (tabs, "have tabs in the response, which is read whole"),
            (breaks, "are no items and go on with the response above"),
            (blanks, "have no response and count as wrong"),
        )
        if places and answered
    ]
    return lines, warnings


def _line(subtask: str, text: str, place: str) -> Line:
    parts = text.split("\t", 3)
    if len(parts) < 3:
        raise UserError(f"{place} is not an item of MME: {text[:60]!r}", f"a line is {FORMAT}")
    return Line(subtask, parts[0], parts[1], _truth(parts[2], place), parts[3] if len(parts) == 4 else None, place)


def _longer(line: Line, text: str) -> Line:
    return replace(line, response=f"{line.response or ''}\n{text}")


def _truth(text: object, place: str) -> str:
    truth = str(text).lower()
    if truth not in ("yes", "no"):
        raise UserError(f"{place}: what is right is {text!r}, not Yes or No", f"a line is {FORMAT}")
    return truth


def _row(row: Mapping[str, Any], response: str | None, place: str) -> Line:
    """A row of lmms-lab/MME or of VLMEvalKit's MME.tsv; there ``image_path`` tells the pictures apart."""
    name = str(row.get("question_id") or row.get("image_path") or field(row, "image", str, place))
    truth = _truth(field(row, "answer", str, place), place)
    return Line(_subtask(field(row, "category", str, place), place), Path(name).name,
                field(row, "question", str, place), truth, response, place)  # fmt: skip


def _llava(record: Mapping[str, Any], text: str, truths: Mapping[tuple[str, str, str], str], place: str) -> Line:
    name = field(record, "question_id", str, place)
    subtask = _subtask(name.split("/")[0], place)
    line = Line(subtask, Path(name).name, field(record, "prompt", str, place), "", text, place)
    return replace(line, truth=truths.get(line.key, ""))


def _subtask(name: str, place: str) -> str:
    if name not in SUBTASKS:
        raise UserError(f"{place}: {name!r} is no subtask of MME", f"they are {', '.join(SUBTASKS)}")
    return name


def _folders(data: Path, subtask: str) -> tuple[Path, Path]:
    """Where the pictures and the question files of a subtask lie."""
    root = data / RELEASE / subtask if (data / RELEASE).is_dir() else data / subtask
    return (root / "images", root / "questions_answers_YN") if (root / "images").is_dir() else (root, root)


def _released(data: Path, subtask: str) -> list[Line]:
    pictures, texts = _folders(data, subtask)
    if not texts.is_dir():
        return []
    names = {file.stem: file.name for file in pictures.iterdir() if file.suffix.lower() in PICTURES}
    found = []
    for file in sorted(texts.glob("*.txt")):
        for number, text in enumerate(read_text(file).split("\n"), 1):
            if not text.strip():
                continue
            question, tab, truth = text.strip().rpartition("\t")
            place = f"{file}, line {number}"
            if not tab:
                raise UserError(f"{place} is not a question and Yes or No: {text[:60]!r}", "fetch MME again")
            found.append(
                Line(subtask, names.get(file.stem, f"{file.stem}.jpg"), question, _truth(truth, place), None, place)
            )
    return found
