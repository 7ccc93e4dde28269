"""MMMU: asks the questions, writes what the official programs take, scores it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.asked import AskedBenchmark
from janus_bench.suite.mmmu import score as scorer
from janus_bench.suite.mmmu.asked import hidden, question_of, read_split
from janus_bench.suite.mmmu.files import (
    Item,
    Output,
    empty_subjects,
    read_items,
    read_outputs,
    write_answer_file,
    write_json,
    write_outputs,
)
from janus_bench.suite.mmmu.options import MMMUOptions
from janus_bench.suite.mmmu.spec import SPEC
from janus_bench.suite.mmmu.subjects import DOMAIN_OF, SUBJECTS
from janus_bench.suite.predicted import match as matched
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.interfaces import BenchmarkWork, BuildContext, Question
from janus_core.scores import ScoreCard, ScoredItem

FALLBACK: dict[str, scorer.Fallback] = {"parse": "random", "parse-wrong": "wrong", "parse-expected": "expected"}
REPAIRS = (
    "a response that names no letter is wrong",
    "letters may stand alone between any marks (X. [X] X) Answer:X), be wide, or be small where nothing else is said",
    "an open answer must hold the true text as whole words",
    "numbers are equal to two decimals, below 0.1 to two digits; signs of money, per cent and minus are read",
)

Entries = list[tuple[Item, Output | None]]


class MMMU(AskedBenchmark):
    """Parsed responses or bare letters, with the official random letter, none, its expectation, or repaired."""

    data = SPEC.data
    max_new_tokens = 128

    def __init__(self, options: MMMUOptions) -> None:
        self.options = options
        self._style = options.prompts or "janus"
        self.pictures: Path | None = None

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Ask, write, score; pictures that lie in Parquet files are kept in the run's folder."""
        self.pictures = work.folder / "pictures"
        return super().run(work)

    def style(self, protocol: str) -> str:
        """Whose prompts are asked."""
        return self._style

    def system(self, protocol: str) -> str | None:
        """Janus is asked without a system prompt (VLMEvalKit#541)."""
        return "" if self._style == "janus" else None

    def questions(self, protocol: str, data: Path) -> list[Question]:
        """The questions of the split, by subject in the official order."""
        rows = read_split(data, self.options.split, pictures=True)
        return [question_of(item, row, self._style, self.pictures) for item, row in rows]

    def write(self, protocol: str, data: Path, answers: Mapping[str, str], folder: Path) -> tuple[Path, Path | None]:
        """Both official layouts of outputs, the answers by id, and what the test server takes."""
        items = [item for item, _ in read_split(data, self.options.split) if item.id in answers]
        outputs, answer_file = folder / "outputs", folder / f"answer_dict_{self.options.split}.json"
        write_outputs(outputs, items, answers)
        write_answer_file(answer_file, items)
        total = folder / "total_output.json"
        write_json(total, answers)
        entries: Entries = [(item, Output(item.id, answers[item.id])) for item in items]
        letters = {item.id: item.parsed for item in _scored("parse", entries)}
        submitted = {item.id: letters[item.id] if item.is_choice else answers[item.id] for item in items}
        write_json(folder / "submission.json", submitted)
        return (total, answer_file) if protocol == "evalonly" else (outputs, None)

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score ``<Subject>/output.json``, which carries the answers, or responses by id against ``annotations``."""
        version = {one.name: one.version for one in SPEC.protocols}[protocol]
        card = ScoreCard("mmmu", f"mmmu@{protocol}", version, [])
        entries = _entries(protocol, predictions, annotations, card.warnings)
        if any(hidden(item) for item, _ in entries):
            card.warnings.append("the answers of the test split are not public: upload submission.json for the score")
            return card
        card.items = _scored(protocol, entries)
        card.scores = [score for score in scorer.scores(card.items) if score.total]
        card.details = _tables(protocol, card.items)
        card.records = [
            {
                "id": scored.id,
                "response": None if output is None else output.response,
                "parsed_pred": _read(protocol, item, scored.parsed),
                "truth": list(item.truth),
                "judge": "Correct" if scored.score == 1 else "Wrong",
            }
            for scored, (item, output) in zip(card.items, entries, strict=True)
        ]
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The share of right items, of all and of each domain."""
        return {score.name: score.value for score in scorer.scores(items)}


def _read(protocol: str, item: Item, parsed: str | None) -> object:
    """What was read out of a response in the official form: a letter, or the list of what an open one may mean."""
    return parsed if item.is_choice or parsed is None or protocol == "repaired" else json.loads(parsed)


def _scored(protocol: str, entries: Entries) -> list[ScoredItem]:
    if protocol == "evalonly":
        return scorer.score_bare(entries)
    return (
        scorer.score_repaired(entries) if protocol == "repaired" else scorer.score_parsed(entries, FALLBACK[protocol])
    )


