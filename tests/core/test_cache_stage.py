"""The cache of a stage: live and cached losses are equal, what cannot be cached is refused, what is wrong is found."""

from __future__ import annotations

import json
import multiprocessing
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

import janus_core.cache.part as part_module
import janus_core.cache.stage as stage_module
from janus_core.cache.encode import PartEncoder
from janus_core.cache.reading import stage_rows
from janus_core.cache.shards import Entry, ShardReader, pack_shard, write_shard
from janus_core.cache.space import Space
from janus_core.cache.stage import StageCache, stage_cache
from janus_core.cache.store import Store, shards
from janus_core.cache.stream import stream_of
from janus_core.cache.transforms import CachedTransform, ProbingTransform, collate, same
from janus_core.data.sources import build_sources
from janus_core.errors import UserError
from janus_core.interfaces import Features, Prepared

ENCODERS = ["siglip", "eva_clip", "tokenizer_as_encoder"]
TOKENIZERS = ["patch_vq", "vqgan", "llamagen_vq", "movqgan"]


class Desk:
    """A tiny recipe, its model, and what a run would do with them."""

    def __init__(self, tiny: ModuleType, folder: Path, values: dict[str, Any] | None = None, **cache: Any) -> None:
        values = values or tiny.recipe("both", tokenizer="patch_vq", steps=3)
        values["run"]["cache"] = {"folder": "cache", **cache}
        self.recipe = tiny.validated(values)
        self.stage = self.recipe.stages[0]
        self.folder, self.built = folder, tiny.build(values)
        self.sources = build_sources(self.recipe.sources, self.recipe.sources, folder)
        self.news: list[str] = []

    def open(self, **options: Any) -> StageCache:
        found = stage_cache(self.built, self.recipe, self.stage, folder=self.folder, say=self.news.append, **options)
        assert found is not None
        return found

    def batches(self, assembler: Any, workers: int = 0) -> Any:
        return stage_rows(self.recipe, self.stage, self.sources, self.built.assembler, assembler, workers=workers)

    def filled(self, workers: int = 0, **options: Any) -> StageCache:
        cache = self.open(**options)
        cache.fill(self.batches(cache.probe, workers))
        return cache

    def losses(self, assembler: Any) -> list[dict[str, float]]:
        with torch.no_grad():
            return [
                {task: float(value) for task, value in self.built.model(batch).sums.items()}
                for batch in self.batches(assembler)
            ]

    @property
    def shards(self) -> list[Path]:
        return sorted((self.folder / "cache").glob("*/*.safetensors"))


@pytest.fixture
def desk(tiny: ModuleType, tmp_path: Path) -> Desk:
    return Desk(tiny, tmp_path)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a frozen part ran")


COMBINATIONS = [(encoder, "patch_vq") for encoder in ENCODERS] + [("siglip", name) for name in TOKENIZERS[1:]]


@pytest.mark.parametrize(("encoder", "tokenizer"), COMBINATIONS)
def test_live_and_cached_losses_are_bit_equal(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoder: str, tokenizer: str
) -> None:
    desk = Desk(tiny, tmp_path, tiny.recipe("both", encoder=encoder, tokenizer=tokenizer, steps=2))
    live = desk.losses(desk.built.assembler)
    assert {task for step in live for task in step} == {"understanding", "generation"}
    with desk.filled() as cache:
        assert set(cache.parts) == {"encoders.image", "generation_tokenizer"}
        monkeypatch.setattr(desk.built.model.parts()["encoders.image"], "forward", refuse)
        monkeypatch.setattr(desk.built.model.parts()["generation_tokenizer"], "encode", refuse)
        assert desk.losses(cache.assembler) == live


def test_a_second_run_computes_nothing_but_what_it_checks(desk: Desk) -> None:
    with desk.filled() as cache:
        first = cache.close()
    assert {name: (about["computed"], about["checked"]) for name, about in first.items()} == {
        "encoders.image": (6, 0),
        "generation_tokenizer": (6, 0),
    }
    before = desk.shards
    with desk.filled() as cache:
        second = cache.close()
    assert all(about["computed"] == 0 and about["checked"] == 6 and about["uses"] == 6 for about in second.values())
    assert desk.shards == before
    assert len(before) == 2  # entries of many inputs, one file a part
    assert second["encoders.image"]["bytes"] > 6 * 16 * 32 * 4
    assert second["encoders.image"]["live_ms"] > 0
    assert any("s saved" in line for line in desk.news)
    json.dumps(second)


