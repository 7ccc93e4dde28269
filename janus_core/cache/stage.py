"""The cache of one stage: what is missing is computed before the stage begins, then the stage only reads.

cache = stage_cache(built, recipe, stage, folder=folder, say=say)     # None: the recipe names no cache
if cache is not None:
    cache.fill(batches made with cache.probe)                         # every batch that the stage will draw
... batches made with ``cache.assembler`` in place of ``built.assembler`` ...
record["cache"] = cache.close()
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from janus_core.cache.encode import PartEncoder, move
from janus_core.cache.part import CachedPart, Tally
from janus_core.cache.space import Role, space_of
from janus_core.cache.store import Store
from janus_core.cache.transforms import Probe
from janus_core.config.recipe import Recipe, StageConfig
from janus_core.errors import UserError
from janus_core.interfaces import Transform
from janus_core.model.build import BuiltModel
from janus_core.sequence.assemble import Assembler

TELL_EVERY = 30.0
"""Seconds between two lines of news while the cache is filled."""
TOKENIZER = "generation_tokenizer"


class _Given(Protocol):
    inputs: Any


class Probed(Protocol):
    """A packed batch whose inputs and pixels are lists of `Probe`."""

    @property
    def given(self) -> Mapping[str, _Given]: ...
    @property
    def pixels(self) -> Any: ...


class StageCache:
    """The cached parts of a stage.

    Attributes:
        assembler: as the model's own, but reading entries: for the batches of the stage.
        probe: as the model's own, but finding out what is missing: for the batches given to `fill`.
        skipped: parts that are not cached in this stage, with the reason.
    """

    def __init__(
        self,
        built: BuiltModel,
        parts: Mapping[str, CachedPart],
        skipped: Mapping[str, str],
        resources: ExitStack,
        say: Callable[[str], None],
    ) -> None:
        self.parts, self.skipped = dict(parts), dict(skipped)
        self._built, self._resources, self._say = built, resources, say
        self.probe = _assembler(built.assembler, {name: part.probing for name, part in self.parts.items()})
        self.assembler = built.assembler

    def fill(
        self, batches: Iterable[Probed], *, stream: str | None = None, trust: bool = True, enough: int | None = None
    ) -> None:
        """Compute what is missing of the inputs of all these batches, and check some of what is there.

        Args:
            batches: packed with `probe`; their inputs and pixels are then lists of `Probe`. The parts in the middle
                of a model are moved to the cache's device and back.
            stream: name of all these batches (`stream_of`): when they were all cached before, and no shard was lost
                since, only the first are looked at, to be checked. None: look at all.
            trust: false looks at all of a stream, also if it is known.
            enough: stop when this many entries of every part were checked.

        Raises:
            UserError: an input or a part cannot be cached, an entry is not what its part computes, or the cache is too
                small. What was computed before stays.
        """
        if not self.parts:
            return
        began = time.perf_counter()
        before = {name: move(part.encoder.part, part.encoder.device) for name, part in self.parts.items()}
        try:
            wanted: dict[str, int] | None = None
            if enough is not None:
                wanted = dict.fromkeys(self.parts, enough)
            elif stream is not None and trust and all(part.knows(stream) for part in self.parts.values()):
                wanted = {name: part.check_first() for name, part in self.parts.items()}
            whole, told = True, began
            for batch in batches:
                for name, probes in _probes(batch):
                    if name in self.parts:
                        self.parts[name].take(probes)
                if time.perf_counter() - told > TELL_EVERY:
                    told = time.perf_counter()
                    counts = ", ".join(f"{p.tally.computed} of {name}" for name, p in self.parts.items())
                    self._say(f"cache: computed so far: {counts}")
                if wanted is not None and all(self.parts[name].looked_at >= wanted[name] for name in wanted):
                    whole = False
                    break
            for part in self.parts.values():
                part.finish()
                if whole and stream is not None:
                    part.remember(stream)
                elif not whole and enough is None:
                    part.stop()
        finally:
            for name, device in before.items():
                move(self.parts[name].encoder.part, device)
        self.assembler = _assembler(self._built.assembler, {name: part.transform for name, part in self.parts.items()})
        for name, part in self.parts.items():
            self._news(name, part.tally, time.perf_counter() - began)

    def _news(self, name: str, tally: Tally, seconds: float) -> None:
        if not tally.entries:
            return
        self._say(
            f"cache: {name}: {tally.entries} entries, {tally.computed} of them computed now, {tally.checked} checked "
            f"({seconds:.1f} s); live {1e3 * tally.live:.2f} ms an input, cached {1e3 * tally.cached:.2f} ms"
        )
        if tally.cached > tally.live > 0:
            self._say(
                f"cache: WARNING: for {name} the cache is SLOWER than computing: remove run.cache from the recipe"
            )

    def close(self) -> dict[str, Any]:
        """Let go of the spaces; returns the facts of each part for the record, and tells what was saved."""
        facts = {name: part.facts() for name, part in self.parts.items() if part.tally.uses}
        for name, about in facts.items():
            self._say(
                f"cache: {name}: {about['entries']} entries ({about['bytes'] / 1e6:.3g} MB), {about['uses']} uses, "
                f"about {about['seconds_saved']:.1f} s saved; computing what was missing took "
                f"{about['seconds_of_computing']:.1f} s"
            )
        self._resources.close()
        return facts

    def __enter__(self) -> StageCache:
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()


def stage_cache(
    built: BuiltModel,
    recipe: Recipe,
    stage: StageConfig,
    *,
    folder: Path,
    say: Callable[[str], None],
    device: torch.device | None = None,
    only: str | None = None,
    unknown: Collection[str] = (),
    compute: bool = True,
) -> StageCache | None:
    """The cache of the parts that are frozen in a stage; None if the recipe has no ``run.cache``.

    The trained parts are set as the stage says (`JanusModel.set_trained`).

    Args:
        folder: relative paths in the recipe are relative to it.
        device: where the parts run in `fill`; None as ``run.accelerator`` says.
        only: one part; None for every encoder and the tokenizer.
        unknown: parts whose weights in this stage are not known yet, because an earlier stage trains them.
        compute: `fill` computes what is missing; else it only counts it.

    Raises:
        UserError: ``only`` trains in the stage or before it, or is no part that can be cached; the folder is damaged.
    """
    config = recipe.run.cache
    if config is None:
        return None
    device = device or _device(recipe.run.accelerator)
    frozen = built.model.set_trained(stage.train)
    roles = {name: role for name, role in cacheable(built, stage).items() if only in (None, name)}
    if only is not None and not roles:
        known = ", ".join(cacheable(built, stage)) or "none"
        raise UserError(f"{only!r} has no features or codes in stage {stage.name}", f"parts: {known}")
    skipped = {name: "trains before and is computed by janus train" for name in roles if name in unknown}
    skipped |= {name: "trains and is computed at every step" for name in roles if name not in frozen}
    if only in skipped:
        raise UserError(
            f"{only} cannot be cached for stage {stage.name}: it {skipped[only]}",
            "choose a stage up to which it is frozen",
        )
    for name, reason in skipped.items():
        say(f"cache: stage {stage.name}: {name} {reason}")
    store, resources, parts = Store(folder / config.folder), ExitStack(), {}
    with resources:
        for name, role in roles.items():
            if name in skipped:
                continue
            transform = _transform(built, name)
            space = space_of(
                role,
                name,
                built.model.parts(),
                recipe.model,
                transform,
                precision=recipe.run.precision,
                device=device.type,
            )
            encoder = PartEncoder(
                name,
                built.model.parts()[name],
                transform,
                role,
                built.model.code_layout if role == "codes" else None,
                device,
                recipe.run.precision,
            )
            path = resources.enter_context(store.using(space.id, space.facts))
            parts[name] = CachedPart(
                encoder,
                space,
                store,
                path,
                limit=int(config.max_gb * 1e9),
                check=config.verify,
                compute=compute,
                say=say,
            )
        return StageCache(built, parts, skipped, resources.pop_all(), say)
    raise AssertionError("not reached")  # an ExitStack may swallow errors, as far as mypy knows


def cacheable(built: BuiltModel, stage: StageConfig) -> dict[str, Role]:
    """The parts that compute features or codes in a stage, frozen or not."""
    draws = stage.mixture.get("generation", 0) > 0
    sees = draws or stage.mixture.get("understanding", 0) > 0
    roles: dict[str, Role] = {f"encoders.{route}": "features" for route in built.transforms if sees}
    if built.target_transform is not None and draws:
        roles[TOKENIZER] = "codes"
    return roles


def _transform(built: BuiltModel, name: str) -> Transform:
    transform = built.target_transform if name == TOKENIZER else built.transforms[name.removeprefix("encoders.")]
    assert transform is not None
    return transform


def _assembler(own: Assembler, transforms: Mapping[str, Transform]) -> Assembler:
    routes = {
        route: replace(item, transform=transforms.get(f"encoders.{route}", item.transform))
        for route, item in own.routes.items()
    }
    return Assembler(own.text, own.chat, routes, transforms.get(TOKENIZER, own.target_transform))


def _probes(batch: Probed) -> Iterator[tuple[str, list[Probe]]]:
    for route, given in batch.given.items():
        yield f"encoders.{route}", given.inputs
    if batch.pixels is not None:
        yield TOKENIZER, batch.pixels


def _device(accelerator: str) -> torch.device:
    """The device that Lightning's accelerator means."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
