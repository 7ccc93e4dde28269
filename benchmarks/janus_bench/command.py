"""``janus bench``: list benchmarks, run them on a model, score files, compare runs, report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from janus_bench.stored import Stored


class BenchCommand:
    """Measure models on benchmarks."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        from janus_core.cli.model_arguments import add_model, at_least_one

        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        listing = actions.add_parser("list", help="the benchmarks and their protocols")
        listing.add_argument("--json", action="store_true", help="print JSON")

        run = actions.add_parser("run", help="run benchmarks on a model; a run that was stopped goes on")
        run.add_argument(
            "names", nargs="+", metavar="NAME[@PROTOCOL]", help="benchmarks, see 'janus bench list'; each once"
        )
        add_model(run)
        run.add_argument(
            "--data", type=Path, metavar="DIR", help="the benchmark's files, or a folder of its name for each benchmark"
        )
        _add_sets(run)
        run.add_argument("--limit", type=at_least_one, metavar="N", help="only the first N items of each")
        run.add_argument("--seed", type=int, default=0, help="of the drawings; default: 0")
        run.add_argument(
            "--batch-size", type=at_least_one, default=50, metavar="N", help="asked or drawn at once; default: 50"
        )
        run.add_argument("--name", metavar="TEXT", help="of the model in tables; default: the recipe's")
        run.add_argument(
            "--group", default="", metavar="TEXT", help="runs of one group are training seeds of one model"
        )
        run.add_argument(
            "--out",
            type=Path,
            metavar="RUN",
            help="keep scores, items and predictions; goes on if it was begun",
        )
        run.add_argument("--json", action="store_true", help="print JSON")
        run.add_argument("--no-progress", action="store_true", help="no progress bars")

        score = actions.add_parser("score", help="score files of predictions, whoever wrote them")
        score.add_argument("name", metavar="NAME[@PROTOCOL]", help="a benchmark, see 'janus bench list'")
        score.add_argument("--protocol", metavar="P", help="default: the benchmark's first")
        score.add_argument("--predictions", type=Path, required=True, metavar="PATH", help="file or folder")
        score.add_argument(
            "--annotations", type=Path, metavar="PATH", help="file or folder; not needed where predictions hold them"
        )
        _add_sets(score)
        score.add_argument("--name", default="predictions", dest="model", metavar="TEXT", help="of the model in tables")
        score.add_argument("--out", type=Path, metavar="RUN", help="keep the scores, to compare and report them")
        score.add_argument("--json", action="store_true", help="print JSON: scores, details and every item")

        compare = actions.add_parser("compare", help="say whether two runs differ by more than noise")
        compare.add_argument("runs", nargs=2, type=Path, metavar="RUN", help="folders; the second minus the first")
        compare.add_argument("--json", action="store_true", help="print JSON")

        report = actions.add_parser("report", help="tables and plots of runs: Markdown, LaTeX and an HTML page")
        report.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders of runs")
        report.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write; must not exist")
        report.add_argument("--no-papers", action="store_true", help="without the rows that papers print")

    def run(self, arguments: argparse.Namespace) -> int:
        return int(getattr(self, f"_{arguments.action}")(arguments))

    def _list(self, arguments: argparse.Namespace) -> int:
        from janus_core.hookspecs import BenchmarkSpec
        from janus_core.plugins import components

        found = [(component, cast("BenchmarkSpec", component.spec)) for component in components("benchmark")]
        if arguments.json:
            print(json.dumps([_facts(component.qualified, spec) for component, spec in found], indent=2))
            return 0
        for _, spec in found:
            print(f"{spec.name:16s} {spec.summary}")
            for number, protocol in enumerate(spec.protocols):
                default = " (default)" if number == 0 and len(spec.protocols) > 1 else ""
                print(f"  @{protocol.name:24s} {protocol.summary}{default}")
            if spec.data:
                print(f"  --data: {spec.data}")
        return 0

    def _run(self, arguments: argparse.Namespace) -> int:
        from janus_bench.chosen import choices, chosen_benchmark
        from janus_bench.run import How, run_benchmark, run_benchmarks
        from janus_bench.work import silent, with_bars
        from janus_core.cli.model_arguments import open_session

        wanted = [chosen_benchmark(choice) for choice in choices(arguments.names, arguments.sets)]
        session = open_session(arguments)
        session.name = arguments.name or session.name
        how = How(
            data=arguments.data,
            limit=arguments.limit,
            seed=arguments.seed,
            batch_size=arguments.batch_size,
            group=arguments.group,
            progress=silent if arguments.no_progress else with_bars,
        )

        def told(stored: Stored, there: bool) -> None:
            if not arguments.json:
                _print(stored, " (was there)" if there else "")

        if arguments.out is None:
            results = [run_benchmark(benchmark, session, how) for benchmark in wanted]
            for stored in results:
                told(stored, False)
        else:
            results = run_benchmarks(wanted, session, how, arguments.out, told)
            print(f"pages: {arguments.out}/*/page.html", file=sys.stderr)
        if arguments.json:
            print(json.dumps([_json(stored) for stored in results], indent=2, ensure_ascii=False))
        return 0

    def _score(self, arguments: argparse.Namespace) -> int:
        from janus_bench.chosen import choices, chosen_benchmark
        from janus_bench.rescore import keep, score_files

        (choice,) = choices([arguments.name], arguments.sets)
        benchmark = chosen_benchmark(choice, arguments.protocol)
        stored = score_files(benchmark, arguments.predictions, arguments.annotations, arguments.model)
        if arguments.out is not None:
            keep(arguments.out, stored)
        if arguments.json:
            from dataclasses import asdict

            items = [asdict(item) for item in stored.card.items]
            print(json.dumps(_json(stored) | {"per_item": items}, indent=2, ensure_ascii=False))
        else:
            _print(stored)
        return 0

    def _compare(self, arguments: argparse.Namespace) -> int:
        from janus_bench.compare import compare
        from janus_bench.stored import read_run

        found = compare(*(read_run(folder) for folder in arguments.runs))
        print(json.dumps(found.facts(), indent=2, ensure_ascii=False) if arguments.json else found.text())
        return 0

    def _report(self, arguments: argparse.Namespace) -> int:
        from janus_bench.report import write_report
        from janus_bench.stored import read_run

        written = write_report(
            [read_run(folder) for folder in arguments.runs], arguments.out, papers=not arguments.no_papers
        )
        for path in written:
            print(path)
        return 0


def _add_sets(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A=B",
        dest="sets",
        help="an option of the benchmark, NAME.A=B where there are several; repeatable",
    )


def _facts(qualified: str, spec: Any) -> dict[str, Any]:
    protocols = [
        {"id": f"{spec.name}@{one.name}", "version": one.version, "summary": one.summary, "prompts": one.prompts}
        for one in spec.protocols
    ]
    facts = {"name": spec.name, "qualified": qualified, "summary": spec.summary, "tasks": spec.tasks}
    return facts | {"data": spec.data, "licence": spec.licence, "paper": spec.paper, "protocols": protocols}


def _print(stored: Stored, note: str = "") -> None:
    from janus_bench.table import text_table

    card = stored.card
    print(f"{stored.about.model} on {card.protocol}, version {card.version}{note}\n{text_table(stored)}\n")


def _json(stored: Stored) -> dict[str, Any]:
    from janus_bench.stored import card_json

    return card_json(stored.card, stored.about, stored.intervals)
