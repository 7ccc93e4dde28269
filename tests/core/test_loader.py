"""Bad records are counted with their place and passed over, up to a limit."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from janus_core.config.recipe import SourceShare
from janus_core.data.loader import SampleLoader, StageDataset
from janus_core.data.mixture import Draw, Mixture, SamplePlan
from janus_core.data.sources import build_sources
from janus_core.errors import UserError
from janus_core.interfaces import BadRecord, Message, Sample


class Listed:
    """Texts; None is a bad record."""

    def __init__(self, *texts: str | None) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> Sample:
        text = self.texts[index]
        if text is None:
            raise BadRecord(f"file.jsonl:{index + 1}", "it is bad")
        return Sample(str(index), "text", (Message("plain", (text,)),))


@pytest.fixture(scope="module")
def built(tiny: ModuleType) -> Any:
    return tiny.build(tiny.recipe("generation", text=True))


def dataset(built: Any, source: Any, bad_records: int = 3, drop: float = 0.0) -> StageDataset:
    return StageDataset({"s": source}, built.assembler, seed=0, condition_drop=drop, bad_records=bad_records)


def draw(number: int, task: str = "text") -> Draw:
    return Draw(task, "s", number)  # type: ignore[arg-type]


def test_a_bad_record_is_named_and_the_next_in_the_file_taken(built: Any) -> None:
    data = dataset(built, Listed("a", None, "c"))
    found = [data[draw(i)] for i in range(3)]
    assert sorted(sample.id for sample, _ in found) == ["0", "2", "2"]
    assert [bad for _, bad in found if bad] == [("s: file.jsonl:2: it is bad",)]
    assert [sample.id for sample, _ in found] == [data[draw(i)][0].id for i in range(3)]


def test_bad_records_reach_the_loader(built: Any) -> None:
    data = dataset(built, Listed("a", None, "c", None, "e"))
    plan = SamplePlan(Mixture({"text": 1}, {"text": {"s": SourceShare()}}), 5, 2)
    batches = list(SampleLoader(data, plan, workers=0))
    assert [sorted(text for _, bad in items for text in bad) for items in batches] == [
        ["s: file.jsonl:2: it is bad", "s: file.jsonl:4: it is bad"]
    ] * 2
    assert all(len(items) == 5 for items in batches)


def test_an_empty_source_is_refused(built: Any) -> None:
    with pytest.raises(UserError, match="'s' holds no samples") as caught:
        dataset(built, Listed())
    assert "path" in str(caught.value.remedy)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_when_all_records_are_bad_the_first_is_told(built: Any, count: int) -> None:
    data = dataset(built, Listed(*[None] * count))
    with pytest.raises(UserError, match=r"file\.jsonl:\d+: it is bad") as caught:
        data[draw(0)]
    assert "run.bad_records" in str(caught.value.remedy)


def test_conditions_are_dropped_by_key_and_in_proportion(built: Any, tiny: ModuleType) -> None:
    source = build_sources(tiny.validated(tiny.recipe("generation")).sources, ["generation"], Path("."))["generation"]
    data, again = (dataset(built, source, drop=0.3) for _ in range(2))
    pads = [built.text.pad in data[draw(i, "generation")][0].ids[1:4] for i in range(120)]
    assert 0.2 < sum(pads) / len(pads) < 0.4
    assert pads[:10] == [built.text.pad in again[draw(i, "generation")][0].ids[1:4] for i in range(10)]
    none = dataset(built, source)
    assert not any(built.text.pad in none[draw(i, "generation")][0].ids[1:4] for i in range(20))


# -- through a run ----------------------------------------------------------------------------------------------------


def with_lines(tiny: ModuleType, folder: Path, lines: list[str], steps: int = 4, **run: Any) -> dict[str, Any]:
    (folder / "lines.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    values: dict[str, Any] = tiny.recipe("generation", text=True, steps=steps)
    values["sources"]["text"] = {"type": "text_jsonl", "options": {"path": "lines.jsonl"}}
    values["run"] |= run
    return values


GOOD, BAD = json.dumps({"text": "fine"}), "{broken"


def test_a_run_counts_bad_lines_once_and_reports_them(tiny: ModuleType, tmp_path: Path) -> None:
    said: list[str] = []
    values = with_lines(tiny, tmp_path, [GOOD, BAD, GOOD, json.dumps({"txt": 1})], steps=8)
    tiny.train(values, tmp_path / "out", folder=tmp_path, say=said.append)
    record = json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8"))
    bad = sorted(record["stages"]["one"]["bad_records"])
    assert len(bad) == 2
    assert f"{tmp_path / 'lines.jsonl'}:2: not JSON" in bad[0]
    assert f"{tmp_path / 'lines.jsonl'}:4: 'text' must be" in bad[1]
    assert any("2 unusable records" in line for line in said)


def test_a_run_stops_at_the_limit(tiny: ModuleType, tmp_path: Path) -> None:
    values = with_lines(tiny, tmp_path, [GOOD, BAD, BAD, BAD], steps=20, bad_records=2)
    with pytest.raises(UserError, match=r"lines\.jsonl:\d") as caught:
        tiny.train(values, tmp_path / "out", folder=tmp_path)
    assert "run.bad_records" in str(caught.value.remedy)


@pytest.mark.parametrize("lines", [[], ["", "  "]], ids=["empty", "blank"])
def test_an_empty_file_is_told_before_anything_is_written(tiny: ModuleType, tmp_path: Path, lines: list[str]) -> None:
    values = with_lines(tiny, tmp_path, lines)
    with pytest.raises(UserError, match=r"sources\.text .*holds no samples"):
        tiny.train(values, tmp_path / "out", folder=tmp_path)
    assert not (tmp_path / "out").exists()


def test_workers_read_the_same_and_their_errors_hold_no_traceback(tiny: ModuleType, tmp_path: Path) -> None:
    values = with_lines(tiny, tmp_path, [GOOD, GOOD, BAD, GOOD])
    alone = tiny.train(values, tmp_path / "zero", folder=tmp_path)
    values["run"]["workers"] = 1
    helped = tiny.train(values, tmp_path / "one", folder=tmp_path)
    assert tiny.differing(tiny.weights(alone.built.model), tiny.weights(helped.built.model)) == []
    values = with_lines(tiny, tmp_path, [BAD, BAD], workers=1)
    with pytest.raises(UserError) as caught:
        tiny.train(values, tmp_path / "bad", folder=tmp_path)
    assert "lines.jsonl:" in caught.value.what
    assert "Traceback" not in str(caught.value)
    assert "run.bad_records" in str(caught.value)
