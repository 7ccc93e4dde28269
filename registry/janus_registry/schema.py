"""One discriminated union a kind: a JSON schema of everything that may be written where a component is chosen.

Imports pydantic: import on demand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, Self, Union

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    TypeAdapter,
    create_model,
    model_validator,
)
from pydantic.functional_validators import WrapValidator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from janus_registry.errors import RegistryError
from janus_registry.manager import PluginManager
from janus_registry.options import has_options, options_model
from janus_registry.records import Component
from janus_registry.resolve import is_settled, matching

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Partial:
    """Every option may be left out: a preset may fill it; the whole is validated with the preset by the arm."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        json_schema = handler(core_schema)
        handler.resolve_ref_schema(json_schema).pop("required", None)
        return json_schema


def _as_written(value: Any, _handler: Any) -> Any:
    if not isinstance(value, dict):
        raise ValueError(f"{value!r} is not a mapping of options")
    return value


class Arm(BaseModel):
    """One arm of a union: the choice of one component."""

    model_config = ConfigDict(extra="forbid")
    component: ClassVar[Component]
    model: ClassVar[type[BaseModel]]
    type: str
    preset: str | None = None
    options: Any = None

    @model_validator(mode="after")
    def _fill(self) -> Self:
        preset = self.component.spec.presets.get(self.preset, {})
        self.options = self.model.model_validate({**preset, **self.options})
        return self


def tags(manager: PluginManager, component: Component) -> tuple[str, ...]:
    """The names that resolve to this component: short and qualified where they do, else the full one."""
    siblings = manager.components(component.kind)
    texts = [
        text for text in (component.name, component.qualified) if is_settled(manager, matching(siblings, text), text)
    ]
    return tuple(texts) or (component.full,)


def _arm(manager: PluginManager, component: Component) -> type[Arm]:
    model = options_model(component)
    presets = tuple(component.spec.presets)
    names = tags(manager, component)
    preset: Any = Literal[presets] | None if presets else None
    name: Any = Literal[names]
    partial: Any = Annotated[model, WrapValidator(_as_written), _Partial()]
    arm = create_model(
        f"{component.kind}_{component.plugin}_{component.name}".replace("-", "_").replace(".", "_"),
        __base__=Arm,
        __doc__=component.spec.summary,
        type=(name, Field(description=f"{component.qualified}: {component.spec.summary}")),
        preset=(preset, Field(default=None, description="named set of options, replaced one by one by those given")),
        options=(partial, Field(default_factory=dict, description="options that differ from the preset or default")),
    )
    arm.component, arm.model = component, model
    return arm


def union(manager: PluginManager, kind: str) -> tuple[TypeAdapter[Any] | None, dict[str, str]]:
    """The validator of a choice of this kind, which agrees with `choose`, and the components that it had to leave out.

    Returns:
        The adapter (None if the kind has no usable component), and qualified name -> why its options model is missing.
    """
    arms, broken = [], {}
    for component in manager.components(kind):
        if not has_options(component):
            continue
        try:
            arms.append(_arm(manager, component))
        except RegistryError as error:
            broken[component.qualified] = error.what
    if not arms:
        return None, broken
    choice: Any = arms[0]
    if len(arms) > 1:
        choice = Annotated[Union[tuple(arms)], Field(discriminator="type")]  # noqa: UP007 - built from a tuple
    spread = BeforeValidator(lambda value: {"type": value} if isinstance(value, str) else value)
    return TypeAdapter(Annotated[choice, spread]), broken


def union_schema(manager: PluginManager, kind: str) -> dict[str, Any]:
    """JSON schema of a choice of this kind: a bare name, or a mapping with ``type``, ``preset`` and ``options``."""
    schema = full_schema(manager, [kind])
    definitions = schema.pop("$defs")
    return {"$schema": schema.pop("$schema"), **definitions.pop(kind), "$defs": definitions}


def full_schema(manager: PluginManager, kinds: Iterable[str]) -> dict[str, Any]:
    """JSON schema whose ``$defs`` hold each kind under its own name, beside the models that they use."""
    adapters, broken = {}, {}
    for kind in kinds:
        manager.check_kind(kind)
        adapters[kind], broken[kind] = union(manager, kind)
    inputs = [(kind, "validation", adapter) for kind, adapter in adapters.items() if adapter is not None]
    references, definitions = TypeAdapter.json_schemas(inputs)  # type: ignore[arg-type]
    shared = dict(definitions.get("$defs", {}))
    for kind, adapter in adapters.items():
        names = [tag for component in manager.components(kind) for tag in tags(manager, component)] if adapter else []
        names = [name for name in names if manager.resolve(kind, name).qualified not in broken[kind]]
        title = {"title": kind.replace("_", " ")}
        if adapter is None:
            shared[kind] = {**title, "not": {}, "description": "no component of this kind is usable"}
        else:
            shared[kind] = {**title, "anyOf": [{"type": "string", "enum": names}, references[(kind, "validation")]]}
        if broken[kind]:
            shared[kind]["x-left-out"] = broken[kind]
    return {"$schema": DIALECT, "$defs": shared}
