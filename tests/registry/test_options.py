"""Choices of components: every mistake is named with its place and remedy, and the schema agrees with `choose`."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from pydantic import ValidationError

from janus_registry.errors import BrokenReference, Deprecated, UnknownComponent
from janus_registry.options import OptionsError, choose, options_model
from janus_registry.schema import full_schema, union, union_schema

OPTIONS = """
from typing import Literal
from pydantic import BaseModel, ConfigDict, Field, model_validator
class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    depth: int = 2
class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    width: int = Field(ge=8, description="channels")
    heads: int = 4
    norm: Literal["layer", "rms"] = "layer"
    inner: Inner = Inner()
    @model_validator(mode="after")
    def check(self):
        if self.width % self.heads:
            raise ValueError("width must be a multiple of heads")
        return self
class Loose(BaseModel):
    pass
class Free(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: int = 3
"""
SPECS = """
def spec(name, options, **more):
    return ComponentSpec(name=name, summary=name, factory="toy_options:build", options=f"toy_options:{options}", **more)
@hookimpl
def toy_widgets():
    yield spec("net", "Options", presets={"tiny": {"width": 32}, "paper": {"width": 768, "heads": 12}})
    yield spec("free", "Free")
"""
OTHER = """
@hookimpl
def toy_widgets():
    yield ComponentSpec(name="free", summary="another", factory="toy_options:build", options="toy_options:Free")
"""


@pytest.fixture
def manager(shelf: Any) -> Any:
    shelf.add("toy-a", {"a": SPECS}, modules={"toy_options": OPTIONS})
    shelf.add("toy-b", {"b": OTHER})
    return shelf.manager()


def test_a_name_a_preset_and_options(manager: Any) -> None:
    assert choose(manager, "widget", "a/free").options.size == 3  # type: ignore[attr-defined]
    chosen = choose(
        manager, "widget", {"type": "net", "preset": "paper", "options": {"width": 24, "inner": {"depth": 1}}}
    )
    assert (chosen.component.qualified, chosen.preset) == ("a/net", "paper")
    assert chosen.options.model_dump() == {"width": 24, "heads": 12, "norm": "layer", "inner": {"depth": 1}}


def test_every_mistake_is_collected(manager: Any) -> None:
    value = {
        "type": "net",
        "presets": 1,
        "preset": "tinny",
        "options": {"widht": 3, "heads": "x", "norm": "rsm", "inner": {"dept": 3}},
    }
    with pytest.raises(OptionsError) as caught:
        choose(manager, "widget", value, "model.encoder")
    found = {mistake.place: mistake for mistake in caught.value.mistakes}
    assert set(found) == {
        "model.encoder.presets",
        "model.encoder.preset",
        "model.encoder.options.widht",
        "model.encoder.options.heads",
        "model.encoder.options.norm",
        "model.encoder.options.inner.dept",
    }
    assert found["model.encoder.presets"].nearest == "preset"
    preset = found["model.encoder.preset"]
    assert (preset.value, preset.nearest, preset.allowed) == ("tinny", "tiny", ("tiny", "paper"))
    assert found["model.encoder.options.widht"].nearest == "width"
    assert found["model.encoder.options.widht"].allowed == ("width", "heads", "norm", "inner")
    assert found["model.encoder.options.inner.dept"].nearest == "depth"
    norm = found["model.encoder.options.norm"]
    assert (norm.value, norm.nearest, norm.allowed) == ("rsm", "rms", ("layer", "rms"))
    assert found["model.encoder.options.heads"].value == "x"
    for mistake in caught.value.mistakes:
        assert str(mistake) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "place", "says"),
    [
        ({"type": "net"}, "options.width", "required\n  width: channels"),
        ({"type": "net", "options": {"width": 9}}, "options", "multiple of heads"),
        ({"type": "net", "preset": "tiny", "options": {"heads": 5}}, "options", "multiple of heads"),
        ({"type": "net", "options": [1]}, "options", "[1] is not a mapping"),
        ({"type": "net", "options": {"width": 4}}, "options.width", "greater than or equal to 8"),
        ({"preset": "tiny"}, "type", "required"),
        ({"type": 3}, "type", "3"),
        (7, "widget", "7"),
        ("nett", "type", "did you mean 'net'"),
        ("free", "type", "ambiguous"),
        ({"type": "a/free", "preset": "tiny"}, "preset", "none"),
    ],
)
def test_each_mistake_has_its_place(manager: Any, value: object, place: str, says: str) -> None:
    with pytest.raises(OptionsError) as caught:
        choose(manager, "widget", value)
    (mistake,) = caught.value.mistakes
    assert mistake.place == place
    assert says in str(mistake)


def test_an_unknown_type_keeps_its_cause(manager: Any) -> None:
    with pytest.raises(OptionsError) as caught:
        choose(manager, "widget", "nothing")
    assert isinstance(caught.value.__cause__, UnknownComponent)


def test_the_union_agrees_with_choose(manager: Any) -> None:
    adapter, left_out = union(manager, "widget")
    assert adapter is not None
    assert left_out == {}
    types = ["net", "a/net", "a/free", "b/free", "free", "nothing"]
    presets: list[object] = [..., None, "tiny", "paper", "tinny"]
    options: list[object] = [
        ...,
        {},
        {"width": 24},
        {"width": "24"},
        {"width": 9},
        {"size": 1},
        {"widht": 1},
        {"heads": 5},
    ]
    options += [[], None, {"inner": {"depth": "x"}}, {"width": 64, "inner": {"depth": 9}}]
    values: list[object] = [*types, 3, None, {"preset": "tiny"}, {"type": "net", "extra": 1}]
    for kind in types:
        for preset in presets:
            for given in options:
                entries = {"type": kind, "preset": preset, "options": given}
                values.append({key: entry for key, entry in entries.items() if entry is not ...})
    accepted = 0
    for value in values:
        try:
            chosen = choose(manager, "widget", value)
        except OptionsError:
            with pytest.raises(ValidationError):
                adapter.validate_python(value)
            continue
        accepted += 1
        arm = adapter.validate_python(value)
        assert type(arm).component == chosen.component
        assert (arm.preset, arm.options) == (chosen.preset, chosen.options)
    assert 20 < accepted < len(values) - 20


def validates(schema: Any, value: object, root: Any) -> bool:
    """The part of JSON schema that our schemas use."""
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return validates(target, value, root)
    types = {"string": str, "object": dict, "null": type(None), "array": list, "integer": int}
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and value != schema["const"]:
        return False
    if "not" in schema and validates(schema["not"], value, root):
        return False
    if isinstance(value, int) and value < schema.get("minimum", value):
        return False
    if isinstance(value, dict) and "properties" in schema:
        if set(schema.get("required", [])) - set(value):
            return False
        for key, item in value.items():
            if key not in schema["properties"]:
                if schema.get("additionalProperties") is False:
                    return False
            elif not validates(schema["properties"][key], item, root):
                return False
    if "anyOf" in schema and not any(validates(part, value, root) for part in schema["anyOf"]):
        return False
    return "oneOf" not in schema or sum(validates(part, value, root) for part in schema["oneOf"]) == 1


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("net", True),
        ("b/free", True),
        ("free", False),
        ({"type": "a/net", "preset": "tiny"}, True),
        ({"type": "net", "preset": None, "options": {"width": 16, "norm": "rms"}}, True),
        ({"type": "net", "preset": "tiny", "options": {"inner": {"depth": 3}}}, True),
        ({"type": "a/free", "options": {"size": 1}}, True),
        ({"type": "a/free", "options": {"width": 16}}, False),
        ({"type": "a/free", "preset": "tiny"}, False),
        ({"type": "net", "preset": "tinny"}, False),
        ({"type": "net", "options": {"width": 3}}, False),
        ({"type": "net", "options": {"norm": "rsm"}}, False),
        ({"type": "net", "option": {}}, False),
        ({"preset": "tiny"}, False),
        (7, False),
    ],
)
def test_the_schema_validates(manager: Any, value: object, good: bool) -> None:
    schema = union_schema(manager, "widget")
    json.dumps(schema)
    assert validates(schema, value, schema) is good
    full = full_schema(manager, ["widget"])
    assert validates(full["$defs"]["widget"], value, full) is good


def test_the_schema_has_a_discriminator_and_descriptions(manager: Any) -> None:
    schema = union_schema(manager, "widget")
    assert schema["anyOf"][0]["enum"] == ["net", "a/net", "a/free", "b/free"]
    assert schema["anyOf"][1]["discriminator"]["propertyName"] == "type"
    assert set(schema["anyOf"][1]["discriminator"]["mapping"]) == {"net", "a/net", "a/free", "b/free"}
    assert "channels" in json.dumps(schema)
    # the model itself still requires what only the arm may leave out
    assert options_model(manager.resolve("widget", "net")).model_json_schema()["required"] == ["width"]


def test_unusable_options_models_are_named_and_left_out(shelf: Any) -> None:
    source = (
        SPECS.replace('"Free")', '"Loose")') + '    yield spec("gone", "Gone")\n    yield spec("int", "__name__")\n'
    )
    shelf.add("toy-a", {"a": source}, modules={"toy_options": OPTIONS})
    manager = shelf.manager()
    for name, says in (("free", "misspelled"), ("gone", "no attribute 'Gone'"), ("int", "not a pydantic model")):
        with pytest.raises(BrokenReference, match=says):
            options_model(manager.resolve("widget", name))
    schema = union_schema(manager, "widget")
    assert set(schema["x-left-out"]) == {"a/free", "a/gone", "a/int"}
    assert schema["anyOf"][0]["enum"] == ["net", "a/net"]
    assert validates(schema, {"type": "net", "preset": "tiny"}, schema)


def test_kinds_without_components_or_options(manager: Any, shelf: Any) -> None:
    shelf.add("toy-c", {"c": "@hookimpl\ndef toy_gadgets(): return [Gadget(name='go')]"})
    full = full_schema(shelf.manager(), ["widget", "gadget"])
    assert not validates(full["$defs"]["gadget"], "go", full)
    with pytest.raises(BrokenReference, match="takes no options"):
        choose(shelf.manager(), "gadget", "go")


def test_what_is_deprecated_is_told_when_it_is_used_and_not_before(shelf: Any) -> None:
    model = OPTIONS.replace("size: int = 3", 'size: int = 3\n    old: int = Field(2, deprecated="write size")')
    specs = SPECS.replace(
        'spec("free", "Free")', 'spec("free", "Free", presets={"big": {"old": 5}}, deprecated="use net")'
    )
    shelf.add("toy", {"toy": specs}, modules={"toy_options": model})
    manager = shelf.manager()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(manager, "widget", {"type": "net", "options": {"width": 8}}, "part")
    with pytest.warns(Deprecated) as caught:
        chosen = choose(manager, "widget", {"type": "free", "options": {"old": 1}}, "part")
    assert [str(item.message) for item in caught] == [
        "part: toy/free is deprecated: use net",
        "part: the option 'old' of toy/free is deprecated: write size",
    ]
    assert chosen.options.model_dump() == {"size": 3, "old": 1}
    with pytest.warns(Deprecated) as caught:  # of the preset's options its author is to be told, not its user
        choose(manager, "widget", {"type": "free", "preset": "big"}, "part")
    assert len(caught) == 1