def test_readers_in_other_processes(desk: Desk) -> None:
    live = desk.losses(desk.built.assembler)
    with desk.filled(workers=2) as cache:
        assert cache.parts["encoders.image"].tally.computed == 6
        batches = list(desk.batches(cache.assembler, workers=2))
        with torch.no_grad():
            found = [{k: float(v) for k, v in desk.built.model(batch).sums.items()} for batch in batches]
    assert found == live


def test_a_changed_weight_is_never_a_stale_hit(desk: Desk) -> None:
    desk.filled().close()
    with torch.no_grad():
        next(desk.built.model.encoders["image"].parameters()).mul_(1.5)
    live = desk.losses(desk.built.assembler)
    with desk.filled() as cache:
        assert cache.parts["encoders.image"].tally.computed == 6
        assert cache.parts["generation_tokenizer"].tally.computed == 0
        assert desk.losses(cache.assembler) == live


def test_a_miss_in_the_stage_is_an_error_that_says_how_to_mend_it(desk: Desk) -> None:
    from PIL import Image

    with desk.filled() as cache:
        transform = cache.assembler.routes["image"].transform
        unseen = transform(Image.new("RGB", (9, 9)))  # a sample that is read ahead and that no row takes is no error
        assert unseen.num_tokens == desk.built.assembler.routes["image"].transform(Image.new("RGB", (9, 9))).num_tokens
        with pytest.raises(UserError, match=r"no entry of encoders\.image") as caught:
            transform.collate([unseen])
    assert "janus cache build" in str(caught.value.remedy)


def test_what_the_transform_refuses_is_a_bad_record_as_ever(desk: Desk) -> None:
    from PIL import Image

    with desk.filled() as cache:
        for assembler in (cache.probe, cache.assembler):
            with pytest.raises(ValueError, match="mode"):
                assembler.routes["image"].transform(Image.new("L", (9, 9)))


def test_a_part_that_trains_is_not_cached(tiny: ModuleType, tmp_path: Path) -> None:
    values = tiny.recipe("both", tokenizer="patch_vq")
    values["stages"][0]["train"] = ["*"]
    desk = Desk(tiny, tmp_path, values)
    with desk.filled() as cache:
        assert set(cache.parts) == {"generation_tokenizer"}
        assert set(cache.skipped) == {"encoders.image"}
        transform = cache.assembler.routes["image"].transform
        assert transform is desk.built.transforms["image"]
        assert desk.losses(cache.assembler) == desk.losses(desk.built.assembler)
    assert any("encoders.image trains" in line for line in desk.news)
    with pytest.raises(UserError, match=r"encoders\.image cannot be cached for stage one: it trains") as caught:
        desk.open(only="encoders.image")
    assert "frozen" in str(caught.value.remedy)
    with pytest.raises(UserError, match="has no features or codes"):
        desk.open(only="language_model")


def test_without_run_cache_there_is_none(tiny: ModuleType, tmp_path: Path) -> None:
    desk = Desk(tiny, tmp_path)
    recipe = desk.recipe.model_copy(update={"run": desk.recipe.run.model_copy(update={"cache": None})})
    assert stage_cache(desk.built, recipe, desk.stage, folder=tmp_path, say=print) is None


def test_a_random_transform_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    live = desk.built.transforms["image"]
    former = type(live).__call__

    def noisy(self: Any, raw: Any) -> Prepared:
        prepared = former(self, raw)
        return Prepared(prepared.inputs + random.random(), prepared.num_tokens)

    monkeypatch.setattr(type(live), "__call__", noisy)
    with desk.open() as cache, pytest.raises(UserError, match="every time") as caught:
        cache.fill(desk.batches(cache.probe))
    assert "augmentation" in str(caught.value.remedy)


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_shard_is_computed_anew_with_a_warning(desk: Desk, damage: str) -> None:
    live = desk.losses(desk.built.assembler)
    desk.filled().close()
    for path in desk.shards:
        data = bytearray(path.read_bytes())
        data[-3] ^= 4
        path.write_bytes({"cut": data[:-7], "flip": data, "empty": b""}[damage])
    desk.news.clear()
    with desk.filled() as cache:
        assert [part.tally.computed for part in cache.parts.values()] == [6, 6]
        assert desk.losses(cache.assembler) == live
    assert sum("WARNING" in line and "damaged" in line for line in desk.news) == 2


