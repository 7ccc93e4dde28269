"""The report: its numbers are those of the cards, and its page needs neither network nor script."""

from __future__ import annotations

import math
import random
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from janus_bench.papers.rows import COPIED, PaperRow, paper_rows
from janus_bench.report import write_report
from janus_bench.report.contents import Report
from janus_bench.report.gather import gather
from janus_bench.report.latex import escaped, latex
from janus_bench.report.markdown import markdown
from janus_bench.report.numbers import footnotes
from janus_bench.report.page import page
from janus_bench.report.style import STYLE
from janus_bench.report.svg import Axis, axis
from janus_bench.statistics.of_card import card_intervals
from janus_bench.stored import About, Run, Stored, read_run, write_about, write_card
from janus_core.errors import UserError
from janus_core.interfaces import Task
from janus_core.scores import Aggregate, Score, ScoreCard, ScoredItem

NAME = "mine & <yours>"


def accuracy(items: Sequence[ScoredItem]) -> Mapping[str, float]:
    return {"accuracy": sum(item.score or 0 for item in items) / len(items)}


def aggregates(card: ScoreCard) -> Aggregate:
    return accuracy


def stored(about: About, protocol: str, skill: float, task: Task = "understanding", version: int = 1) -> Stored:
    source = random.Random(f"{about.model}{about.seed}{protocol}")
    items = [ScoredItem(f"q{n}", str(n // 2), float(source.random() < skill)) for n in range(60)]
    score = Score("accuracy", accuracy(items)["accuracy"], 60, baselines={"chance": 0.25}, task=task)
    card = ScoreCard(protocol.partition("@")[0], protocol, version, [score], items)
    return Stored(card, about, card_intervals(card, accuracy, resamples=200))


def distance(about: About, value: float) -> Stored:
    return Stored(
        ScoreCard("fid", "fid@x", 1, [Score("FID", value, 30, unit="distance", task="generation")]), about, {}
    )


def run(model: str, skill: float, *, group: str = "", seed: int | None = None, parts: tuple[str, ...] = ()) -> Run:
    about = About(model, {}, parts, group, seed)
    results = [
        stored(about, "pope@random", skill),
        stored(about, "geneval@official", skill - 0.1, "generation"),
        distance(about, 20 - 10 * skill),
    ]
    return Run(Path(f"runs/{model}"), about, {each.card.protocol: each for each in results})


def runs() -> list[Run]:
    seeds = [run(f"s{seed}", 0.6, group="three seeds", seed=seed) for seed in range(3)]
    return [run(NAME, 0.7), run("untrained", 0.3, parts=("adapters.image",)), *seeds]


ROWS = [
    PaperRow(
        "Paper-1B", "1B", "pope", "pope@random", "", 0.87, "share", "P (arXiv:1), Table 1", "https://x/1", "a note"
    ),
    PaperRow(
        "Paper-1B", "1B", "geneval", "geneval@official", "", 0.61, "share", "P (arXiv:1), Table 2", "https://x/1", ""
    ),
    PaperRow("Copied", "", "pope", "", COPIED, 0.842, "share", "P (arXiv:1), Table 1", "https://x/1", ""),
    PaperRow("Elsewhere", "", "mme", "mme@official", "", 1338.0, "points", "P (arXiv:1), Table 1", "https://x/1", ""),
]


def report() -> Report:
    return gather(runs(), ROWS, aggregates)


class Page(HTMLParser):
    """Cells of the first table, words, tags and identifiers of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.rows: list[list[tuple[str | None, str]]] = []
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables = 0
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.tables += tag == "table"
        if self.tables == 1 and tag == "tr":
            self.rows.append([])
        if self.tables == 1 and tag in ("td", "th"):
            self.rows[-1].append((found.get("data-value"), ""))
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.tables == 1 and {"td", "th"} & set(self.open) and self.rows and self.rows[-1]:
            value, text = self.rows[-1][-1]
            self.rows[-1][-1] = value, f"{text} {data}".strip()


def test_the_table_of_the_page_holds_the_numbers_of_the_cards() -> None:
    told = report()
    parsed = Page(page(told))
    rows = {row[0][1]: row for row in parsed.rows if len(row) == len(told.columns) + 1}
    assert [column.protocol for column in told.columns] == ["pope@random", "geneval@official", "fid@x"]
    (mine, *_) = runs()
    cells = rows[NAME]
    for (value, text), column in zip(cells[1:], told.columns, strict=True):
        card, _, intervals = mine.results[column.protocol]
        assert value is not None and float(value) == card.scores[0].value
        shown = f"{100 * card.scores[0].value:.1f}" if column.unit == "share" else f"{card.scores[0].value:.2f}"
        assert text.split()[0] == shown
        if column.unit == "share":
            interval = intervals["accuracy"]
            assert text.split()[1] == f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"
    assert rows["untrained RANDOM"][1][0] is not None
    assert rows["Paper-1B"][1] == ("0.87", "87.0")
    assert rows["Copied"][1] == ("0.842", "84.2 a")
    assert rows["Copied"][2] == (None, "–")
    assert "Elsewhere" not in rows


def test_seeds_are_one_line_with_their_spread() -> None:
    told = report()
    (line,) = [line for line in told.lines if line.kind == "seeds"]
    values = [each.results["pope@random"].card.scores[0].value for each in runs()[2:]]
    cell = line.cells[told.columns[0]]
    mean = sum(values) / 3
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / 2)
    assert cell.value == pytest.approx(mean) and cell.deviation == pytest.approx(deviation)
    assert cell.interval is not None and cell.interval.low < mean < cell.interval.high
    assert line.cells[told.columns[2]].interval is None  # a distance has no items to resample
    for text in (markdown(told), latex(told)):
        assert re.search(rf"three seeds .*{100 * mean:.1f}.*{100 * deviation:.1f}", text)
    assert "three seeds" in page(told) and f"± {100 * deviation:.1f}" in page(told)
    two = gather(runs()[2:4], (), aggregates).lines[0]
    assert two.cells[told.columns[0]].interval is None and two.cells[told.columns[0]].deviation is not None
    with pytest.raises(UserError, match="seed 1 twice"):
        gather([*runs(), runs()[3]], (), aggregates)
    unnamed = gather([run(name, 0.6, group="g") for name in ("one", "two")], (), aggregates)
    assert [line.kind for line in unnamed.lines] == ["seeds"]
    assert {name for name, _ in unnamed.cards} == {"g, one", "g, two"}


def test_stand_ins_are_named_and_give_no_number() -> None:
    some = runs()
    card = some[0].results["pope@random"].card
    card.stand_in, value = "rule judge", card.scores[0].value
    told = gather(some, ROWS, aggregates)
    line = told.lines[0]
    assert told.columns[0] in line.refused and told.columns[0] not in line.cells
    assert told.refused == [f"{NAME}: pope@random: made with a stand-in: rule judge"]
    for text in (page(told), markdown(told), latex(told)):
        assert "stand-in" in text and "rule judge" in text
    assert repr(value) not in page(told)
    assert (NAME, "pope@random") not in [(name, one.card.protocol) for name, one in told.cards]


def test_warnings_versions_and_random_weights_are_told() -> None:
    some = runs()
    some[0].results["pope@random"].card.warnings.append("two answers were odd")
    del some[3].results["geneval@official"].card.items[20:]
    newer = stored(some[1].about, "pope@random", 0.5, version=2)
    results = {**some[1].results, "pope@random": newer}
    some[1] = Run(some[1].folder, some[1].about, results)
    some[2].results["geneval@official"].card.settings["options"] = {"guidance": 5}
    told = gather(some, (), aggregates)
    text = "\n".join(told.warnings)
    assert f"pope@random: two answers were odd ({NAME})" in text
    assert "untrained: RANDOM weights, never trained: adapters.image" in text
    assert "pope@random: versions 1, 2 are not comparable; a column each" in text
    assert "run differently: options" in text
    assert "geneval@official: 10 independent items are too few for an interval to be trusted" in text
    assert "geneval@official: no interval over seeds: the seeds were measured on different items" in text
    assert [c.version for c in told.columns if c.protocol == "pope@random"] == [1, 2]
    assert told.columns[1] not in told.lines[0].cells and told.columns[0] not in told.lines[1].cells


def test_papers_stand_in_the_column_of_their_protocol() -> None:
    rows = [r for r in paper_rows() if r.benchmark == "pope"]
    about = About("mine")
    some = [stored(about, protocol, 0.5) for protocol in ("pope@mean3", "pope@popular")]
    told = gather([Run(Path("mine"), about, {s.card.protocol: s for s in some})], rows, aggregates)
    lines = {line.name: line for line in told.papers}
    mean3, popular = told.columns
    assert lines["LLaVA-1.5-7B"].cells[popular].value == pytest.approx(0.861)
    assert lines["LLaVA-1.5-7B"].cells[popular].differs == "" and mean3 not in lines["LLaVA-1.5-7B"].cells
    assert lines["Janus-1.3B"].cells[mean3].differs == "measured as pope@random, not pope@mean3"
    assert lines["Show-o"].cells[mean3].differs == COPIED
    assert set(footnotes(told).values()) == {"a", "b"}
    marked = sum(bool(cell.differs) for line in told.papers for cell in line.cells.values())
    assert (
        f"{marked} of the papers' numbers are not of the protocol of their column; a letter says why" in told.warnings
    )
    points = Score("score", 50.0, 10, unit="points", task="understanding")
    scaled = Stored(ScoreCard("pope", "pope@random", 1, [points]), about, {})
    cell = gather([Run(Path("m"), about, {"pope@random": scaled})], rows).papers[0].cells
    assert next(iter(cell.values())).value == pytest.approx(100 * rows[0].value)


def test_the_page_needs_nothing_and_has_every_plot() -> None:
    told = report()
    text = page(told)
    parsed = Page(text)
    for outside in ("http:", "https:", "<script", "<link", "url(", "@import", "src=", "//x/"):
        assert outside not in text
    for scheme in ("color-scheme: light dark", "@media (prefers-color-scheme: dark)"):
        assert scheme in text
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("svg") == len(told.columns) + 2  # a plot a column, and understanding against each generation
    assert all(a.get("role") == "img" and a.get("aria-labelledby") for t, a in parsed.tags if t == "svg")
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(set(ids)) == len(ids)
    for _, attributes in parsed.tags:
        for name in ("aria-labelledby", "href"):
            for target in (attributes.get(name) or "").split():
                assert target.removeprefix("#") in ids
    assert all(attributes.get("scope") for tag, attributes in parsed.tags if tag == "th")
    assert tags.count("caption") == 1 and ("html", {"lang": "en"}) in parsed.tags
    assert "mine &amp; &lt;yours&gt;" in text and "<yours>" not in text
    assert text.count("baseline") > 1 and ">chance<" in text
    shown = [re.findall(r'<circle class="dot[^"]*"', svg) for svg in text.split("<svg")[1:]]
    assert [len(dots) for dots in shown] == [4, 3, 5, 4, 3]  # two scatters, then three columns


def test_colours_can_be_read_in_both_schemes() -> None:
    """WCAG 2.2: text 4.5 to 1, marks 3 to 1."""
    light, dark = (dict(re.findall(r"--(\w+): (#\w+)", part)) for part in STYLE.split("@media", 2)[:2])
    assert set(light) == set(dark)
    for scheme in (light, dark):
        for back in ("page", "card", "tint"):
            for front in ("ink", "soft", "mark", "understanding", "generation", "other"):
                assert contrast(scheme[front], scheme[back]) >= 4.5, (front, back)


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of the luminances of two colours."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def test_markdown_and_latex_are_well_formed() -> None:
    told = report()
    lines = [line for line in markdown(told).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {len(told.columns) + 2}
    assert len(lines) == 2 + len(told.lines)
    assert "mine & \\<yours\\>" in lines[2]
    text = latex(told)
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    assert len(re.findall(r"(?<!\\)&", text)) == (len(told.columns)) * (2 + len(told.lines)) + 2
    assert r"mine \& $<$yours$>$" in text and r"\usepackage{booktabs}" in text
    for rule in ("toprule", "midrule", "bottomrule", r"\cmidrule(lr){2-2}", r"\cmidrule(lr){3-4}"):
        assert rule in text
    assert escaped("50% of_a {b} ~^\\") == r"50\% of\_a \{b\} \textasciitilde{}\textasciicircum{}\textbackslash{}"


def test_a_report_is_written_from_folders(tmp_path: Path) -> None:
    one = runs()[0]
    for protocol, (card, about, intervals) in one.results.items():
        write_card(tmp_path / "run" / protocol, card, about, intervals)
    write_about(tmp_path / "run", one.about)
    written = write_report([read_run(tmp_path / "run")], tmp_path / "out")
    assert [path.name for path in written] == ["report.html", "report.md", "report.tex"]
    assert "Janus-1.3B" in written[1].read_text(encoding="utf-8")
    assert "Janus-1.3B" not in write_report([read_run(tmp_path / "run")], tmp_path / "plain", papers=False)[
        1
    ].read_text(encoding="utf-8")
    with pytest.raises(UserError, match="already exists"):
        write_report([one], tmp_path / "out")


def test_equal_names_are_told_apart_and_numbers_that_are_not_defined_break_nothing() -> None:
    some = [run("same", 0.5), run("same", 0.6)]
    some[1] = Run(Path("runs/other"), some[1].about, some[1].results)
    broken = ScoreCard("pope", "pope@random", 1, [Score("accuracy", math.nan, 0, task="understanding")])
    empty = Run(Path("e"), About("e"), {"pope@random": Stored(broken, About("e"), {})})
    told = gather([*some, empty], (), aggregates)
    assert [line.name for line in told.lines] == ["same (same)", "same (other)", "e"]
    assert "undefined" in page(told) and "undefined" in markdown(told)
    lone = gather([empty], (), aggregates)
    assert "<svg" not in page(lone)


def test_axes_hold_their_values_and_have_round_ticks() -> None:
    for values in ([0.1, 0.9], [0.5], [0.0, 0.0], [1.0]):
        made = axis(values, "share", 0, 100)
        assert 0 <= made.low <= min(values) <= max(values) <= made.high <= 1
        assert 2 <= len(made.ticks()) <= 7
    assert [round(tick, 9) for tick in Axis(8.1, 18.9, 0, 1).ticks()] == [10, 12, 14, 16, 18]
    assert axis([3.0, 9.0], "distance", 0, 100, reverse=True).at(9.0) < 50
    assert len(axis([1338.0], "points", 0, 1).ticks()) >= 2


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
def test_a_browser_shows_table_and_plots_light_and_dark_without_network(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(page(report()), encoding="utf-8")
    brightness = {}
    for scheme, number in (("dark", 0), ("light", 1)):
        shot = tmp_path / f"{scheme}.png"
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
        options += [f"--blink-settings=preferredColorScheme={number}", "--window-size=1200,1600"]
        options += [f"--user-data-dir={tmp_path / scheme}", f"--screenshot={shot}"]
        subprocess.run(
            ["chromium", *options, (tmp_path / "report.html").as_uri()], check=True, capture_output=True, timeout=300
        )
        with Image.open(shot) as image:
            grey = image.convert("L")
            brightness[scheme] = grey.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
            assert len(grey.getcolors() or range(300)) > 40  # something is drawn
    assert isinstance(brightness["dark"], int) and isinstance(brightness["light"], int)
    assert brightness["dark"] < 80 < 200 < brightness["light"]


def test_lines_are_marked_by_kind() -> None:
    assert [line.kind for line in report().lines] == ["run", "run", "seeds", "paper", "paper"]
