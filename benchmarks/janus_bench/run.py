"""Measures a session on benchmarks, in a folder that says what was measured and goes on after a stop."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from janus_bench.chosen import ChosenBenchmark
from janus_bench.page import write_page
from janus_bench.run_folder import begin
from janus_bench.statistics.of_card import card_intervals
from janus_bench.stored import SCORES, About, Stored, card_folder, read_card, write_about, write_card
from janus_bench.table import text_table
from janus_bench.work import Progress, Work, silent
from janus_core.checkpoints.atomic import atomic_file
from janus_core.config.provenance import provenance
from janus_core.errors import UserError
from janus_core.inference.session import Session

PAGE = "page.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a run measures.

    Attributes:
        data: a folder with the files of one benchmark, or with a folder of its name for each.
        limit: only so many items of each benchmark.
        seed: of the drawings.
        batch_size: how much is asked or drawn at once.
        group: runs of one group are training seeds of one model.
    """

    data: Path | None = None
    limit: int | None = None
    seed: int = 0
    batch_size: int = 50
    group: str = ""
    progress: Progress = silent


def run_benchmark(benchmark: ChosenBenchmark, session: Session, how: How, folder: Path | None = None) -> Stored:
    """Run one benchmark; with a folder, its predictions are kept there and the card is written.

    Raises:
        UserError: data or a library is missing, or the folder holds predictions of another run.
    """
    with tempfile.TemporaryDirectory() as nowhere:
        work = Work(
            session,
            benchmark.protocol.name,
            folder or Path(nowhere),
            data=_data(how.data, benchmark.spec.name),
            limit=how.limit,
            seed=how.seed,
            batch_size=how.batch_size,
            progress=how.progress,
        )
        work.folder.mkdir(parents=True, exist_ok=True)
        built = benchmark.build()
        card = built.run(work)
    card.settings |= {"options": benchmark.options, "limit": how.limit, "batch_size": how.batch_size}
    if how.limit is not None:
        card.warnings.append(f"only the first {how.limit} items were measured (--limit)")
    name = benchmark.protocol.name
    intervals = card_intervals(card, lambda items: built.aggregate(name, items))
    about = _about(session, how, {"benchmark": provenance(benchmark.component.component)})
    stored = Stored(card, about, intervals)
    if folder is not None:
        table = text_table(stored)
        with atomic_file(folder / "table.txt") as partial:
            partial.write_text(table + "\n", encoding="utf-8")
        write_page(folder / PAGE, card, table, f"{session.name} on {card.protocol}")
        write_card(folder, card, about, intervals)
    return stored


def run_benchmarks(
    benchmarks: Sequence[ChosenBenchmark],
    session: Session,
    how: How,
    out: Path,
    told: Callable[[Stored, bool], None] = lambda stored, again: None,
) -> list[Stored]:
    """Run benchmarks into a folder; what the folder has already is read.

    Args:
        told: called with each result, and whether it was there already.

    Raises:
        UserError: the folder holds something else, or a run of another model or with other settings.
    """
    fixed = {
        "weights": weights_digest(session),
        "dtype": str(next(session.built.model.parameters()).dtype).removeprefix("torch."),
        "limit": how.limit,
        "seed": how.seed,
        "batch_size": how.batch_size,
    }
    begin(out, fixed, {benchmark.id: benchmark.options for benchmark in benchmarks})
    write_about(out, _about(session, how))
    results = []
    for benchmark in benchmarks:
        folder = card_folder(out, benchmark.id)
        there = (folder / SCORES).is_file()
        results.append(read_card(folder) if there else run_benchmark(benchmark, session, how, folder))
        told(results[-1], there)
    return results


def _about(session: Session, how: How, more: Mapping[str, dict[str, str]] | None = None) -> About:
    made_of = session.built.provenance | dict(more or {})
    seed = session.facts.get("seed")
    return About(session.name, session.facts, tuple(session.built.random), how.group, seed, made_of)


def weights_digest(session: Session) -> str:
    """SHA-256 over the names, types and bytes of a model's tensors, in their order."""
    digest = hashlib.sha256()
    for name, tensor in session.built.model.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def _data(data: Path | None, name: str) -> Path | None:
    if data is None:
        return None
    if not data.is_dir():
        raise UserError(f"--data {data} is no folder", "give the folder of the benchmark's files")
    return data / name if (data / name).is_dir() else data
