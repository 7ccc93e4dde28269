"""``janus study``: plan a study, run its cells, report what they gave."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


class StudyCommand:
    """Vary a recipe along axes and seeds, hold the rest equal, and compare understanding with generation."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        plan = actions.add_parser("plan", help="what would run; builds and trains nothing")
        run = actions.add_parser("run", help="run the cells that are not done yet, one after another")
        report = actions.add_parser("report", help="tables and a picture, from the files of the cells alone")
        for action in (plan, run, report):
            action.add_argument("study", type=Path, metavar="FILE", help="a study file, or the name of a shipped one")
            action.add_argument(
                "--out", type=Path, metavar="DIR", help="folder of the study (default: runs/<name of the study>)"
            )
            action.add_argument(
                "--set",
                action="append",
                default=[],
                metavar="A.B=C",
                dest="sets",
                help="change one value of the study file, e.g. seeds=[0]; repeatable",
            )
        plan.add_argument("--json", action="store_true", help="as JSON")
        plan.add_argument("--count", action="store_true", help="also count the parameters, in a process of its own")
        run.add_argument("--retry-failed", action="store_true", help="run the cells once more that failed")

    def run(self, arguments: argparse.Namespace) -> int:
        if arguments.action == "plan":
            return _plan(arguments)
        if arguments.action == "run":
            return _run(arguments)
        return _report(arguments)


def _plan(arguments: argparse.Namespace) -> int:
    from janus_bench.study.cell_folder import done_cells
    from janus_bench.study.counting import count_parameters
    from janus_bench.study.plan import find_study, make_plan, read_study
    from janus_bench.study.plan_text import plan_text

    study = read_study(arguments.study, arguments.sets)
    plan = make_plan(study, find_study(arguments.study).parent)
    if arguments.count:
        for row in plan.rows:
            row.parameters = count_parameters(plan, row)
    if arguments.json:
        print(plan.model_dump_json(indent=2))
    else:
        print(plan_text(plan, done_cells(arguments.out or Path("runs") / plan.name)))
    if plan.unmatched and not arguments.json:
        _say("this study would not run: what must be equal is not")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    from janus_bench.study.plan import find_study, make_plan, read_study
    from janus_bench.study.report import write_report
    from janus_bench.study.run import Stopped, run_study
    from janus_bench.study.runner import LocalProcesses

    plan = make_plan(read_study(arguments.study, arguments.sets), find_study(arguments.study).parent)
    out = arguments.out or Path("runs") / plan.name
    try:
        failed = run_study(plan, out, LocalProcesses(), retry_failed=arguments.retry_failed, say=_say)
    except Stopped as stop:
        _say(f"{stop}\ngo on with the same command; what is done so far: janus study report {out}")
        return 130
    text = write_report(out)
    print(text)
    _say(f"report: {out / 'report.md'}")
    return 1 if failed else 0


def _report(arguments: argparse.Namespace) -> int:
    from janus_bench.study.plan import PLAN, read_study
    from janus_bench.study.report import write_report

    given = arguments.study
    folder = given if (given / PLAN).is_file() else arguments.out
    if folder is None:
        folder = Path("runs") / read_study(given, arguments.sets).name
    print(write_report(folder))
    _say(f"report: {folder / 'report.md'}")
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
