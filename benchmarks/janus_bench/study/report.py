"""The report of a study: Markdown, CSV and a picture, rendered from the files of its cells."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from janus_bench.study.picture import Point, draw
from janus_bench.study.plan import Plan, read_plan
from janus_bench.study.results import SIDES, Measured, RowResult, read_results
from janus_bench.study.spread import Spread, told_apart
from janus_bench.table import shown, whole
from janus_core.checkpoints.atomic import atomic_file
from janus_core.scores import Unit

DASH = "–"


def write_report(folder: Path) -> str:
    """Write ``report.md``, ``report.csv`` and a picture for each benchmark into a study's folder; returns the Markdown.

    Raises:
        UserError: the folder holds no study.
    """
    plan = read_plan(folder)
    results = read_results(plan, folder)
    pictures = {}
    for benchmark in plan.benchmarks:
        if points := _points(results, benchmark):
            pictures[benchmark] = f"report-{benchmark.replace('/', '-')}.svg"
            axes = [_headline(results, benchmark, side) or side for side in SIDES]
            _write(folder / pictures[benchmark], draw(points, axes[0], axes[1], f"{plan.name}: {benchmark}"))
    text = markdown(plan, results, pictures)
    _write(folder / "report.md", text + "\n")
    _write(folder / "report.csv", table_csv(results))
    return text


def _write(path: Path, text: str) -> None:
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def markdown(plan: Plan, results: Sequence[RowResult], pictures: dict[str, str]) -> str:
    """The report: one table a benchmark, what the numbers cannot tell, what was equal, what failed."""
    done = sum(len(result.done) for result in results)
    parts = [f"# {plan.name}", "", *([plan.description.strip(), ""] if plan.description else [])]
    parts += [f"{done} of {len(plan.cells)} cells done; seeds {', '.join(map(str, plan.seeds))}.", ""]
    for benchmark in plan.benchmarks:
        parts += [*_benchmark(results, benchmark), ""]
        if benchmark in pictures:
            parts += [f"![understanding against generation]({pictures[benchmark]})", ""]
        parts += [*_all_scores(results, benchmark), ""]
    warnings = [*_noise(plan, results), *_random(results), *_notes(results)]
    for title, lines in (
        ("Read with care", warnings),
        ("What was held equal", [item.sentence() for item in plan.matched]),
        ("Cells that failed", list(_failed(results))),
        (
            "Cells that have not run",
            [f"{r.row.name}: seeds {', '.join(map(str, r.missing))}" for r in results if r.missing],
        ),
        ("Rows", list(_rows(results))),
    ):
        if lines:
            parts += [f"## {title}", *(f"- {line}" for line in lines), ""]
    return "\n".join(parts).rstrip()


def _benchmark(results: Sequence[RowResult], benchmark: str) -> list[str]:
    scores = [(side, _headline(results, benchmark, side)) for side in SIDES]
    own = benchmark.partition("@")[0].rpartition("/")[2]
    protocols = sorted({p for r in results for c in r.done for p in c.protocols if p.partition("@")[0] == own})
    head = ["row"]
    for side, name in scores:
        head += [f"{side}: {name or 'not measured'}", "min to max", "95 % of the items"]
    head += ["seeds", "parameters", "trained", "train s", "bench s"]
    lines = [f"## {' and '.join(protocols) or benchmark}", "", _bar(head), _bar(["---"] * len(head))]
    lines += [_bar(_line(result, benchmark, [name for _, name in scores])) for result in results]
    return [*lines, "", "Per cent; mean ± standard deviation over seeds. The interval is that of one run's items."]


def _line(result: RowResult, benchmark: str, scores: Sequence[str | None]) -> list[str]:
    cells = [result.row.name + (" (RANDOM)" if result.random else "")]
    for name in scores:
        over = result.spread(benchmark, name) if name else None
        cells += [DASH] * 3 if over is None or name is None else _score(over, result.values(benchmark, name))
    counts = [result.parameters(name) for name in ("total", "trained")]
    cells += [f"{len(result.done)}" + (f", {len(result.failed)} failed" if result.failed else "")]
    cells += [DASH if count is None else f"{count:,}" for count in counts]
    return [*cells, *(_seconds(result.seconds(command)) for command in ("train", "bench"))]


def _score(over: Spread, values: Sequence[Measured]) -> list[str]:
    unit = values[0].score.unit
    least, most = shown(over.least, unit), shown(over.most, unit)
    # The same items in every cell: more seeds make them no more, so the interval is that of a single run.
    known = [(v.interval.low - v.value, v.interval.high - v.value) for v in values if v.interval is not None]
    if not known:
        return [_mean(over, unit), f"{least} to {most}", DASH]
    low, high = (over.mean + sum(ends) / len(known) for ends in zip(*known, strict=True))
    return [_mean(over, unit), f"{least} to {most}", f"{whole(low, unit)} to {whole(high, unit)}"]


def _all_scores(results: Sequence[RowResult], benchmark: str) -> list[str]:
    """Every score, a column a row of the study."""
    names = list(dict.fromkeys(s.name for r in results for c in r.done for s in c.scores if s.benchmark == benchmark))
    lines = [_bar(["score", *(result.row.name for result in results)]), _bar(["---"] * (len(results) + 1))]
    for name in names:
        over = [result.spread(benchmark, name) for result in results]
        unit = next(value.score.unit for r in results for value in r.values(benchmark, name))
        lines.append(_bar([name, *(DASH if spread is None else _mean(spread, unit) for spread in over)]))
    return lines if names else []


def _mean(over: Spread, unit: Unit) -> str:
    return shown(over.mean, unit) + ("" if over.deviation is None else f" ± {shown(over.deviation, unit)}")


def _headline(results: Sequence[RowResult], benchmark: str, side: str) -> str | None:
    named = [name for result in results for owner, name in result.headline(side) if owner == benchmark]
    return named[0] if named else None


def _noise(plan: Plan, results: Sequence[RowResult]) -> Iterator[str]:
    """Pairs of rows whose difference the seeds alone could make."""
    for benchmark, side in itertools.product(plan.benchmarks, SIDES):
        name = _headline(results, benchmark, side)
        over = {r.row.name: s for r in results if name and (s := r.spread(benchmark, name)) is not None}
        verdicts = {pair: told_apart(over[pair[0]], over[pair[1]]) for pair in itertools.combinations(over, 2)}
        inside = [f"{one} and {other}" for (one, other), apart in verdicts.items() if apart is False]
        if inside:
            yield f"{side}: the difference lies inside the noise of the seeds (95 %, Welch): {'; '.join(inside)}"
        if single := [row for row, value in over.items() if value.deviation is None]:
            yield f"{side}: one seed says nothing of noise: {', '.join(single)}"


def _random(results: Sequence[RowResult]) -> Iterator[str]:
    for result in results:
        if result.random:
            yield f"{result.row.name}: RANDOM weights, never trained: {', '.join(result.random)}"


def _notes(results: Sequence[RowResult]) -> Iterator[str]:
    for result in results:
        for cell in result.done:
            yield from (f"{result.row.name} seed {cell.seed}: {note}" for note in cell.notes)
    again = [f"{r.row.name} seed {c.seed}" for r in results for c in r.done if c.state.attempts > 1]
    if again:
        yield f"begun more than once, and what a killed attempt took is not in their seconds: {', '.join(again)}"
    protocols = {protocol for result in results for cell in result.done for protocol in cell.protocols}
    names = [protocol.partition("@")[0] for protocol in protocols]
    if len(set(names)) < len(names):
        yield f"cells were measured with different versions of a protocol: {', '.join(sorted(protocols))}"
    versions = {tuple(cell.state.versions.items()) for result in results for cell in result.done}
    if len(versions) > 1:
        keys = {
            key for one in versions for key, value in one if any(dict(other).get(key) != value for other in versions)
        }
        yield f"cells ran with different versions of: {', '.join(sorted(keys))}"
    made_by: dict[str, set[tuple[str, ...]]] = {}
    for cell in (cell for result in results for cell in result.done):
        for item in cell.state.provenance.values():
            made_by.setdefault(item["component"], set()).add(tuple(item.values()))
    if several := sorted(name for name, makers in made_by.items() if len(makers) > 1):
        yield f"cells ran with different code of: {', '.join(several)}"


def _failed(results: Sequence[RowResult]) -> Iterator[str]:
    for result in results:
        for state in result.failed:
            why = state.reason.sentence() if state.reason else "no reason was recorded"
            yield f"{result.row.name} seed {state.seed} ({state.id}): {why}"


def _rows(results: Sequence[RowResult]) -> Iterator[str]:
    for result in results:
        same = f" (the same recipe as {', '.join(result.row.also)})" if result.row.also else ""
        changed = "; ".join(f"`{text}`" for text in result.row.differs) or "the recipe as it is"
        yield f"{result.row.name}{same}: {changed}"


def _points(results: Sequence[RowResult], benchmark: str) -> list[Point]:
    """The picture's points; none for scores that are no shares, which its axes cannot hold."""
    names = [_headline(results, benchmark, side) for side in SIDES]
    values = [value for name in names if name for r in results for value in r.values(benchmark, name)]
    if any(value.score.unit != "share" for value in values):
        return []
    points = []
    for result in results:
        both = [result.spread(benchmark, name) if name else None for name in names]
        if any(over is not None for over in both):
            points.append(Point(result.row.name, both[0], both[1]))
    return points


