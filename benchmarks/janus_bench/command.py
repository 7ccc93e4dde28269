"""``janus bench``: list benchmarks, run one on a model."""

from __future__ import annotations

import argparse
from pathlib import Path


class BenchCommand:
    """Measure a model on a benchmark."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        from janus_core.cli.model_arguments import add_model, at_least_one

        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        actions.add_parser("list", help="the benchmarks")
        run = actions.add_parser("run", help="run one on a model")
        run.add_argument("name", metavar="NAME", help="a benchmark, see 'janus bench list'")
        add_model(run)
        run.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="A=B",
            dest="sets",
            help="an option of the benchmark; repeatable",
        )
        run.add_argument("--limit", type=at_least_one, metavar="N", help="only the first N items")
        run.add_argument("--out", type=Path, metavar="DIR", help="also write scores, items and a page")
        run.add_argument("--no-progress", action="store_true", help="no progress bars")

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.action == "list":
            from janus_core.plugins import components

            for component in components("benchmark"):
                print(f"{component.qualified:36s} {component.spec.summary}")
            return 0
        from janus_core.config.choose import choose
        from janus_core.config.load import apply_set
        from janus_core.config.recipe import ComponentChoice
        from janus_core.errors import UserError

        values: dict[str, object] = {}
        for text in arguments.sets:
            apply_set(values, text)
        choice = ComponentChoice(type=arguments.name, options=values)
        choose("benchmark", choice, "benchmark")  # a wrong name is told before the model is loaded
        if arguments.out is not None and arguments.out.exists():
            raise UserError(f"{arguments.out} already exists", "give another --out")
        from janus_bench.run import run_benchmark, write_result
        from janus_bench.table import text_table
        from janus_core.cli.model_arguments import open_session

        session = open_session(arguments)
        result = run_benchmark(choice, session, limit=arguments.limit, show_progress=not arguments.no_progress)
        print(text_table(result.scores, session.built.random))
        if arguments.out is not None:
            write_result(arguments.out, result, session, f"{session.name} on {result.protocol}")
            print(f"page: {arguments.out / 'page.html'}")
        return 0
