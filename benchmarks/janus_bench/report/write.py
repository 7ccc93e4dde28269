"""Writes a report into a new folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from janus_bench.papers.rows import paper_rows
from janus_bench.report.gather import gather
from janus_bench.report.latex import latex
from janus_bench.report.markdown import markdown
from janus_bench.report.page import page
from janus_bench.stored import Run
from janus_core.checkpoints.atomic import atomic_folder
from janus_core.errors import UserError


def write_report(runs: Sequence[Run], out: Path, *, papers: bool = True) -> list[Path]:
    """Write ``report.md``, ``report.tex`` and ``report.html``; whole or not at all.

    Args:
        papers: with the rows that papers print of the same benchmarks.

    Raises:
        UserError: the folder exists, or a group holds a seed twice.
    """
    if out.exists():
        raise UserError(f"{out} already exists", "give another --out")
    report = gather(runs, paper_rows() if papers else ())
    texts = {"report.html": page(report), "report.md": markdown(report), "report.tex": latex(report)}
    with atomic_folder(out) as partial:
        for name, content in texts.items():
            (partial / name).write_text(content, encoding="utf-8")
    return [out / name for name in texts]
