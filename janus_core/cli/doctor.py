"""``janus doctor``: can everything run in this environment? Each line says what is wrong and what mends it.

It imports none of the libraries that a broken environment breaks: torch is imported in a process of its own, and
torchvision, lightning and timm not at all.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distributions, entry_points, version
from pathlib import Path
from typing import Literal

from janus_core.plugins import DISTRIBUTION, manager
from janus_registry.discovery import canonical, identity
from janus_registry.errors import RegistryError
from janus_registry.requirements import install_command, missing_requirements

Level = Literal["OK", "WARN", "FAIL"]
PYTHON = (3, 11)
FEW_GIGABYTES, HARDLY_ANY = 10e9, 1e9
TAMING = ("taming-transformers", "taming-transformers-rom1504")
PROBE = """
import json, sys
import torch
facts = {"torch": torch.__version__, "cuda": torch.version.cuda, "devices": torch.cuda.device_count()}
print(json.dumps(facts), flush=True)
if len(sys.argv) > 1:
    torch.ops.load_library(sys.argv[1])
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One finding: its ``mend`` is the command or edit that mends it."""

    name: str
    level: Level
    text: str
    mend: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print every finding; 1 if one of them is FAIL."""
    checks = list(examine())
    if arguments.json:
        print(json.dumps([asdict(check) for check in checks], indent=2))
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            print(f"{check.level:<4}  {check.name:<{width}}  {check.text}")
            if check.mend:
                print(f"{'':<4}  {'':<{width}}  mend: {check.mend}")
    return int(any(check.level == "FAIL" for check in checks))


def examine() -> Iterator[Check]:
    """All findings."""
    yield _python()
    yield from _names()
    yield from _torch()
    yield from _taming()
    yield from _plugins()
    yield _disk(Path.cwd())


def _python() -> Check:
    written = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON:
        return Check(
            "python", "FAIL", f"{written} at {sys.executable}", f"install Python {PYTHON[0]}.{PYTHON[1]} or later"
        )
    return Check("python", "OK", f"{written} at {sys.executable}")


def _names() -> Iterator[Check]:
    """The import name ``janus_core`` and the script ``janus`` are shipped by another project, ``janus-core``, too."""
    ours = installed(DISTRIBUTION)
    if ours is None:
        yield Check("names", "FAIL", f"{DISTRIBUTION} is not installed", "pip install -e . in the repository")
    others = {
        name
        for name, found in ((identity(found)[0], found) for found in distributions())
        if canonical(name) != DISTRIBUTION and (canonical(name) == "janus-core" or _ships(found, "janus_core"))
    }
    for other in sorted(others):
        mend = f"pip uninstall {other}, then reinstall {DISTRIBUTION} (one overwrote files of the other)"
        yield Check("names", "FAIL", f"{other} also ships the import name janus_core", mend)
    for script in entry_points(group="console_scripts", name="janus"):
        owner = identity(script.dist)[0] if script.dist is not None else "?"
        if canonical(owner) != DISTRIBUTION and owner not in others:
            mend = f"pip uninstall {owner}, or run 'python -m janus_core' in place of 'janus'"
            yield Check("names", "FAIL", f"{owner} also ships the script janus", mend)
    if ours is not None and not others:
        yield Check("names", "OK", f"{DISTRIBUTION} {ours}; janus_core is ours ({Path(__file__).parents[1]})")


def _ships(distribution: Distribution, package: str) -> bool:
    """Whether the distribution installed this import package, by its list of files."""
    return any(file.parts[:1] == (package,) for file in distribution.files or ())


