"""The rows of the papers: every number has a source, a unit and a protocol or a reason why it has none of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from janus_bench.papers.rows import COPIED, PaperRow, paper_rows
from janus_core.hookspecs import BenchmarkSpec
from janus_core.plugins import components

ROWS = paper_rows()
BENCHMARKS = {"pope", "mme", "mmbench", "seed", "vqav2", "gqa", "mmmu", "mmvet", "geneval", "coco30k", "mjhq30k"}


def found(model: str, benchmark: str, protocol: str = "") -> PaperRow:
    rows = [r for r in ROWS if (r.model, r.benchmark) == (model, benchmark) and protocol in ("", r.protocol)]
    assert len(rows) == 1, rows
    return rows[0]


def test_every_row_says_where_it_is_from_and_what_it_is() -> None:
    assert {row.benchmark for row in ROWS} == BENCHMARKS
    for row in ROWS:
        assert row.source.count("Table") == 1 or "comparison on benchmarks" in row.source
        assert "arXiv:" in row.source and row.url.startswith("https://")
        assert bool(row.protocol) != bool(row.differs)
        assert {"share": 0 < row.value < 1, "points": 100 < row.value <= 2000, "distance": 1 < row.value < 30}[row.unit]
    keys = [(row.model, row.benchmark, row.protocol) for row in ROWS]
    assert len(set(keys)) == len(keys)


def test_protocols_are_those_of_the_installed_benchmarks() -> None:
    ours: dict[str, set[str]] = {}
    for component in components("benchmark"):
        spec = component.spec
        assert isinstance(spec, BenchmarkSpec)
        ours[spec.name] = {f"{spec.name}@{protocol.name}" for protocol in spec.protocols}
    for row in ROWS:
        if row.protocol and row.benchmark in ours:
            assert row.protocol in ours[row.benchmark], row


def test_numbers_of_the_papers() -> None:
    """Read from the tables by another way than the files: Janus Tables 2 to 4, Janus-Pro Tables 3 and 4."""
    for model, benchmark, value in [
        ("Janus-1.3B", "pope", 0.870),
        ("Janus-1.3B", "mme", 1338.0),
        ("Janus-1.3B", "geneval", 0.61),
        ("Janus-1.3B", "coco30k", 8.53),
        ("Janus-1.3B", "mjhq30k", 10.10),
        ("Janus-Pro-1B", "mmbench", 0.755),
        ("Janus-Pro-7B", "mme", 1567.1),
        ("Janus-Pro-7B", "geneval", 0.80),
        ("Show-o", "pope", 0.738),
        ("Show-o", "coco30k", 9.24),
        ("SDXL", "geneval", 0.55),
        ("DALL-E 2", "coco30k", 10.39),
        ("Chameleon-7B", "mmmu", 0.224),
        ("Janus ablation B: semantic", "coco30k", 7.11),
    ]:
        assert found(model, benchmark).value == pytest.approx(value, abs=1e-12)
    random, popular, adversarial = (
        found("LLaVA-1.5-7B", "pope", f"pope@{split}").value for split in ("random", "popular", "adversarial")
    )
    assert (random + popular + adversarial) / 3 == pytest.approx(0.859, abs=0.0005)  # Janus's Table 2 prints the mean


def test_a_row_is_warned_of_where_the_protocol_differs() -> None:
    assert found("Janus-1.3B", "pope").warning("pope@random") == ""
    assert found("Janus-1.3B", "pope").warning("pope@mean3") == "measured as pope@random, not pope@mean3"
    assert found("Show-o", "pope").warning("pope@random") == COPIED
    assert "EvalAI" in found("Janus-1.3B", "vqav2").warning("vqav2@raw")


HEAD = 'paper = "P (arXiv:1)"\nurl = "https://x"\n[[table]]\nname = "Table 1"\n'
COLUMN = '[table.columns.A]\nbenchmark = "pope"\nprotocol = "pope@random"\nunit = "share"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD + COLUMN + '[[table.rows]]\nmodel = "m"\nvalues = { B = 1 }', "row m: B = 1"),
        (HEAD + COLUMN + '[[table.rows]]\nmodel = "m"\nvalues = { A = "1" }', "row m: A = '1'"),
        (HEAD + COLUMN + '[[table.rows]]\nmodel = "m"', "row m: values is missing"),
        (HEAD + COLUMN.replace("share", "stars") + "[[table.rows]]", "column A: unit 'stars'"),
        (HEAD + COLUMN.replace("pope@", "mme@") + "[[table.rows]]", "'mme@random' is no protocol of pope"),
        (HEAD + COLUMN + 'differs = "x"\n[[table.rows]]', "column A: it needs a protocol, or"),
        (
            HEAD + COLUMN.replace('protocol = "pope@random"\n', "") + "[[table.rows]]",
            "column A: it needs a protocol, or",
        ),
        (HEAD + COLUMN + "color = 1\n[[table.rows]]", "column A: unknown color"),
        ('author = "x"\n' + HEAD, "unknown author"),
    ],
)
def test_a_wrong_file_is_named(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="p.toml") as error:
        paper_rows(tmp_path)
    assert told in str(error.value)
