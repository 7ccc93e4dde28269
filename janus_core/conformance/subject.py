"""One component in one preset, built once and shared by the checks; what it did to the process is noted on the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from janus_core.config.choose import load
from janus_core.conformance.check import ENCODER, TOKENIZER, WITH_TRANSFORM, NotRun
from janus_core.conformance.deeds import no_network
from janus_core.conformance.inputs import raw_inputs
from janus_core.conformance.kinds import drive_of
from janus_core.conformance.reimport import import_again
from janus_core.conformance.settings import DEFAULT_DEVICE
from janus_core.conformance.state import Phase, pristine, watched
from janus_core.interfaces import BuildContext, Prepared, Transform
from janus_core.model.build import make, seeded
from janus_core.plugins import manager
from janus_registry.options import Chosen, options_model
from janus_registry.records import Component

if TYPE_CHECKING:
    from janus_core.conformance.child import Children
    from janus_core.conformance.kinds import Drive, Out

IMAGE_SIZE = 64
"""Side in pixels of the pictures that generation tokenizers are checked with."""
NOISE = 0.05
"""Standard deviation of what is added to every parameter: gates that begin at 0 and identities hide faults."""
ROWS = 3


@dataclass
class Subject:
    """What the checks ask.

    Attributes:
        component: with its spec record.
        module_name: the module that the entry point names.
        preset: name of the preset, or None where the component has none of that name.
        device: where the checks of values run.
        phases: what the component did to the process, by phase.
    """

    component: Component
    module_name: str
    preset: str | None
    device: str = "cpu"
    phases: dict[str, Phase] = field(default_factory=dict)
    children: Children | None = None

    @property
    def kind(self) -> str:
        return self.component.kind

    @cached_property
    def drive(self) -> Drive:
        """How components of this kind are run."""
        return drive_of(self.component)

    def capability(self, name: str, default: Any = None) -> Any:
        """A declared fact."""
        return self.component.spec.capabilities.get(name, default)

    @cached_property
    def chosen(self) -> Chosen:
        """The component with the options of the preset; ``weights: none`` is filled in where the preset leaves it."""
        return _chosen(self.component, self.preset)

    @cached_property
    def given(self) -> dict[str, Any]:
        """The options as they were before anything was built from them."""
        return self.chosen.options.model_dump()

    def context(self, image_size: int = IMAGE_SIZE, seed: int = 0) -> BuildContext:
        """A context in which ``ref`` finds a generation tokenizer, the plugin's own if it has one."""
        if self.capability("needs_ref") is None:
            return BuildContext(image_size=image_size)
        bare = BuildContext(image_size=image_size)
        chosen = self._referred
        parts: dict[str, nn.Module] = {}

        def resolve(name: str) -> nn.Module:
            if name not in parts:
                with seeded(seed, name):
                    parts[name] = cast(nn.Module, make(chosen, bare, name))
            return parts[name]

        def resolve_transform(name: str) -> Transform:
            return cast(Transform, load(chosen.component, chosen.component.spec.transform)(chosen.options, bare))

        return BuildContext(image_size=image_size, resolve=resolve, resolve_transform=resolve_transform)

    @cached_property
    def _referred(self) -> Chosen:
        others = [item for item in manager().components(TOKENIZER) if "tiny" in item.spec.presets]
        others.sort(key=lambda item: item.plugin != self.component.plugin)
        if not others:
            raise NotRun("it shares a generation tokenizer, and none with a preset 'tiny' is installed")
        return _chosen(others[0], "tiny")

    def build(self, seed: int = 0, *, device: str | None = None) -> nn.Module:
        """A new module, seeded and as its factory gives it; whatever it changes in the process is put back."""
        place = torch.device(device) if device else contextlib.nullcontext()
        with pristine(), no_network(), place, seeded(seed, "part"):
            return self.made(seed)

    def made(self, seed: int) -> nn.Module:
        """What the factory gives, in the state that the process is in."""
        context = self.context(seed=seed)
        made = load(self.component, self.component.spec.factory)(self.chosen.options, context, **self.drive.sizes)
        return cast(nn.Module, made)

    def fresh(self, seed: int = 0) -> nn.Module:
        """A new module in eval mode with perturbed weights, on the device; the caller may change it."""
        self.need("build")
        module = perturbed(self.build(seed)).eval()
        return module.to(self.device)

    @cached_property
    def module(self) -> nn.Module:
        """The module that checks share: they leave its values and its mode alone."""
        return self.fresh()

    def make_transform(self, image_size: int = IMAGE_SIZE, options: Any = None) -> Transform:
        """A new transform."""
        factory = load(self.component, self.component.spec.transform)
        return cast(Transform, factory(options or self.chosen.options, self.context(image_size)))

    @cached_property
    def transform(self) -> Transform:
        """The transform that checks share."""
        self.need("transform")
        with pristine():
            return self.make_transform()

    def raws(self, count: int = ROWS) -> list[Any]:
        """Raw inputs."""
        modality = self.component.spec.modality if self.kind == ENCODER else "image"
        return raw_inputs(self.component, modality, count)

    def prepared(self, raws: list[Any]) -> list[Prepared]:
        """Raw inputs after the transform."""
        with pristine():
            return [self.transform(raw) for raw in raws]

    @cached_property
    def items(self) -> list[Any]:
        """Inputs of single items, which `batch` joins."""
        prepared = self.prepared(self.raws()) if self.kind in WITH_TRANSFORM else []
        with pristine():
            return self.drive.items(self, ROWS, prepared)

    def batch(self, items: list[Any] | None = None) -> Any:
        """Items joined to what the module takes, on the device."""
        from janus_core.conformance.tree import moved

        with pristine():
            return moved(self.drive.join(self, self.items if items is None else items), device=self.device)

    def run(self, module: nn.Module | None = None, batch: Any = None) -> Out:
        """What the module gives for a batch, without gradient."""
        from janus_core.conformance.tree import copied

        with pristine(), torch.no_grad():
            return self.drive.run(module or self.module, copied(self.batch()) if batch is None else batch)

    @cached_property
    def outputs(self) -> Out:
        """What the shared module gives for the shared items."""
        self.need("forward")
        return self.run()

    def need(self, *names: str) -> None:
        """Raise `NotRun` unless these phases, and the ones before, went well."""
        self.observe()
        for name, phase in self.phases.items():
            if phase.error is not None:
                raise NotRun(f"it failed before, see the check {'build' if name in ('import', 'build') else name!r}")
            if phase.deeds.network:  # every further try would wait for it, some libraries for minutes
                raise NotRun("it reaches for the network, see the check 'network'")
            if any(text.startswith(DEFAULT_DEVICE) for text in phase.changes):  # no context of a device survives that
                raise NotRun("it sets torch's default device, see the check 'global_state'")
            if name == names[-1]:
                return

    @cached_property
    def references(self) -> list[str]:
        """Modules of the component: of the entry point, the factory, the options and the transform."""
        spec = self.component.spec
        named = (spec.factory, spec.options, getattr(spec, "transform", ""))
        return [self.module_name, *(text.partition(":")[0] for text in named if text)]

    @cached_property
    def own(self) -> frozenset[str]:
        """Top-level names of its packages."""
        return frozenset(name.partition(".")[0] for name in self.references)

    def observe(self) -> None:
        """Live through import, build, transform, forward and a step of training once, noting what each does."""
        if self.phases:
            return
        held: dict[str, Any] = {}

        def build() -> None:
            with seeded(0, "part"):
                held["module"] = self.made(0)
                if not isinstance(held["module"], nn.Module):
                    raise TypeError(f"the factory gives a {type(held['module']).__name__}, no nn.Module")

        def transform() -> None:
            prepare = self.make_transform()
            held["items"] = [prepare(raw) for raw in held["raws"]]

        def forward() -> None:
            module = held["module"].eval()
            with torch.no_grad():
                self.drive.run(module, self.drive.join(self, held["joined"]))

        def training() -> None:
            module = held["module"].train()
            with torch.enable_grad():
                loss = self.drive.loss(module, self.drive.join(self, held["joined"]))
                if loss.requires_grad:
                    loss.backward()  # type: ignore[no-untyped-call]

        self.phases["import"] = self._imported()
        if self.phases["import"].error is not None or not self._lived("build", build):
            return
        if self.kind in WITH_TRANSFORM:
            try:
                held["raws"] = self.raws()
            except NotRun as reason:  # a modality that the kit makes no inputs of
                self.phases["transform"] = Phase("transform", error=reason)
                return
            if not self._lived("transform", transform):
                return
        held["joined"] = self.drive.items(self, ROWS, held.get("items", []))
        if self._lived("forward", forward):
            self._lived("training", training)

    def _imported(self) -> Phase:
        with watched("import", self.own) as phase:
            _ = self.given
            load(self.component, self.component.spec.factory)
            if self.kind in WITH_TRANSFORM:
                load(self.component, self.component.spec.transform)
        if phase.error is None:
            with watched("import", self.own) as again:
                import_again(self.references, self.own)
            phase.settle(again)
        return phase

    def _lived(self, name: str, live: Callable[[], None]) -> bool:
        with watched(name, self.own) as phase:
            live()
        if phase.error is None and phase.imported and phase.library_changes:
            with watched(name, self.own) as again:
                live()
            phase.settle(again)
        self.phases[name] = phase
        return phase.error is None


def _chosen(component: Component, preset: str | None) -> Chosen:
    """A preset's options; weights are random where a preset leaves them to the recipe."""
    model = options_model(component)
    values = dict(component.spec.presets[preset]) if preset is not None else {}
    if "weights" in model.model_fields:
        values["weights"] = "none"
    return Chosen(component, preset, model.model_validate(values))


def perturbed(module: nn.Module, seed: int = 0) -> nn.Module:
    """Add noise to every floating parameter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.is_floating_point():
                parameter.add_(NOISE * torch.randn(parameter.shape, generator=generator).to(parameter))
    return module
