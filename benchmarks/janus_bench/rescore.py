"""Scores a file of predictions, whoever wrote it."""

from __future__ import annotations

from pathlib import Path

from janus_bench.chosen import ChosenBenchmark
from janus_bench.statistics.of_card import card_intervals
from janus_bench.stored import RUN, About, Stored, card_folder, read_about, write_about, write_card
from janus_core.errors import UserError
from janus_core.interfaces import ScoresFiles


def score_files(benchmark: ChosenBenchmark, predictions: Path, annotations: Path | None, model: str) -> Stored:
    """Score predictions under a protocol.

    Args:
        model: what stands in tables.

    Raises:
        UserError: the benchmark has no files, one is missing or malformed.
    """
    built = benchmark.build()
    if not isinstance(built, ScoresFiles):
        raise UserError(
            f"{benchmark.spec.name} scores what it asks and draws itself and reads no files",
            f"measure a model: janus bench run {benchmark.spec.name} --model DIR",
        )
    for path, name in ((predictions, "--predictions"), (annotations, "--annotations")):
        # a colon may name an array within a file of features
        if path is not None and not path.exists() and not Path(str(path).rpartition(":")[0] or "/").is_file():
            raise UserError(f"{name} {path} does not exist", "check the path")
    card = built.score(benchmark.protocol.name, predictions, annotations)
    card.settings |= {"options": benchmark.options}
    intervals = card_intervals(card, lambda items: built.aggregate(benchmark.protocol.name, items))
    return Stored(card, About(model), intervals)


def keep(out: Path, stored: Stored) -> None:
    """Write scores as a run of one benchmark, or beside the others of a run of the same model.

    Raises:
        UserError: the folder holds something else, another model or this protocol already.
    """
    folder = card_folder(out, stored.card.protocol)
    if (out / RUN).is_file():
        if (model := read_about(out).model) != stored.about.model:
            raise UserError(
                f"{out} is a run of {model!r}, not of {stored.about.model!r}", "give another --out or --name"
            )
        if folder.exists():
            raise UserError(f"{folder} already exists", "give another --out")
    elif out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} already exists and is no benchmark run", "give another --out")
    write_card(folder, stored.card, stored.about, stored.intervals)
    write_about(out, stored.about)