def _entries(protocol: str, predictions: Path, annotations: Path | None, warnings: list[str]) -> Entries:
    """Items and their outputs in the official order, with what must be said of them."""
    outputs = read_outputs(predictions)
    if empty := empty_subjects(predictions):
        warnings.append(f"no outputs in {', '.join(empty)} (the official code stops with a ValueError)")
    carried = [output.item for output in outputs if output.item is not None]
    if protocol != "evalonly" and carried:
        entries = _by_record(outputs, annotations, warnings)
    elif annotations is not None:
        entries = _by_id(outputs, _of_split(read_items(annotations), outputs), warnings)
    elif carried:
        entries = _by_id(outputs, carried, warnings)
    else:
        raise UserError(
            f"{predictions} holds responses without answers",
            "give --annotations: answer_dict_val.json for evalonly, the data set's Parquet files for the others",
        )
    if unknown := [item.id for item, _ in entries if item.subject not in DOMAIN_OF]:
        warnings.append(
            f"{len(unknown)} items are of no subject of MMMU and are not scored, as in the official code: "
            f"{named(unknown)}"
        )
    entries = [entry for entry in entries if entry[0].subject in DOMAIN_OF]
    entries.sort(key=lambda entry: SUBJECTS.index(entry[0].subject))
    if not entries:
        raise UserError(f"{predictions} and the answers share no item", "are these files of one split?")
    bare = [item.id for item, _ in entries if item.is_choice and not item.choices]
    if protocol != "evalonly" and bare:
        raise UserError(
            f"{annotations} has no options, and mmmu@{protocol} parses responses by them: {named(bare)}",
            "give the data set's Parquet files, or take --protocol mmmu@evalonly",
        )
    return entries


def _by_record(outputs: Sequence[Output], annotations: Path | None, warnings: list[str]) -> Entries:
    """Every record of the output files, as main_parse_and_eval.py takes them; the annotations tell what is missing."""
    entries: Entries = []
    times: dict[str, int] = {}
    for output in outputs:
        assert output.item is not None
        times[output.id] = number = times.get(output.id, 0) + 1
        name = output.id if number == 1 else f"{output.id} ({number})"
        item = output.item
        entries.append((Item(name, item.subject, item.kind, item.truth, item.choices, item.options), output))
    if repeated := [name for name, number in times.items() if number > 1]:
        warnings.append(
            f"{len(repeated)} items occur more than once and count each time, as in the official code: "
            f"{named(repeated)}"
        )
    if silent := [output.id for output in outputs if output.response is None]:
        warnings.append(
            f"{len(silent)} items have no response and count as wrong (the official code stops): {named(silent)}"
        )
    if jumbled := _jumbled(outputs):
        warnings.append(
            "the official random letters depend on the order of the items, and these files are not in the order of "
            f"the data set: {named(jumbled)}"
        )
    if annotations is None:
        return entries
    true = {item.id: item for item in _of_split(read_items(annotations), outputs)}
    if missing := [name for name in true if name not in times]:
        warnings.append(
            f"{len(missing)} items have no output and count as wrong (the official code leaves them out): "
            f"{named(missing)}"
        )
        entries += [(true[name], None) for name in missing]
    if extra := [name for name in times if name not in true]:
        warnings.append(
            f"{len(extra)} outputs belong to no item of the annotations and are not scored (the official code scores "
            f"them): {named(extra)}"
        )
        entries = [(item, output) for item, output in entries if output is None or output.id in true]
    if other := [item.id for item, _ in entries if item.id in true and true[item.id].truth != item.truth]:
        warnings.append(
            f"{len(other)} outputs carry another answer than the annotations, and are scored by their own, as the "
            f"official code does: {named(other)}"
        )
    return entries


def _by_id(outputs: Sequence[Output], items: Sequence[Item], warnings: list[str]) -> Entries:
    """Every item of the annotations with its response, in their order."""
    known = {item.id: item for item in items}
    found = matched([(output.id, output.response) for output in outputs if output.response is not None], known)
    warnings += found.warnings(
        missing="the official code leaves them out",
        extra="the official code stops with a KeyError, or passes over a subject without answers",
        repeated="as in the official code",
    )
    return [(item, Output(name, found.by_id[name]) if name in found.by_id else None) for name, item in known.items()]


def _of_split(items: Sequence[Item], outputs: Sequence[Output]) -> list[Item]:
    """The items of the splits that were answered: a data set's folder holds all of them."""
    splits = {output.id.partition("_")[0] for output in outputs}
    return [item for item in items if item.id.partition("_")[0] in splits or not splits]


def _jumbled(outputs: Sequence[Output]) -> list[str]:
    """Subjects whose items are not in rising order of their numbers."""
    numbers: dict[str, list[int]] = {}
    for output in outputs:
        last = output.id.rpartition("_")[2]
        if output.item is not None and last.isdecimal():
            numbers.setdefault(output.item.subject, []).append(int(last))
    return [subject for subject, order in numbers.items() if order != sorted(order)]


def _tables(protocol: str, items: Sequence[ScoredItem]) -> dict[str, object]:
    """What the official programs write and print."""
    by_subject: dict[str, list[float]] = {}
    for item in items:
        by_subject.setdefault(item.facts["subject"], []).append(item.score or 0.0)
    details: dict[str, object] = {
        "per_subject": {
            subject: {"acc": sum(worth) / len(worth), "num_example": len(worth)}
            for subject, worth in by_subject.items()
        },
        "printed": scorer.printed(items),
    }
    if protocol == "repaired":
        return details | {"repaired": list(REPAIRS)}
    if protocol == "evalonly":
        return details
    without = [item.id for item in items if item.status == "unparsed" and item.facts["kind"] == "multiple-choice"]
    return details | {"random_fallback_items" if protocol == "parse" else "no_letter": without}


def build(options: MMMUOptions, context: BuildContext) -> MMMU:
    """The benchmark."""
    return MMMU(options)
