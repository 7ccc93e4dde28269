"""Make a run of the quickstart recipe the checkpoint that ships: float16 weights, table, the README's picture.

janus train quickstart --out runs/again
.venv/bin/python tools/ship_quickstart.py runs/again
.venv/bin/python tools/ship_quickstart.py               # the table alone, of what ships
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from janus_bench.chosen import chosen_benchmark
from janus_bench.run import How, run_benchmark
from janus_bench.stored import card_json
from janus_bench.table import text_table
from janus_bench.work import with_bars
from janus_core.checkpoints.atomic import atomic_folder
from janus_core.checkpoints.own import FACTS, RECIPE, TEXT, WEIGHTS, load_checkpoint
from janus_core.config.recipe import ComponentChoice
from janus_core.inference.session import Session

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "recipes" / "quickstart" / "checkpoint"
TABLE = re.compile(r"(<!-- table of recipes/quickstart/checkpoint: begin -->\n).*?(<!-- table .*?: end -->)", re.DOTALL)


def main(run: Path | None) -> None:
    """Ship a run; without one, measure what ships once more."""
    with atomic_folder(SHIPPED) as partial:
        if run is None:
            shutil.copytree(SHIPPED, partial, dirs_exist_ok=True)
            stages = json.loads((partial / "scores.json").read_text(encoding="utf-8"))["stages"]
        else:
            stages = _take(run, partial)
        built, recipe, facts = load_checkpoint(partial)
        built.model.eval()
        benchmark = chosen_benchmark(ComponentChoice(type="openmoji_scenes"))
        stored = run_benchmark(benchmark, Session(built, recipe.name, facts), How(progress=with_bars))
        table = text_table(stored)
        about = {"stages": stages} | card_json(stored.card, stored.about, stored.intervals)
        (partial / "scores.json").write_text(json.dumps(about, indent=2), encoding="utf-8")
        (partial / "table.txt").write_text(table + "\n", encoding="utf-8")
    print(table)
    readme = ROOT / "README.md"
    text = TABLE.sub(lambda found: f"{found[1]}```text\n{table}\n```\n{found[2]}", readme.read_text(encoding="utf-8"))
    readme.write_text(text, encoding="utf-8")
    if run is not None:
        sheet = max((run / "samples").glob("instruct-*.png"))
        shutil.copy(sheet, ROOT / "docs" / "quickstart.png")


def _take(run: Path, partial: Path) -> dict[str, dict[str, float]]:
    """Copy a run's checkpoint in float16; steps and seconds of its stages."""
    for name in (RECIPE, FACTS, TEXT):
        shutil.copy(run / "checkpoint" / name, partial / name)
    state = load_file(run / "checkpoint" / WEIGHTS)
    save_file({key: t.half() if t.is_floating_point() else t for key, t in state.items()}, partial / WEIGHTS)
    (partial / WEIGHTS).chmod(0o644)
    stages = json.loads((run / "run.json").read_text(encoding="utf-8"))["stages"]
    return {name: {"steps": stage["steps"], "seconds": stage["seconds"]} for name, stage in stages.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