def tampered(path: Path, change: float) -> None:
    """The same shard with one number of one entry changed, under the name of its new content."""
    reader = ShardReader([path])
    keys = list(reader._index())
    entries = [reader.get(key) for key in keys]
    values = entries[3].values
    values[0, 0] = values[0, 0] + change if values.is_floating_point() else values[0, 0].item() ^ 1
    path.unlink()
    write_shard(path.parent, pack_shard(keys, entries))


@pytest.mark.parametrize("part", [0, 1], ids=["features", "codes"])
def test_checking_finds_an_entry_that_is_wrong(desk: Desk, tiny: ModuleType, part: int) -> None:
    with desk.filled() as cache:
        space = list(cache.parts.values())[part].space.id
        (path,) = shards(desk.folder / "cache" / space)
    tampered(path, 0.01)
    with pytest.raises(UserError, match=rf"of the space {space} is not what") as caught:
        desk.filled()
    assert caught.value.remedy is not None
    assert f"--space {space} --yes" in caught.value.remedy


def test_rounding_is_no_mistake(desk: Desk) -> None:
    with desk.filled() as cache:
        space = cache.parts["encoders.image"].space.id
        (path,) = shards(desk.folder / "cache" / space)
    tampered(path, 1e-7)
    desk.filled().close()


def test_the_fraction_that_is_checked(tiny: ModuleType, tmp_path: Path) -> None:
    from janus_core.cache.transforms import TIMED

    desk = Desk(tiny, tmp_path, verify=0.25)
    with desk.filled() as cache:
        part = cache.parts["encoders.image"]
        probing = part.probing
        assert probing.check == 0.25
        probing.timed = TIMED
        keys = [number.to_bytes(32, "big") for number in range(2000)]
        chosen = {key for key in keys if probing._chosen(key)}
        assert 400 < len(chosen) < 600
        assert chosen == {key for key in keys if probing._chosen(key)}
    with desk.open() as cache:  # another run checks others
        other = cache.parts["encoders.image"].probing
        other.timed = TIMED
        assert chosen != {key for key in keys if other._chosen(key)}


def test_a_limit_that_is_too_small(tiny: ModuleType, tmp_path: Path) -> None:
    desk = Desk(tiny, tmp_path, max_gb=1e-6)
    with desk.open() as cache, pytest.raises(UserError, match=r"run\.cache\.max_gb: 1e-06 GB are too few"):
        cache.fill(desk.batches(cache.probe))
    assert Store(tmp_path / "cache").size() < 1000


def test_entries_of_another_setting_make_room(tiny: ModuleType, tmp_path: Path) -> None:
    desk = Desk(tiny, tmp_path)
    desk.filled().close()
    size = Store(tmp_path / "cache").size()
    other = Desk(tiny, tmp_path, max_gb=size * 1.05 / 1e9)
    with torch.no_grad():
        next(other.built.model.encoders["image"].parameters()).mul_(2)
    live = other.losses(other.built.assembler)
    with other.filled() as cache:
        assert other.losses(cache.assembler) == live
    assert Store(tmp_path / "cache").size() <= size * 1.05


def test_shards_are_written_as_they_fill_up(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "SHARD_BYTES", 1)
    monkeypatch.setattr(part_module, "BATCH", 2)
    live = desk.losses(desk.built.assembler)
    with desk.filled() as cache:
        assert len(desk.shards) == 6
        assert desk.losses(cache.assembler) == live
    assert not list((desk.folder / "cache").rglob("*.partial"))


def test_a_slower_cache_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module.Tally, "cached", property(lambda self: 9.0))
    desk.filled().close()
    assert any("SLOWER" in line for line in desk.news)


def test_two_runs_fill_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_module, "SHARD_BYTES", 1)
    live = desk.losses(desk.built.assembler)
    context = multiprocessing.get_context("fork")
    together, equal = context.Barrier(2), context.Value("i", 0)

    def run() -> None:
        with desk.open() as cache:
            together.wait(60)
            cache.fill(desk.batches(cache.probe))
            together.wait(60)
            with equal.get_lock():
                equal.value += desk.losses(cache.assembler) == live

    runs = [context.Process(target=run) for _ in range(2)]
    for process in runs:
        process.start()
    for process in runs:
        process.join(60)
    assert [process.exitcode for process in runs] == [0, 0]
    assert equal.value == 2
    with desk.filled() as cache:
        assert [part.tally.computed for part in cache.parts.values()] == [0, 0]
        assert [part.tally.checked for part in cache.parts.values()] == [6, 6]


# -- known streams -----------------------------------------------------------------------------------------------------


