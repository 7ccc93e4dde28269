"""Runs a registered benchmark on a session and writes what it gave."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from janus_bench.page import write_page
from janus_bench.table import rows, text_table
from janus_core.checkpoints.atomic import atomic_folder
from janus_core.config.choose import choose, load
from janus_core.config.provenance import provenance
from janus_core.config.recipe import ComponentChoice
from janus_core.inference.session import Session
from janus_core.interfaces import Benchmark, BenchmarkResult, BuildContext


def run_benchmark(
    choice: ComponentChoice, session: Session, *, limit: int | None = None, show_progress: bool = True
) -> BenchmarkResult:
    """Build the benchmark by name and run it.

    Raises:
        UserError: there is none of this name, or its options are wrong.
    """
    chosen = choose("benchmark", choice, "benchmark")
    factory = load(chosen.component, chosen.component.spec.factory)
    benchmark = cast(Benchmark, factory(chosen.options, BuildContext()))
    result = benchmark.run(session, limit=limit, progress=_bar if show_progress else _no_bar)
    result.provenance = provenance(chosen.component)
    return result


def write_result(folder: Path, result: BenchmarkResult, session: Session, title: str) -> None:
    """Write ``scores.json``, ``items.jsonl``, ``table.txt``, the pictures and ``page.html``; whole or not at all."""
    with atomic_folder(folder) as partial:
        about: dict[str, Any] = {"protocol": result.protocol, "model": session.name, "facts": session.facts}
        about["provenance"] = session.built.provenance | {"benchmark": result.provenance}
        about |= {"random_weights": session.built.random, "scores": rows(result.scores)}
        (partial / "scores.json").write_text(json.dumps(about, indent=2, ensure_ascii=False), encoding="utf-8")
        lines = [json.dumps(item, ensure_ascii=False) for item in result.items]
        (partial / "items.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        (partial / "table.txt").write_text(text_table(result.scores, session.built.random) + "\n", encoding="utf-8")
        for name, picture in result.pictures.items():
            picture.save(partial / name)
        write_page(partial / "page.html", result, title, session.built.random)


def _bar(items: Iterable[Any], what: str) -> Iterable[Any]:
    from tqdm import tqdm

    return cast(Iterable[Any], tqdm(items, desc=what, leave=False))


def _no_bar(items: Iterable[Any], what: str) -> Iterable[Any]:
    return items
