"""MMBench's files: the table of questions with their rotations, answers as tables or JSON lines, the server's sheet."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import ascii_uppercase

from janus_bench.suite.once import match_once
from janus_bench.suite.predicted import match, read_answers
from janus_bench.suite.reading import named
from janus_bench.suite.rows import read_rows
from janus_bench.suite.tables import TABLES, as_pandas, read_table, write_tsv
from janus_bench.suite.xlsx import write_xlsx
from janus_core.errors import UserError

ROTATION = 1_000_000
"""Rotation k of question i has the index i + k * this."""
BLANK = "\0"
"""Stands for a blank answer where answers are compared; no answer is this text."""

Table = list[dict[str, str]]
UPLOAD = ("index", "question", "A", "B", "C", "D", "prediction", "answer", "split")
"""The columns of the sheet that the server takes, as LLaVA's converter leaves them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A question with its options in one order.

    Attributes:
        group: the index of the question in its first order.
        choices: letter -> text, of the options that there are; none where pandas takes them all for missing.
    """

    index: int
    group: int
    question: str
    hint: str | None
    choices: Mapping[str, str]
    answer: str
    category: str
    l2: str
    split: str


@dataclass(frozen=True, slots=True)
class Answers:
    """What was answered.

    Attributes:
        texts: index -> answer; None: blank, or a word that pandas takes for missing.
        choices: index -> the options that the table of answers names; the official code matches with these.
    """

    texts: dict[int, str | None]
    choices: dict[int, dict[str, str]]
    warnings: list[str]


def find_table(path: Path) -> Path:
    """The table of questions: the file itself, or that of a folder that is called after MMBench, or its only one.

    Raises:
        UserError: there is none, or more than one.
    """
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in (*TABLES, ".parquet"))
    found = [file for file in files if file.name.lower().startswith("mmbench")] or files
    if len(found) != 1:
        have = named([file.name for file in found]) or "nothing that could be one"
        raise UserError(f"{path} should hold one table of MMBench, and has {have}", "name the table itself")
    return found[0]


def read_cells(path: Path) -> Table:
    """The cells of a table of questions or answers; columns are in lower case but for the letters of options.

    Raises:
        UserError: it cannot be read, or a row has no index.
    """
    if path.suffix in TABLES:
        table = read_table(path)
    else:
        table = [{name: "" if cell is None else str(cell) for name, cell in row.items()} for row in read_rows(path)]
    found = [{(n if n in ascii_uppercase else n.lower()): cell for n, cell in row.items()} for row in table]
    for number, row in enumerate(found, 2):
        for name in ("index", "g_index"):
            if name in row or name == "index":
                row[name] = str(_whole(row.get(name, ""), f"{path}, row {number}", name))
    return found


def rows_of(table: Table, path: Path, *, literal: bool, answered: bool = True) -> list[Row]:
    """The questions of a table, by index.

    Args:
        literal: cells such as "None" are texts; otherwise they are read as pandas reads them.
        answered: every row must say what is right.

    Raises:
        UserError: an index stands twice, a row has no question, no option or no answer; it is named.
    """
    columns = _columns(table, literal)
    found: dict[int, Row] = {}
    for number, cells in enumerate(table):
        index = int(cells["index"])
        place = f"{path}, index {index}"
        if index in found:
            raise UserError(f"{place} stands twice", "an index names one question in one order")
        row = {name: column[number] for name, column in columns.items()}
        choices = _choices(row)
        if not {"question", "A"} <= row.keys():
            raise UserError(f"{path} lacks the column 'question' or 'A': {', '.join(row)}", "is this MMBench?")
        answer = row.get("answer") or ""
        if answered and not answer:
            raise UserError(
                f"{place} has no answer: those of the test part are known to the server only",
                "score the dev part; for the test part send the sheet upload.xlsx of a run to the MMBench server",
            )
        if len(answer) > 1 or answer not in ascii_uppercase:
            raise UserError(f"{place}: the answer is {answer!r}, not a letter", "is this a table of MMBench?")
        group = int(cells.get("g_index", index % ROTATION))
        about = [row.get(name) or "" for name in ("category", "l2-category")]
        found[index] = Row(index, group, row["question"] or "nan", row.get("hint"), choices, answer,
                           about[0], about[1], row.get("split") or "none")  # fmt: skip
    return [found[index] for index in sorted(found)]


def read_predictions(path: Path, rows: Sequence[Row], asked: Sequence[Row], *, literal: bool) -> Answers:
    """The answers to rows: a table with the column ``prediction``, LLaVA's JSON lines or lmms-eval's samples.

    Args:
        asked: those that must have an answer.

    Raises:
        UserError: the file is malformed, or a row of a table is answered twice and differently; it is named.
    """
    known = {str(row.index): None for row in rows}
    choices: dict[int, dict[str, str]] = {}
    if path.suffix in TABLES:
        table = read_cells(path)
        if table and "prediction" not in table[0]:
            raise UserError(f"{path} has no column 'prediction': {', '.join(table[0])}", "is this a file of answers?")
        columns = _columns(table, literal)
        said = [(row["index"], text) for row, text in zip(table, columns.get("prediction", []), strict=True)]
        for number, row in enumerate(table):
            if found := _choices({name: column[number] for name, column in columns.items()}):
                choices[int(row["index"])] = found
        matched = match_once([(name, _kept(text)) for name, text in said], known, path)
        repeated = "the copies agree; the official code counts each of them"
    else:
        answers = read_answers(path, ("question_id", "index"), ("text", "prediction"))
        read = as_pandas([text for _, text in answers]) if not literal else [text or None for _, text in answers]
        matched = match([(name, _kept(text)) for (name, _), text in zip(answers, read, strict=True)], known)
        repeated = "as LLaVA's converter has it"
    missing = tuple(str(row.index) for row in asked if str(row.index) not in matched.by_id)
    warnings = replace(matched, missing=missing).warnings(
        missing="the official code leaves them out, so that its numbers are of the others only",
        extra="the official code stops",
        repeated=repeated,
    )
    texts = {int(name): None if text == BLANK else text for name, text in matched.by_id.items()}
    return Answers(texts, choices, warnings)


def pictures(table: Table, path: Path) -> dict[int, io.BytesIO]:
    """index -> the picture, still compressed; a rotation names the index of the row that holds it.

    Raises:
        UserError: a row has no picture; it is named.
    """
    cells = {int(row["index"]): row.get("image", "") for row in table}
    found = {}
    for index, cell in cells.items():
        held = cells.get(int(cell), "") if cell.isdecimal() else cell
        try:
            found[index] = io.BytesIO(base64.b64decode(held, validate=True))
        except (binascii.Error, ValueError):
            held = ""
        if not held:
            raise UserError(f"{path}, index {index} has no picture in base64", "give the table with the pictures")
    return found


def write_predictions(folder: Path, table: Table, answers: Mapping[str, str]) -> tuple[Path, Path]:
    """Write the answered rows as VLMEvalKit does, and the sheet for the server; the table, and its questions alone."""
    asked = [row for row in table if row["index"] in answers]
    columns = [name for name in table[0] if name != "image"]
    write_tsv(folder / "annotations.tsv", columns, asked)
    said = [row | {"prediction": answers[row["index"]]} for row in asked]
    write_tsv(folder / "predictions.tsv", [*columns, "prediction"], said)
    names = [name for name in UPLOAD if name in (*columns, "prediction")]
    cells = [[int(row[name]) if name == "index" else row[name] for name in names] for row in said]
    write_xlsx(folder / "upload.xlsx", [names, *cells])
    return folder / "predictions.tsv", folder / "annotations.tsv"


def _columns(table: Table, literal: bool) -> dict[str, list[str | None]]:
    columns: dict[str, list[str | None]] = {}
    for name in table[0] if table else ():
        cells = [row[name] for row in table]
        columns[name] = [cell or None for cell in cells] if literal or name == "image" else as_pandas(cells)
    return columns


def _choices(row: Mapping[str, str | None]) -> dict[str, str]:
    return {letter: text for letter in ascii_uppercase if (text := row.get(letter)) is not None}


def _whole(cell: str, place: str, name: str) -> int:
    try:
        number = float(cell)
        if number != int(number):
            raise ValueError
    except (ValueError, OverflowError):
        raise UserError(f"{place}: {name} is {cell!r}, not a whole number", "is this a file of MMBench?") from None
    return int(number)


def _kept(text: str | None) -> str:
    return BLANK if text is None else text