def passed(desk: Desk, **options: Any) -> tuple[int, StageCache]:
    """How many batches a fill looks at, and the cache."""
    count = 0

    def counted(batches: Any) -> Any:
        nonlocal count
        for batch in batches:
            count += 1
            yield batch

    cache = desk.open()
    stream = stream_of(desk.recipe, desk.stage, desk.sources, folder=desk.folder)
    cache.fill(counted(desk.batches(cache.probe)), stream=stream, **options)
    return count, cache


@pytest.fixture
def long(tiny: ModuleType, tmp_path: Path) -> Desk:
    """16 entries of each part, two a step."""
    return Desk(tiny, tmp_path, tiny.recipe("both", tokenizer="patch_vq", steps=8))


def test_a_known_stream_is_not_looked_at_again(long: Desk) -> None:
    live = long.losses(long.built.assembler)
    assert passed(long)[0] == 8
    count, cache = passed(long)
    with cache:
        assert count == 4  # eight entries are checked
        assert long.losses(cache.assembler) == live
        facts = cache.close()["encoders.image"]
    assert (facts["entries"], facts["uses"], facts["computed"], facts["checked"]) == (16, 16, 0, 8)
    assert passed(long, trust=False)[0] == 8


@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_shard_makes_a_stream_unknown(long: Desk, lost: int) -> None:
    passed(long)[1].close()
    long.shards[lost].unlink()
    count, cache = passed(long)
    with cache:
        assert count == 8
        assert sorted(part.tally.computed for part in cache.parts.values()) == [0, 16]
    assert passed(long)[0] == 4


def test_what_names_a_stream(tiny: ModuleType, tmp_path: Path) -> None:
    def name(change: Any = None, **process: int) -> str:
        values = tiny.recipe("both", tokenizer="patch_vq")
        if change is not None:
            change(values)
        desk = Desk(tiny, tmp_path, values)
        return stream_of(desk.recipe, desk.stage, desk.sources, folder=tmp_path, **process)

    def stage(**changes: Any) -> Any:
        return lambda values: values["stages"][0].update(changes)

    first = name()
    assert first == name(stage(learning_rate=0.5))
    assert first == name(lambda values: values["model"]["language_model"].update(options={"layers": 1}))
    others = [
        name(stage(steps=9)),
        name(stage(batch_size=2)),
        name(stage(mixture={"understanding": 2, "generation": 1})),
        name(lambda values: values.update(seed=4)),
        name(lambda values: values["sources"]["generation"]["options"].update(length=33)),
        name(rank=0, world=2),
        name(rank=1, world=2),
    ]
    assert len({first, *others}) == 8


def test_a_file_that_changes_renames_the_stream(tiny: ModuleType, tmp_path: Path) -> None:
    from janus_core.cache.stream import _files

    (tmp_path / "data.jsonl").write_text("a")
    options = {"one": {"options": {"path": "data.jsonl", "task": "text", "list": ["x", 3]}}}
    before = list(_files(options, tmp_path))
    assert [entry[0] for entry in before] == ["data.jsonl"]
    (tmp_path / "data.jsonl").write_text("ab")
    assert list(_files(options, tmp_path)) != before


# -- variable lengths --------------------------------------------------------------------------------------------------


class Words:
    """bytes -> one token a byte."""

    digest = "words"

    def __call__(self, raw: bytes) -> Prepared:
        return Prepared(torch.tensor(list(raw), dtype=torch.float32), len(raw))

    def collate(self, prepared: Sequence[Prepared]) -> dict[str, torch.Tensor]:
        lengths = torch.tensor([item.num_tokens for item in prepared])
        padded = nn.utils.rnn.pad_sequence([item.inputs for item in prepared], batch_first=True, padding_value=7.0)
        return {"values": padded, "mask": torch.arange(int(lengths.max())) < lengths[:, None]}


class Reader(nn.Module):
    """Tokens [B, N, 2] of numbers, padding behind them or, wrongly, before."""

    def __init__(self, padding: str = "behind") -> None:
        super().__init__()
        self.padding = padding

    def forward(self, inputs: dict[str, torch.Tensor]) -> Features:
        values, mask = inputs["values"], inputs["mask"]
        if self.padding == "before":
            mask = mask.flip(1)
        if self.padding == "forgotten":
            mask = None  # type: ignore[assignment]
        places = torch.arange(values.shape[1])[None, :, None].expand(*values.shape, 1)
        return Features(torch.stack([values.sin(), values], -1), mask, places)