def installed(name: str) -> str | None:
    """Version of an installed distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _torch() -> Iterator[Check]:
    """torch imports, and torchvision was built for it: a mismatch breaks timm, open_clip, lightning and more."""
    torch, vision = installed("torch"), installed("torchvision")
    if torch is None:
        yield Check("torch", "FAIL", "torch is not installed", "pip install torch torchvision")
        return
    library = _torchvision_library() if vision is not None else None
    arguments = [sys.executable, "-c", PROBE, *([str(library)] if library else [])]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        yield Check("torch", "FAIL", f"torch {torch}: importing it takes more than 300 s", "reinstall torch")
        return
    lines = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
    if not done.stdout.startswith("{"):
        yield Check("torch", "FAIL", f"torch {torch} cannot be imported: {lines}", "uv pip install --reinstall torch")
        return
    facts = json.loads(done.stdout.splitlines()[0])
    built = f"CUDA {facts['cuda']}, {facts['devices']} devices" if facts["cuda"] else "CPU only"
    yield Check("torch", "OK", f"torch {facts['torch']} ({built})")
    mend = "uv pip install --reinstall torch torchvision (both from the same index, without the CPU-only one)"
    if vision is None:
        text = "torchvision is not installed: timm and open_clip, and the encoders on them, cannot be imported"
        yield Check("torchvision", "FAIL", text, "uv pip install torchvision")
    elif library is None:
        yield Check("torchvision", "FAIL", f"torchvision {vision} has no extension file _C_stable.so or _C.so", mend)
    elif done.returncode != 0:
        cause = "the CPU-only torch lacks the CUDA libraries" if "+cpu" in torch else "it was built for another torch"
        text = (
            f"torchvision {vision} does not fit torch {torch}: {cause} ({lines}); it breaks the import of "
            "torchvision, timm, open_clip, lightning and transformers"
        )
        yield Check("torchvision", "FAIL", text, mend)
    else:
        yield Check("torchvision", "OK", f"torchvision {vision} fits torch {torch}")


def _torchvision_library() -> Path | None:
    """The extension file of torchvision, found without importing it."""
    found = importlib.util.find_spec("torchvision")
    for folder in (found.submodule_search_locations or []) if found is not None else []:
        for name in ("_C_stable", "_C"):
            files = sorted(Path(folder).glob(f"{name}*.so")) + sorted(Path(folder).glob(f"{name}*.pyd"))
            if files:
                return files[0]
    return None


def _taming() -> Iterator[Check]:
    """Two distributions own the import name ``taming``; neither declares all that it imports."""
    found = [name for name in TAMING if installed(name) is not None]
    if len(found) > 1:
        mend = f"uv pip uninstall {' '.join(TAMING)} && uv pip install {TAMING[0]}"
        yield Check("taming", "FAIL", f"{' and '.join(found)} both own the import name taming", mend)
    elif not found:
        text = "taming-transformers is not installed: the VQGAN tokenizer cannot be built"
        yield Check("taming", "FAIL", text, f"uv pip install {TAMING[0]}")
    elif installed("einops") is None:
        text = f"{found[0]} imports einops without declaring it, and einops is not installed"
        yield Check("taming", "FAIL", text, "uv pip install einops")
    else:
        yield Check("taming", "OK", f"{found[0]} {installed(found[0])}, einops {installed('einops')}")


def _plugins() -> Iterator[Check]:
    """Plugins that are not loaded, and components whose requirements are not installed."""
    try:
        records = manager().plugins
    except RegistryError as error:
        yield Check("plugins", "FAIL", error.what, error.remedy or "")
        return
    for record in records:
        if record.status in ("failed", "incompatible"):
            text = f"{record.plugin} ({record.owner}) {record.status}: {record.reason}"
            yield Check("plugins", "FAIL", text, "'janus plugins doctor -v' shows the traceback")
    for component in manager().components():
        try:
            missing = missing_requirements(component)
        except RegistryError as error:
            yield Check("plugins", "WARN", error.what, error.remedy or "tell the plugin's author")
            continue
        if missing:
            text = f"{component.kind} {component.qualified} requires {', '.join(map(str, missing))}"
            yield Check("plugins", "WARN", text, install_command(missing))
    commands = {component.name for component in manager().components("command")}
    from janus_core.cli import COMMANDS

    for name in sorted(commands & set(COMMANDS)):
        text = f"a plugin declares the command {name!r}, which is built in"
        yield Check("plugins", "WARN", text, "type its qualified name, plugin/name")
    for identifier, source in manager().idle_policy_entries():
        yield Check("plugins", "WARN", f"{identifier!r} in {source} names no installed plugin", "correct or remove it")
    loaded = sum(record.status == "loaded" for record in records)
    blocked = sum(record.status == "blocked" for record in records)
    yield Check("plugins", "OK", f"{loaded} loaded, {blocked} blocked, {len(manager().components())} components")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    text = f"{free / 1e9:.1f} GB free at {folder}"
    if free < HARDLY_ANY:
        return Check("disk", "FAIL", text, "free some space: a checkpoint of a small model takes more")
    if free < FEW_GIGABYTES:
        return Check("disk", "WARN", text, "free some space: a checkpoint of a 1B model takes about 15 GB")
    return Check("disk", "OK", text)
