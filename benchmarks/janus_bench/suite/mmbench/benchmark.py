"""MMBench: asks, writes tables for VLMEvalKit and a sheet for the server, scores files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.mmbench.files import (
    Answers,
    Row,
    find_table,
    pictures,
    read_cells,
    read_predictions,
    rows_of,
    write_predictions,
)
from janus_bench.suite.mmbench.options import MmbenchOptions
from janus_bench.suite.mmbench.prompts import STYLES
from janus_bench.suite.mmbench.score import Judged, aggregate, circular, judge_row, parts, vanilla
from janus_bench.suite.mmbench.spec import SPEC
from janus_bench.suite.reading import named
from janus_bench.suite.tables import TABLES
from janus_core.errors import UserError
from janus_core.interfaces import BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem, share

STYLE = {protocol.name: protocol.prompts for protocol in SPEC.protocols}


class Mmbench(AskedBenchmark):
    """See ``spec``."""

    data = SPEC.data
    max_new_tokens = 1024

    def __init__(self, options: MmbenchOptions) -> None:
        self._prompts = options.prompts

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._prompts or STYLE[protocol]

    def system(self, protocol: str) -> str | None:
        return "" if self.style(protocol) == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        path = find_table(data)
        table = read_cells(path)
        asked = _asked(protocol, rows_of(table, path, literal=_literal(protocol), answered=False))
        images = pictures(table, path)
        write = STYLES[self.style(protocol)]
        return [Question(str(row.index), write(row), (images[row.index],)) for row in asked]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        return write_predictions(folder, read_cells(find_table(data)), answers)

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        literal = _literal(protocol)
        path = _file(predictions) if annotations is None else find_table(annotations)
        if annotations is None and path.suffix not in TABLES:
            raise UserError(f"{path} does not hold the questions", "give --annotations: the table of MMBench")
        rows = rows_of(read_cells(path), path, literal=literal)
        asked = _asked(protocol, rows)
        answers = read_predictions(_file(predictions), rows, asked, literal=literal)
        judged = [judge_row(row, answers, literal=literal) for row in asked]
        items, logs = (circular if protocol.startswith("circular") else vanilla)(judged)
        if not items:
            raise UserError(f"{path} has no question in its first order (index below 1000000)", "is this MMBench?")
        card = ScoreCard("mmbench", f"mmbench@{protocol}", 1, [], items)
        chance = _chance(protocol, rows)
        for name, scores in parts(items).items():
            baselines = {"chance": chance} if name == "Overall" else {}
            card.scores.append(share(name, round(sum(scores)), len(scores), baselines, task="understanding"))
        card.records = [_record(one) for one in judged]
        card.details = _details(items, logs, judged)
        card.warnings = [*answers.warnings, *_doubts(protocol, rows, answers)]
        card.settings["extractor"] = "exact matching"
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        return aggregate(items)


def build(options: MmbenchOptions, context: BuildContext) -> Mmbench:
    """The factory."""
    return Mmbench(options)


def _literal(protocol: str) -> bool:
    return protocol.endswith("-repaired")


def _asked(protocol: str, rows: Sequence[Row]) -> list[Row]:
    """All rows, or of each question the first order alone."""
    return [row for row in rows if protocol.startswith("circular") or row.index == row.group]


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    files = sorted(file for file in path.iterdir() if file.suffix in (".json", ".jsonl", *TABLES))
    files = [file for file in files if file.stem == "predictions"] or files
    if len(files) != 1:
        have = named([file.name for file in files]) or "nothing that could be one"
        raise UserError(f"{path} should hold one file of answers, and has {have}", "name the file itself")
    return files[0]


def _chance(protocol: str, rows: Sequence[Row]) -> float:
    """The share that guessing among the options gets right on average."""
    odds: dict[int, float] = {}
    for row in _asked(protocol, rows):
        odds[row.group] = odds.get(row.group, 1.0) / max(len(row.choices), 1)
    return sum(odds.values()) / len(odds)


def _details(items: Sequence[ScoredItem], logs: Mapping[str, str], judged: Sequence[Judged]) -> dict[str, object]:
    splits = sorted({item.facts["split"] for item in items})
    first = [one for one in judged if one.row.index == one.row.group]
    found: dict[str, object] = {
        "acc": aggregate(items),
        "per_question": {item.id: {"hit": int(item.score or 0), "log": logs[item.id]} for item in items},
        "unresolved": [str(one.row.index) for one in judged if one.status == "unparsed"],
    }
    if len(splits) > 1:
        found["acc_per_split"] = {name: aggregate([i for i in items if i.facts["split"] == name]) for name in splits}
    if len(first) < len(judged):
        found |= {"vanilla_0": aggregate(vanilla(first)[0]), "vanilla_all": aggregate(vanilla(judged)[0])}
    return found


def _doubts(protocol: str, rows: Sequence[Row], answers: Answers) -> list[str]:
    found = []
    other = [row.index for row in _asked(protocol, rows) if answers.choices.get(row.index, row.choices) != row.choices]
    if other:
        found.append(
            f"the options of {len(other)} rows differ between predictions and annotations; as officially those of the "
            f"predictions are matched: {named(other)}"
        )
    groups: dict[int, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row)
    if orphans := [group for group, part in groups.items() if all(row.index != group for row in part)]:
        found.append(f"{len(orphans)} questions have rotations only and are left out, as officially: {named(orphans)}")
    alone = [group for group, part in groups.items() if len(part) < len(part[0].choices)]
    if protocol.startswith("circular") and alone:
        found.append(
            f"{len(alone)} questions have fewer rotations than options, so they are easier than they should be: "
            f"{named(alone)}"
        )
    if len({row.split for row in rows}) > 1:
        found.append("the rows are of several splits; the official report has a line for each: see acc_per_split")
    return found


def _record(one: Judged) -> dict[str, object]:
    row = one.row
    return {"id": str(row.index), "question": row.question, "options": dict(row.choices), "truth": row.answer,
            "answer": None if one.status == "missing" else one.text, "letter": one.letter}  # fmt: skip
