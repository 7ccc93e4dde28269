"""Our own checkpoint format: damaged, foreign and half-written ones."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from janus_core.checkpoints import own
from janus_core.checkpoints.atomic import atomic_file, atomic_folder
from janus_core.checkpoints.own import digest, load_checkpoint, save_checkpoint, unique_state
from janus_core.errors import UserError


@pytest.fixture(scope="module")
def saved(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("saved") / "run" / "checkpoint"
    values = tiny.recipe("both")
    save_checkpoint(folder, tiny.build(values), tiny.validated(values), {"stages_done": 1})
    return folder


def rewrite(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        state = load_file(folder / own.WEIGHTS)
        change(state)
        save_file(state, folder / own.WEIGHTS)

    return apply


def edit(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes())) and None


FIRST = "language_model.model.norm.weight"
DAMAGE: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "weights cut": (edit(own.WEIGHTS, lambda b: b[: len(b) // 2]), [own.WEIGHTS, "damaged"]),
    "weights empty": (edit(own.WEIGHTS, lambda b: b""), [own.WEIGHTS, "damaged"]),
    "weights header": (edit(own.WEIGHTS, lambda b: b"\xff" * 64 + b[64:]), [own.WEIGHTS, "damaged"]),
    "weights gone": (lambda f: (f / own.WEIGHTS).unlink(), [own.WEIGHTS]),
    "key missing": (rewrite(lambda s: s.pop(FIRST)), [f"missing: {FIRST}"]),
    "key too many": (rewrite(lambda s: s.update(extra=torch.zeros(1))), ["unexpected: extra"]),
    "shape": (rewrite(lambda s: s.update({FIRST: torch.zeros(3)})), [f"misshapen: {FIRST}", "(3,)", "(32,)"]),
    "recipe gone": (lambda f: (f / own.RECIPE).unlink(), [own.RECIPE]),
    "recipe broken": (edit(own.RECIPE, lambda b: b"name: ["), [own.RECIPE]),
    "plugin gone": (edit(own.RECIPE, lambda b: b.replace(b"type: siglip", b"type: sigzip")), ["sigzip", "siglip"]),
    "text tokenizer gone": (lambda f: (f / own.TEXT).unlink(), [own.TEXT]),
    "text tokenizer broken": (edit(own.TEXT, lambda b: b[:50]), [own.TEXT]),
    "facts broken": (edit(own.FACTS, lambda b: b[:20]), [own.FACTS]),
    "facts are a list": (edit(own.FACTS, lambda b: b"[]"), [own.FACTS]),
    "format of the future": (edit(own.FACTS, lambda b: b.replace(b'"format": 1', b'"format": 99')), ["99", "1"]),
    "facts gone": (lambda f: (f / own.FACTS).unlink(), ["is no checkpoint", "janus train"]),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_checkpoint_is_told(saved: Path, tmp_path: Path, case: str) -> None:
    damage, told = DAMAGE[case]
    folder = tmp_path / "ckpt"
    shutil.copytree(saved, folder)
    damage(folder)
    with pytest.raises(UserError) as caught:
        load_checkpoint(folder)
    for text in told:
        assert text in str(caught.value)


def test_a_wrong_folder_is_told(tmp_path: Path) -> None:
    for name, told in (("none", "does not exist"), (".", "is no checkpoint")):
        with pytest.raises(UserError, match=told) as caught:
            load_checkpoint(tmp_path / name)
        assert "janus train" in str(caught.value.remedy)


def test_the_folder_of_a_run_serves_as_well(saved: Path) -> None:
    assert load_checkpoint(saved.parent)[2]["stages_done"] == load_checkpoint(saved)[2]["stages_done"] == 1


def test_a_checkpoint_can_be_moved(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(saved, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    built, _, _ = load_checkpoint(Path("elsewhere"))
    assert own.digest(built.model) == digest(load_checkpoint(saved)[0].model)


@pytest.mark.parametrize("before", [False, True], ids=["new", "replacing"])
def test_a_full_disk_leaves_nothing_half_written(
    saved: Path, tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    folder = tmp_path / "ckpt"
    if before:
        shutil.copytree(saved, folder)
    listing = tiny.listing(tmp_path)

    def full(path: Path, *_: Any) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(own, "write_safetensors", full)
    values = tiny.recipe("both")
    with pytest.raises((OSError, UserError), match="No space left"):
        save_checkpoint(folder, tiny.build(values), tiny.validated(values), {})
    assert tiny.listing(tmp_path) == listing
    if before:
        assert load_checkpoint(folder)[2]["stages_done"] == 1


def test_a_full_disk_at_a_resume_point_is_told(
    tiny: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lightning

    def full(self: Any, path: Path, *rest: Any) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(lightning.Trainer, "save_checkpoint", full)
    values = tiny.recipe("generation")
    values["run"]["checkpoint_every"] = 1
    with pytest.raises(OSError, match="No space left"):
        tiny.train(values, tmp_path / "out")
    assert not [name for name in tiny.listing(tmp_path) if "partial" in name or "resume" in name]


class Stop(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Stop])
def test_atomic_files_and_folders_keep_the_old_one(tmp_path: Path, error: type[BaseException]) -> None:
    for make, name in ((atomic_file, "file"), (atomic_folder, "folder")):
        target = tmp_path / "deep" / name
        for content, fails in (("first", False), ("second", True), ("third", False)):
            try:
                with make(target) as partial:
                    inner = partial / "x" if make is atomic_folder else partial
                    inner.write_text(content, encoding="utf-8")
                    if fails:
                        raise error
            except error:
                assert fails
            written = target / "x" if make is atomic_folder else target
            assert written.read_text(encoding="utf-8") == ("first" if fails else content)
        assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == sorted({"file", name})


def test_an_interrupted_swap_of_folders_is_made_good(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between putting the old folder aside and putting the new one in its place."""
    folder = tmp_path / "ckpt"
    shutil.copytree(saved, folder)
    former = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise Stop
        return former(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(Stop):
            replace(saved, folder)
    assert not folder.exists()
    assert load_checkpoint(folder)[2]["stages_done"] in (1, 2)


def replace(saved: Path, folder: Path) -> None:
    """Put a later checkpoint in the place of the folder."""
    with atomic_folder(folder) as partial:
        shutil.copytree(saved, partial, dirs_exist_ok=True)
        facts = json.loads((partial / own.FACTS).read_text(encoding="utf-8")) | {"stages_done": 2}
        (partial / own.FACTS).write_text(json.dumps(facts), encoding="utf-8")


def test_the_digest_sees_values_types_and_names() -> None:
    def module(**buffers: torch.Tensor) -> torch.nn.Module:
        made = torch.nn.Module()
        for name, value in buffers.items():
            made.register_buffer(name, value)
        return made

    one = torch.ones(2)
    digests = {
        digest(module(a=one)),
        digest(module(b=one)),
        digest(module(a=one.double())),
        digest(module(a=one[:, None])),
        digest(module(a=torch.tensor([1.0, 1.0000001]))),
        digest(module(a=torch.tensor(1.0))),
        digest(module(a=one.bfloat16())),
    }
    assert len(digests) == 7
    assert digest(module(a=one)) == digest(module(a=torch.ones(4)[::2]))


def test_shared_tensors_are_stored_once() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    model[1].weight = model[0].weight
    assert list(unique_state(model)) == ["0.weight", "0.bias", "1.bias"]
