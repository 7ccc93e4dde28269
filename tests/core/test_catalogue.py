"""Each silent failure of another project has a test here, or a reason why it cannot happen."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("janus_core", "registry", "plugins", "benchmarks", "examples", "tests")


def marked(path: Path) -> Iterator[tuple[int, str]]:
    """The numbers in the marks of the tests of a file, with the tests' names."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.silent_failure":
                yield from ((number, node.name) for number in ast.literal_eval(ast.Tuple(mark.args)))


@pytest.fixture(scope="module")
def shown() -> dict[int, list[str]]:
    """The tests of each number over the whole suite."""
    found: dict[int, list[str]] = defaultdict(list)
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    assert len(paths) > 50
    for path in paths:
        for number, name in marked(path):
            found[number].append(name)
    return found


def test_each_failure_has_a_test_or_a_reason(shown: dict[int, list[str]], catalogue: object) -> None:
    failures, without = vars(catalogue)["FAILURES"], vars(catalogue)["WITHOUT"]
    assert sorted(failures) == list(range(1, 29))
    assert sorted(shown.keys() - failures.keys()) == []
    assert sorted(failures.keys() - shown.keys()) == sorted(without)
    assert all(len(reason) > 20 for reason in without.values())


def test_the_summary_counts(catalogue: object) -> None:
    summary = vars(catalogue)["summary"]
    assert summary({1, 2}, whole=False).endswith("with a test: 2 of 28 in this selection")
    assert summary(set(range(1, 29)) - {15}, whole=True).endswith("27 of 28 (not applicable here: 15)")


@pytest.mark.silent_failure(27)
def test_no_debugger_and_no_print_is_left() -> None:
    """The linter's rules are on, and no file gets round them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert {"T10", "T20"} <= set(config["select"])
    assert "T10" not in str(config["per-file-ignores"])
    paths = [path for folder in SOURCES for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(paths) > 150
    calls = re.compile(r"\b(breakpoint|set_trace)\(")
    found = [
        f"{path}:{number}"
        for path in paths
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if calls.search(line)
    ]
    assert found == []
