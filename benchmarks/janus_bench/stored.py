"""A scored run on disk: a folder with ``run.json`` and a folder for each ``name@protocol`` that was measured.

``name@protocol/`` holds ``scores.json`` (the card without its items, the model, the intervals), ``items.jsonl`` (what
the scores are computed from), ``records.jsonl`` (what a reader wants to see) and the pictures. ``scores.json`` is
written last: where it lies, the others lie. A number of it that is not defined is ``null``; in the other two ``NaN``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from janus_bench.statistics.intervals import Interval
from janus_bench.suite.reading import read_json, read_lines
from janus_core.checkpoints.atomic import atomic_file
from janus_core.errors import UserError
from janus_core.scores import Score, ScoreCard, ScoredItem

FORMAT = 1
RUN, SCORES, ITEMS, RECORDS = "run.json", "scores.json", "items.jsonl", "records.jsonl"


@dataclass(frozen=True, slots=True)
class About:
    """What was measured.

    Attributes:
        model: the name that stands in tables.
        facts: what else is known of it (recipe, step, versions ...); JSON-able.
        random_weights: parts whose weights are random and were never trained.
        group: runs with the same group are training seeds of one model; empty: it stands alone.
        seed: of the training, where it belongs to a group.
        provenance: of the components that it was measured with, see `janus_core.config.provenance`.
    """

    model: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    random_weights: tuple[str, ...] = ()
    group: str = ""
    seed: int | None = None
    provenance: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Stored(NamedTuple):
    """A card as it lies on disk."""

    card: ScoreCard
    about: About
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Run:
    """A folder of cards of one model.

    Attributes:
        results: by ``name@protocol``, in the order of these names.
    """

    folder: Path
    about: About
    results: Mapping[str, Stored]


def card_folder(run: Path, protocol: str) -> Path:
    """Where a run keeps ``name@protocol``."""
    return run / protocol.replace("/", "-")


def write_about(folder: Path, about: About) -> None:
    """Write ``run.json`` of a run."""
    _write(folder / RUN, json.dumps({"format": FORMAT, **asdict(about)}, indent=2, ensure_ascii=False) + "\n")


def read_about(folder: Path) -> About:
    """What ``run.json`` of a run says.

    Raises:
        UserError: it is missing, damaged or of another format.
    """
    return _about(_read(folder / RUN))


def write_card(folder: Path, card: ScoreCard, about: About, intervals: Mapping[str, Interval] | None = None) -> None:
    """Write a card into the folder of its ``name@protocol``; other files there are left alone.

    Args:
        intervals: of some of its scores, by name.

    Raises:
        ValueError: two items have the same id, or an interval belongs to no score.
    """
    intervals = intervals or {}
    if len({item.id for item in card.items}) < len(card.items):
        raise ValueError(f"{card.protocol}: items share an id")
    if unknown := set(intervals) - {score.name for score in card.scores}:
        raise ValueError(f"{card.protocol}: intervals of no score: {sorted(unknown)}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCORES).unlink(missing_ok=True)
    for name, picture in card.pictures.items():
        picture.save(folder / name)
    _write(folder / ITEMS, _lines(asdict(item) for item in card.items))
    _write(folder / RECORDS, _lines(card.records))
    text = json.dumps(card_json(card, about, intervals), indent=2, ensure_ascii=False, allow_nan=False)
    _write(folder / SCORES, text + "\n")


def card_json(card: ScoreCard, about: About, intervals: Mapping[str, Interval]) -> dict[str, Any]:
    """A card without items, records and pictures, as JSON has it."""
    told: dict[str, Any] = {"format": FORMAT, "about": asdict(about)}
    told |= {"benchmark": card.benchmark, "protocol": card.protocol, "version": card.version}
    told["scores"] = [asdict(score) | {"interval": _interval(intervals.get(score.name))} for score in card.scores]
    told |= {"items": len(card.items), "missing": card.missing, "unparsed": card.unparsed}
    told |= {"warnings": card.warnings, "stand_in": card.stand_in, "settings": card.settings}
    told |= {"details": card.details, "attribution": card.attribution}
    found: dict[str, Any] = finite(told)
    return found


def read_card(folder: Path) -> Stored:
    """Read the card of a folder; its pictures stay on disk.

    Raises:
        UserError: a file is missing, damaged or of another format.
    """
    told = _read(folder / SCORES)
    try:
        scores = [_score(each) for each in told["scores"]]
        intervals = {each["name"]: Interval(**each["interval"]) for each in told["scores"] if each["interval"]}
        about = _about(told["about"])
        items = [ScoredItem(**line) for line in read_lines(folder / ITEMS)]
        names = ("benchmark", "protocol", "version", "details", "warnings", "settings", "stand_in", "attribution")
        facts = {name: told[name] for name in names}
    except (KeyError, TypeError) as error:
        raise UserError(f"{folder} is no card of ours: {error}", "run or score it again") from None
    if len(items) != told["items"]:
        what = f"{folder / ITEMS} has {len(items)} items, and {SCORES} counts {told['items']}"
        raise UserError(what, "copy the folder whole, or score it again")
    return Stored(
        ScoreCard(scores=scores, items=items, records=read_lines(folder / RECORDS), **facts), about, intervals
    )


def read_run(folder: Path) -> Run:
    """Read every card of a run; a folder of one card is a run of one.

    Raises:
        UserError: there is none, or one is damaged.
    """
    if (folder / SCORES).is_file():
        stored = read_card(folder)
        return Run(folder, stored.about, {stored.card.protocol: stored})
    cards = [read_card(path.parent) for path in sorted(folder.glob(f"*/{SCORES}"))]
    if not cards:
        raise UserError(f"{folder} holds no scored benchmark", "give a folder that 'janus bench run --out' has written")
    about = read_about(folder) if (folder / RUN).is_file() else cards[0].about
    return Run(folder, about, {stored.card.protocol: stored for stored in cards})


def _read(path: Path) -> dict[str, Any]:
    told = read_json(path)
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise UserError(f"{path} is not of the format {FORMAT}", "run or score it again with this version")
    return told


def _about(told: Mapping[str, Any]) -> About:
    values = {name: told[name] for name in ("model", "facts", "group", "seed", "provenance")}
    return About(random_weights=tuple(told["random_weights"]), **values)


def _score(told: Mapping[str, Any]) -> Score:
    values = {name: value for name, value in told.items() if name != "interval"}
    values["value"] = math.nan if told["value"] is None else told["value"]
    for name in ("baselines", "ceilings"):
        values[name] = {key: math.nan if value is None else value for key, value in told[name].items()}
    return Score(**values)


def _interval(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)


def finite(value: Any) -> Any:
    """The same with null for every number that JSON lacks."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def _lines(records: Iterable[Mapping[str, Any]]) -> str:
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