def encoder(padding: str = "behind") -> PartEncoder:
    return PartEncoder("encoders.text", Reader(padding), Words(), "features", None, torch.device("cpu"), "32-true")


def test_variable_lengths_with_positions(tmp_path: Path) -> None:
    raws = [b"abc", b"d", b"efghi"]
    space, words = Space.of({"role": "features"}), Words()
    entries = encoder()([words(raw) for raw in raws])
    assert [entry.values.shape for entry in entries] == [(3, 2), (1, 2), (5, 2)]
    path = write_shard(tmp_path, pack_shard([space.key(raw) for raw in raws], entries))
    cached = pickle.loads(pickle.dumps(CachedTransform("encoders.text", words, space, ShardReader([path]))))
    prepared = [cached(raw) for raw in raws]
    assert [item.num_tokens for item in prepared] == [3, 1, 5]
    found, live = cached.collate(prepared), Reader()(words.collate([words(raw) for raw in raws]))
    assert torch.equal(found.mask, live.mask)
    assert torch.equal(found.tokens[found.mask], live.tokens[live.mask])
    assert torch.equal(found.positions[found.mask], live.positions[live.mask])
    assert cached.collate([cached(b"abc"), cached(b"abc")]).mask is None
    assert cached.digest != words.digest


def test_what_counts_as_a_difference() -> None:
    values, places = torch.tensor([[1.0, -2.0]]), torch.tensor([[3]])
    found = Entry(values, places)
    measure = encoder().difference
    assert measure(Entry(values.clone(), places.clone()), found) == (0.0, 0.0)
    away, allowed = measure(Entry(values + 1e-3, places), found)
    assert away == pytest.approx(1e-3, rel=1e-3) and allowed == pytest.approx(2e-5)
    for wrong in (
        Entry(values, places + 1),
        Entry(values, None),
        Entry(values.double(), places),
        Entry(values[:, :1], places),
        Entry(values * float("nan"), places),
    ):
        away, allowed = measure(wrong, found)
        assert away > allowed
    broken = Entry(values * float("nan"), places)
    assert measure(broken, broken) == (0.0, 0.0)  # an encoder that gives NaN gives it live too


def test_a_long_filling_tells_how_far_it_is(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage_module, "TELL_EVERY", 0.0)
    desk.filled().close()
    assert "cache: computed so far: 0 of encoders.image, 0 of generation_tokenizer" in desk.news


@pytest.mark.parametrize("padding", ["before", "forgotten"])
def test_an_encoder_that_breaks_its_word_is_refused(padding: str) -> None:
    with pytest.raises(UserError, match="cannot be cached"):
        encoder(padding)([Words()(b"abc"), Words()(b"d")])


def test_probing_a_held_entry_runs_no_transform(tmp_path: Path) -> None:
    space, words = Space.of({"role": "features"}), Words()
    path = write_shard(tmp_path, pack_shard([space.key(b"abc")], encoder()([words(b"abc")])))
    probing = ProbingTransform("encoders.text", words, space, ShardReader([path]), 0.0, b"")
    first = probing(b"abc")
    assert first.inputs.held and first.inputs.prepared is not None  # timed, and so checked
    probing.timed = 10**6
    second = probing(b"abc")
    assert second.inputs.held and second.inputs.prepared is None
    assert second.num_tokens == first.num_tokens == 3
    third = probing(b"ab")
    assert not third.inputs.held and third.num_tokens == 2


def test_codes_come_back_as_int64() -> None:
    codes = torch.tensor([[0], [255], [300]])
    found = collate([Entry(codes.to(torch.uint16))] * 2, Space.of({"role": "codes"}))
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.int64 and found.tolist() == [codes.tolist()] * 2


@pytest.mark.parametrize(
    ("first", "second", "equal"),
    [
        (torch.ones(2), torch.ones(2), True),
        (torch.ones(2), torch.ones(2, dtype=torch.float64), False),
        ({"a": torch.ones(2)}, {"a": torch.zeros(2)}, False),
        ((1, "a"), (1, "a"), True),
        ([1], (1,), False),
        (Prepared(1, 2), Prepared(1, 3), False),
    ],
)
def test_same(first: Any, second: Any, equal: bool) -> None:
    assert same(first, second) is equal


def test_features_move_as_one() -> None:
    features = Features(torch.ones(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), None)
    moved = features.to(torch.device("meta"))
    assert moved.tokens.is_meta and moved.mask is not None and moved.mask.is_meta and moved.positions is None
