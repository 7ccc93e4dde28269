"""``janus cache``: features and codes of frozen parts, computed once."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from janus_core.cache.build import Builder
    from janus_core.cache.measure import Measured, Side

RECIPE_ACTIONS = {
    "build": "compute the features and codes that the stages of a recipe need",
    "verify": "compute some entries anew and compare them",
    "measure": "time the steps of a stage with and without the cache, side by side",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for action, text in RECIPE_ACTIONS.items():
        command = commands.add_parser(action, help=text, description=text)
        command.add_argument("recipe", metavar="RECIPE", help="a recipe file, its folder, or the name of a shipped one")
        command.add_argument(
            "--set", action="append", default=[], metavar="A.B=C", dest="sets", help="change one value; repeatable"
        )
        command.add_argument("--stage", metavar="NAME", help="one stage (default: all; measure: the first that can)")
        where = "a temporary one" if action == "measure" else "the recipe's run.cache.folder"
        command.add_argument("--folder", type=Path, metavar="DIR", help=f"folder of the cache (default: {where})")
        command.add_argument("--no-progress", action="store_true", help="no progress bar")
        if action == "build":
            command.add_argument("--part", metavar="NAME", help="one part, e.g. encoders.image (default: all frozen)")
        if action == "verify":
            command.add_argument("--sample", type=int, default=100, metavar="N", help="entries of each part")
        if action == "measure":
            command.add_argument("--steps", type=int, default=10, metavar="N", help="steps to time (default: 10)")
    stats = commands.add_parser("stats", help="what a cache holds", description="what a cache holds")
    stats.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the cache")
    stats.add_argument("--json", action="store_true", help="as JSON, with all facts of every space")
    clear = commands.add_parser("clear", help="remove entries", description="remove the entries of a cache")
    clear.add_argument("folder", type=Path, metavar="FOLDER", help="folder of the cache")
    clear.add_argument("--space", metavar="ID", help="one space by the start of its id (default: all)")
    clear.add_argument("--yes", action="store_true", help="remove; without it, only say what would be removed")
    parser.epilog = "example: janus cache build quickstart --stage adapt --folder cache"


def run(arguments: argparse.Namespace) -> int:
    actions = {"build": _build, "verify": _verify, "measure": _measure, "stats": _stats, "clear": _clear}
    return actions[arguments.action](arguments)


def _build(arguments: argparse.Namespace) -> int:
    builder = _builder(arguments)
    lines: list[str] = []
    for stage, cache in builder.caches(arguments.stage, arguments.part, _progress(arguments)):
        for name, part in cache.parts.items():
            tally = part.tally
            lines.append(f"{stage.name}: {name}: {tally.entries} entries, {tally.computed} computed now")
    print("\n".join(lines) or "nothing to cache: no stage draws an input of a frozen part")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from janus_core.errors import UserError

    if arguments.sample < 1:
        raise UserError(f"--sample {arguments.sample} checks nothing", "give 1 or more")
    builder = _builder(arguments, check=1.0)
    checked = 0
    caches = builder.caches(arguments.stage, None, _progress(arguments), compute=False, enough=arguments.sample)
    for stage, cache in caches:
        for name, part in cache.parts.items():
            tally = part.tally
            checked += tally.checked
            print(f"{stage.name}: {name}: {tally.checked} entries are right, {tally.missing} inputs have none")
    if not checked:
        raise UserError("the cache has no entry of this recipe", "build them: janus cache build RECIPE")
    return 0


def _measure(arguments: argparse.Namespace) -> int:
    import tempfile

    from janus_core.cache.measure import measure
    from janus_core.errors import UserError

    if arguments.steps < 1:
        raise UserError(f"--steps {arguments.steps} measures nothing", "give 1 or more")
    with tempfile.TemporaryDirectory() as temporary:
        arguments.folder = arguments.folder or Path(temporary)
        found = measure(_builder(arguments), arguments.stage, arguments.steps)
    print(table(found))
    return 0


def table(found: Measured) -> str:
    """What was measured, in milliseconds a step (medians)."""
    from statistics import median

    def row(name: str, side: Side) -> str:
        return f"{name:<8}{1e3 * side.step:>10.1f}{1e3 * median(side.reading):>10.1f}{1e3 * median(side.model):>10.1f}"

    return "\n".join(
        [
            f"stage {found.stage}, {found.steps} steps each, in turns; cached: {', '.join(found.parts)}",
            f"{'':<8}{'ms/step':>10}{'reading':>10}{'model':>10}",
            row("live", found.live),
            row("cached", found.cached),
            f"{found.ratio:.2f} times {'faster' if found.ratio >= 1 else 'as fast: SLOWER'}; "
            f"largest difference of a loss: {found.largest_difference:.3g}; filling took {found.fill:.1f} s",
        ]
    )


def _builder(arguments: argparse.Namespace, check: float | None = None) -> Builder:
    from janus_core.cli.recipe import load_checked

    recipe, folder = load_checked(arguments.recipe, arguments.sets)
    from janus_core.cache.build import Builder, with_cache
    from janus_core.training.threads import choose_threads

    recipe = with_cache(recipe, arguments.folder, check=check)
    choose_threads(recipe.run.threads)
    return Builder(recipe, folder, lambda text: print(text, file=sys.stderr, flush=True))


def _progress(arguments: argparse.Namespace) -> Any:
    def wrap(batches: Iterable[Any], count: int) -> Iterable[Any]:
        if arguments.no_progress:
            return batches
        from tqdm import tqdm

        wrapped: Iterable[Any] = tqdm(batches, total=count, desc="cache", unit="step", leave=False)
        return wrapped

    return wrap


def _stats(arguments: argparse.Namespace) -> int:
    import json

    spaces = _spaces(arguments.folder)
    if arguments.json:
        print(json.dumps({"folder": str(arguments.folder), "spaces": spaces}, indent=2, ensure_ascii=False))
        return 0
    print(f"{'space':<18}{'role':<10}{'entries':>9}{'shards':>8}{'MB':>10}  last used         component")
    for space in spaces:
        print(
            f"{space['id']:<18}{space['role']:<10}{space['entries']:>9}{space['shards']:>8}"
            f"{space['bytes'] / 1e6:>10.2f}  {space['used'] or 'never':<16}  {space['component']}"
        )
    print(f"{len(spaces)} spaces, {sum(space['bytes'] for space in spaces) / 1e6:.2f} MB")
    return 0


def _spaces(folder: Path) -> list[dict[str, Any]]:
    import time

    from janus_core.cache.store import Store, bytes_of, count_entries, last_used, read_space, shards
    from janus_core.errors import UserError

    if not folder.is_dir():
        raise UserError(f"{folder} is no folder", "give the folder of a cache: run.cache.folder of the recipe")
    found = []
    for path in Store(folder).spaces():
        files, facts = shards(path), read_space(path)
        latest = max(map(last_used, files), default=0.0)
        found.append(
            {
                "id": path.name,
                "role": facts.get("role", "?"),
                "component": facts.get("component", "?"),
                "entries": sum(map(count_entries, files)),
                "shards": len(files),
                "bytes": sum(map(bytes_of, files)),
                "used": time.strftime("%Y-%m-%d %H:%M", time.localtime(latest)) if files else None,
                "facts": facts,
            }
        )
    return found


def _clear(arguments: argparse.Namespace) -> int:
    from janus_core.cache.store import Store
    from janus_core.errors import UserError

    spaces = [space for space in _spaces(arguments.folder) if space["id"].startswith(arguments.space or "")]
    if arguments.space is not None and len(spaces) != 1:
        known = ", ".join(path.name for path in Store(arguments.folder).spaces()) or "none"
        raise UserError(f"--space {arguments.space}: {len(spaces)} spaces of that name", f"spaces: {known}")
    size = sum(space["bytes"] for space in spaces) / 1e6
    what = f"{len(spaces)} spaces, {sum(space['entries'] for space in spaces)} entries, {size:.2f} MB"
    if not arguments.yes:
        raise UserError(f"nothing was removed: this would remove {what}", "add --yes")
    Store(arguments.folder).remove(spaces[0]["id"] if arguments.space else None)
    print(f"removed: {what}")
    return 0
