"""``janus demo``: one transformer learns to answer questions about pictures and to draw them."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from pathlib import Path

RECIPE, BENCHMARK = "quickstart", "openmoji_scenes"


class DemoCommand:
    """Train the quickstart recipe, measure it on scenes it has never seen, and show what it answers and draws."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        from janus_core.cli.model_arguments import at_least_one

        parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the run (default: runs/demo-<time>)")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="A.B=C",
            dest="sets",
            help="change one value of the recipe, e.g. model.adapters.image=linear",
        )
        parser.add_argument(
            "--scenes", type=at_least_one, default=200, metavar="N", help="held-out scenes to measure on; default: 200"
        )
        parser.add_argument("--resume", action="store_true", help="continue the run in --out")
        parser.add_argument("--no-progress", action="store_true", help="no progress bars")

    def run(self, arguments: argparse.Namespace) -> int:
        from janus_core.cli.recipe import load_checked
        from janus_core.config.recipe import ComponentChoice
        from janus_core.errors import UserError

        if arguments.resume and arguments.out is None:
            raise UserError("--resume needs the folder of the run", "add --out DIR")
        recipe, folder = load_checked(RECIPE, arguments.sets)
        out = arguments.out or Path("runs") / f"demo-{time.strftime('%Y%m%d-%H%M%S')}"
        from janus_bench.chosen import chosen_benchmark
        from janus_bench.run import How, run_benchmarks
        from janus_bench.stored import card_folder
        from janus_bench.table import text_table
        from janus_bench.work import silent, with_bars
        from janus_core.training.runner import Interrupted, train

        began = time.monotonic()
        try:
            session = train(
                recipe, folder=folder, out=out, resume=arguments.resume, progress=not arguments.no_progress, say=_say
            )
        except Interrupted as stop:
            again = shlex.join(
                ["janus", "demo", *(f"--set={text}" for text in arguments.sets), f"--out={out}", "--resume"]
            )
            _say(f"{stop}\ncontinue with: {again}")
            return 130
        _say(f"trained in {(time.monotonic() - began) / 60:.1f} minutes; now {arguments.scenes} unseen scenes")
        benchmark = chosen_benchmark(ComponentChoice(type=BENCHMARK, options={"scenes": arguments.scenes}))
        how = How(progress=silent if arguments.no_progress else with_bars)
        (stored,) = run_benchmarks([benchmark], session, how, out / "benchmark")
        folder = card_folder(out / "benchmark", benchmark.id)
        print(f"\n{text_table(stored)}\n\n{stored.card.attribution}\n")
        print(f"look at:   {folder / 'page.html'}\nthen type:")
        print(f'  janus answer --model {out} {folder / "scene-0.png"} "how many objects are there?"')
        print(f'  janus draw --model {out} "a cat at the top left and a key at the bottom right on a blue background"')
        print("  janus demo --set model.adapters.image=linear      # swap a part by a word, keep everything else fixed")
        return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
