"""Shards and spaces on disk: bit-equal round trips, damage, the limit of size, and several processes at once."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
import time
from pathlib import Path

import pytest
import torch

from janus_core.cache.shards import Entry, ShardReader, is_whole, pack_shard, smallest, write_shard
from janus_core.cache.store import Store, count_entries, read_space, shards, unused
from janus_core.errors import UserError

SPACE = "0123456789abcdef"
FACTS = {"role": "features", "component": "a/b"}


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def written(folder: Path, count: int, first: int = 0, width: int = 3) -> tuple[Path, dict[bytes, Entry]]:
    generator = torch.Generator().manual_seed(first)
    entries = {key(first + n): Entry(torch.randn(n % 4 + 1, width, generator=generator)) for n in range(count)}
    return write_shard(folder, pack_shard(list(entries), list(entries.values()))), entries


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.uint8, torch.uint16, torch.int32]
)
def test_entries_come_back_bit_equal(tmp_path: Path, dtype: torch.dtype) -> None:
    lengths = [1, 5, 2, 5]
    values = [(torch.randn(n, 7) * 90).abs().to(torch.int32).to(dtype) for n in lengths]
    if dtype.is_floating_point:
        values = [torch.randn(n, 7).to(dtype) for n in lengths]
        values[0][0, 0], values[1][0, 0] = -0.0, 1e-30
    positions = [torch.randint(9, (n, 2)) for n in lengths]
    entries = [Entry(v, p) for v, p in zip(values, positions, strict=True)]
    path = write_shard(tmp_path, pack_shard([key(n) for n in range(4)], entries))
    reader = pickle.loads(pickle.dumps(ShardReader([path])))
    assert len(reader) == count_entries(path) == 4
    assert key(9) not in reader
    for n, entry in enumerate(entries):
        found = reader.get(key(n))
        assert found.values.dtype == dtype
        assert reader.length(key(n)) == lengths[n]
        assert found.values.view(torch.uint8).tolist() == entry.values.contiguous().view(torch.uint8).tolist()
        assert found.positions is not None and torch.equal(found.positions, positions[n])
        assert found.values.untyped_storage().nbytes() == found.values.nbytes  # not the whole mapped file


@pytest.mark.parametrize(
    ("sizes", "dtype"),
    [
        ([256], torch.uint8),
        ([257], torch.uint16),
        ([16, 16384], torch.uint16),
        ([65536], torch.uint16),
        ([65537], torch.int32),
    ],
)
def test_codes_take_the_smallest_type(sizes: list[int], dtype: torch.dtype) -> None:
    assert smallest(sizes) == dtype
    assert torch.tensor([max(sizes) - 1]).to(dtype).to(torch.int64).item() == max(sizes) - 1


def test_entries_of_many_shards_and_of_the_same_key(tmp_path: Path) -> None:
    first, entries = written(tmp_path, 5)
    second, more = written(tmp_path, 5, first=5)
    again, _ = written(tmp_path, 5)
    assert again == first
    reader = ShardReader([first, second, first])
    assert len(reader) == 10
    for name, entry in (entries | more).items():
        assert torch.equal(reader.get(name).values, entry.values)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([first.name, second.name])


@pytest.mark.parametrize("where", ["cut", "header", "keys", "values", "longer", "empty"])
def test_every_damage_is_seen(tmp_path: Path, where: str) -> None:
    path, _ = written(tmp_path, 20)
    assert is_whole(path)
    data = bytearray(path.read_bytes())
    if where == "cut":
        data = data[:-1]
    elif where == "longer":
        data += b"\0"
    elif where == "empty":
        data.clear()
    else:
        data[{"header": 9, "keys": len(data) // 2, "values": -1}[where]] ^= 1
    path.write_bytes(data)
    assert not is_whole(path)
    count_entries(path)  # whatever it says, it does not fail


def test_a_missing_shard_is_told(tmp_path: Path) -> None:
    path, _ = written(tmp_path, 2)
    reader = ShardReader([path])
    path.unlink()
    with pytest.raises(UserError, match="cannot be read now") as caught:
        reader.get(key(0))
    assert caught.value.remedy


def test_a_space_says_what_it_is(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache")
    with store.using(SPACE, FACTS) as path:
        assert json.loads((path / "space.json").read_text()) == read_space(path) == FACTS
        with store.using(SPACE, FACTS):
            pass
        with pytest.raises(UserError, match="does not say") as caught, store.using(SPACE, {"role": "codes"}):
            pass
        assert f"janus cache clear {store.folder} --space {SPACE} --yes" in str(caught.value.remedy)
    assert store.spaces() == [path]


def shelves(tmp_path: Path) -> tuple[Store, list[Path]]:
    """Three spaces of one shard each, the first the oldest, and things that are no part of the cache."""
    store, paths = Store(tmp_path), []
    for number in range(3):
        with store.using(f"{number:016x}", FACTS) as space:
            path, _ = written(space, 10, first=100 * number)
        os.utime(path, (1000 + number, 1000 + number))
        paths.append(path)
    other = tmp_path / "model"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"weights")
    (other / f"{'0' * 64}.safetensors").write_bytes(b"weights")
    (tmp_path / f"{0:016x}" / "mine.safetensors").write_bytes(b"weights")
    return store, paths


def test_the_oldest_shards_make_room(tmp_path: Path) -> None:
    store, paths = shelves(tmp_path)
    size = store.size()
    assert size == sum(path.stat().st_size for path in paths)
    os.utime(paths[0], None)  # used last
    with store.room_for(100, size):
        assert [path.exists() for path in paths] == [True, False, True]
    with store.room_for(100, size):
        assert [path.exists() for path in paths] == [True, False, True]
    with store.room_for(100, paths[0].stat().st_size + 100):
        assert [path.exists() for path in paths] == [True, False, False]
    assert (tmp_path / "model" / "model.safetensors").is_file()
    assert (tmp_path / "model" / f"{'0' * 64}.safetensors").is_file()
    assert (tmp_path / f"{0:016x}" / "mine.safetensors").is_file()


def test_shards_in_use_stay_and_the_limit_is_told(tmp_path: Path) -> None:
    store, paths = shelves(tmp_path)
    with store.using(f"{0:016x}", FACTS), store.using(f"{1:016x}", FACTS):
        with pytest.raises(UserError, match=r"run\.cache\.max_gb: 1e-08 GB are too few") as caught:
            store.room_for(100, 10).__enter__()
        assert "raise run.cache.max_gb" in str(caught.value.remedy)
        assert [path.exists() for path in paths] == [True, True, False]
        with pytest.raises(UserError, match="in use"):
            store.remove(f"{1:016x}")
    assert store.remove(f"{1:016x}") == [tmp_path / f"{1:016x}"]
    with pytest.raises(UserError, match="no spaces 'f'") as caught:
        store.remove("f")
    assert f"{0:016x}" in str(caught.value.remedy)
    assert len(store.remove()) == 2
    assert (tmp_path / "model" / "model.safetensors").is_file()


def test_a_process_that_dies_lets_go(tmp_path: Path) -> None:
    store, _ = shelves(tmp_path)
    name = f"{2:016x}"
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def use() -> None:
        with store.using(name, FACTS):
            ready.set()
            time.sleep(60)

    process = context.Process(target=use)
    process.start()
    assert ready.wait(30)
    with unused(tmp_path / name) as free:
        assert not free
    process.kill()
    process.join(30)
    with unused(tmp_path / name) as free:
        assert free
    assert len(store.remove()) == 3


def test_two_writers_at_once_do_no_harm(tmp_path: Path) -> None:
    store, context = Store(tmp_path), multiprocessing.get_context("fork")
    together = context.Barrier(2)

    def write() -> None:
        together.wait(30)
        with store.using(SPACE, FACTS) as path:
            for start in range(0, 40, 4):
                entries = [Entry(torch.full((3, 2), float(n))) for n in range(start, start + 4)]
                data = pack_shard([key(n) for n in range(start, start + 4)], entries)
                with store.room_for(len(data), 10**9):
                    write_shard(path, data)

    writers = [context.Process(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = shards(tmp_path / SPACE)
    assert len(found) == 10  # the same content has the same name
    assert all(map(is_whole, found))
    reader = ShardReader(found)
    assert len(reader) == 40
    assert all(torch.equal(reader.get(key(n)).values, torch.full((3, 2), float(n))) for n in range(40))
    assert sorted(path.name for path in (tmp_path / SPACE).iterdir() if path.suffix != ".safetensors") == [
        "in_use",
        "space.json",
    ]