def table_csv(results: Sequence[RowResult]) -> str:
    """Every score of every cell, one line each; what the tables show can be made from it."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    head = ["row", "seed", "cell", "status", "benchmark", "task", "score", "value", "low", "high", "right", "of"]
    writer.writerow([*head, "parameters", "trained", "train_seconds", "bench_seconds", "random_weights", "reason"])
    for result in results:
        row = result.row
        for cell in result.done:
            counted, random = cell.state.parameters or {}, " ".join(cell.random)
            cost = [counted.get("total", ""), counted.get("trained", ""), *_spent(cell.state.seconds), random, ""]
            for score in cell.scores:
                ends = [""] * 2 if (at := score.interval) is None else [f"{at.low:.6f}", f"{at.high:.6f}"]
                counts = ["" if score.score.correct is None else score.score.correct, score.score.total]
                told = [score.benchmark, score.score.task or "", score.name, f"{score.value:.6f}"]
                named = [*told, *ends, *counts]
                writer.writerow([row.name, cell.seed, cell.state.id, "done", *named, *cost])
        for state in result.failed:
            reason = state.reason.sentence() if state.reason else ""
            writer.writerow([row.name, state.seed, state.id, "failed", *[""] * 13, reason])
        for seed in result.missing:
            writer.writerow([row.name, seed, row.cells[seed], "missing", *[""] * 14])
    return buffer.getvalue()


def _spent(seconds: dict[str, float]) -> list[float]:
    return [
        round(sum(s for name, s in seconds.items() if name.split()[0] == command), 1) for command in ("train", "bench")
    ]


def _seconds(over: Spread | None) -> str:
    return DASH if over is None else f"{over.mean:,.0f}"


def _bar(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"
