"""What the record and the options declare, and that the component can be built and has the members of its kind."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import ValidationError
from torch import nn

from janus_core.conformance.check import ENCODER, KINDS, TOKENIZER, WITH_TRANSFORM, Exempt, Fault, NotRun, check
from janus_core.conformance.subject import Subject
from janus_core.conformance.tree import tensors
from janus_registry.errors import RegistryError
from janus_registry.options import options_model
from janus_registry.requirements import missing_requirements

PLACEHOLDERS = ("", "todo", "tbd", "fixme", "none", "unknown", "n/a", "?")
PAPER = re.compile(r"(arxiv:)?\d{4}\.\d{4,5}(v\d+)?$|https?://|doi:|10\.\d{4,}/", re.IGNORECASE)


@check("requirements", "must", KINDS, "the declared requirements are installed", prevents="an import error at run time")
def requirements(subject: Subject) -> None:
    missing = missing_requirements(subject.component)
    if missing:
        raise Fault(
            f"requires {', '.join(map(str, missing))}",
            "install them, or correct `requires` of the record: what is not needed must not be declared",
        )


@check("licence", "should", KINDS, "the record states a licence", prevents="weights used against their licence")
def licence(subject: Subject) -> None:
    found: object = subject.component.spec.licence
    if not isinstance(found, str) or found.strip().lower() in PLACEHOLDERS:
        raise Fault(f"the record's licence is {found!r}", 'give the record licence="Apache-2.0", or what it is')


@check("record", "should", KINDS, "the record has a summary of one line, and a paper that can be found",
       prevents="listings and cards that say nothing")  # fmt: skip
def record(subject: Subject) -> None:
    summary: object = subject.component.spec.summary
    paper: object = subject.component.spec.paper
    if not isinstance(summary, str) or not summary.strip() or "\n" in summary:
        raise Fault(f"the record's summary is {summary!r}", "say in one line what it is")
    if not isinstance(paper, str) or (paper and not PAPER.match(paper)):
        raise Fault(f"the record's paper is {paper!r}", 'give "arXiv:2410.13848", or an address with https://')


@check(
    "options",
    "must",
    KINDS,
    "the options forbid misspelled names, have valid defaults and a JSON schema",
    prevents="an option that is misspelled and silently ignored",
)
def options(subject: Subject) -> None:
    subject.observe()  # before anything else imports it
    try:
        model = options_model(subject.component)
    except RegistryError as error:
        raise Fault(error.what, error.remedy or 'give it model_config = ConfigDict(extra="forbid")') from None
    try:
        schema = model.model_json_schema()
    except Exception as error:  # noqa: BLE001
        raise Fault(f"{model.__name__} has no JSON schema: {error}", "use types that pydantic can describe") from None
    for name, part in {model.__name__: schema, **schema.get("$defs", {})}.items():
        if part.get("type") == "object" and part.get("additionalProperties") is not False:
            raise Fault(f"{name} accepts misspelled options", f'give {name} model_config = ConfigDict(extra="forbid")')
    defaults = {name: f.get_default(call_default_factory=True) for name, f in model.model_fields.items()
                if not f.is_required()}  # fmt: skip
    wrong = mistakes(model, {k: _plain(v) for k, v in defaults.items()})
    if wrong:
        raise Fault(f"the defaults of {model.__name__} are not valid: {wrong}", "correct the defaults")
    try:
        again = model.model_validate(json.loads(subject.chosen.options.model_dump_json()))
    except ValidationError as error:
        raise Fault(
            f"options written as JSON cannot be read back: {error}", "use JSON's types in the options"
        ) from None
    if again != subject.chosen.options:
        raise Fault("options written as JSON come back changed", "use JSON's types in the options")
    if subject.given != subject.chosen.options.model_dump():
        changed = [n for n, value in subject.chosen.options.model_dump().items() if subject.given.get(n) != value]
        raise Fault(
            f"its factory, transform or module changes the options that it is given: {', '.join(changed)}",
            'copy what you change; model_config = ConfigDict(extra="forbid", frozen=True) finds the place',
        )


@check("presets", "must", KINDS, "every preset is valid", prevents="a preset that fails only when it is used")
def presets(subject: Subject) -> str:
    model, found = options_model(subject.component), subject.component.spec.presets
    for name, values in found.items():
        wrong = mistakes(model, dict(values))
        if wrong:
            raise Fault(f"the preset {name!r} is not valid: {wrong}", "correct the preset in the record")
    return f"{len(found)} presets"


@check("presets_build", "must", KINDS, "every preset can be built, on the meta device",
       prevents="a preset whose options are valid one by one and not together", unless="meta", slow=True)  # fmt: skip
def presets_build(subject: Subject) -> str:
    subject.need("build")
    for name in subject.component.spec.presets:
        other = Subject(subject.component, subject.module_name, name)
        try:
            other.build(device="meta")
        except Exception as error:  # noqa: BLE001  (a stranger's code may raise anything)
            raise Fault(
                f"the preset {name!r} cannot be built: {type(error).__name__}: {error}", "correct the preset"
            ) from None
    return ", ".join(subject.component.spec.presets)


def mistakes(model: Any, values: dict[str, Any]) -> str:
    """What is wrong with values, but not what they leave to the recipe."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        found = [item for item in error.errors() if item["type"] != "missing"]
        return "; ".join(f"{'.'.join(map(str, item['loc']))} = {item['input']!r}: {item['msg']}" for item in found)
    return ""


def _plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value


@check("build", "must", KINDS, "the factory imports and gives an nn.Module", prevents="a component that cannot be used")
def build(subject: Subject) -> None:
    subject.observe()
    for name, phase in subject.phases.items():
        if name not in ("import", "build"):
            continue
        if isinstance(phase.error, NotRun):
            raise phase.error
        if phase.error is not None:
            shown = f"{type(phase.error).__name__}: {phase.error}"
            if phase.deeds.network:
                shown += f" (it reached for the network: {phase.deeds.network[0]})"
            raise Fault(f"{name} raises {shown}", "make the factory work with the preset's options and weights: none")


@check(
    "members",
    "must",
    KINDS,
    "has the members that the kind's Protocol asks for",
    prevents="an attribute error in the middle of a run",
)
def members(subject: Subject) -> None:
    subject.need("build")
    module = subject.build()
    wanted = {"int": int, "str": str}
    for name, kind in subject.drive.members.items():
        value = getattr(module, name, None)
        right = callable(value) if kind == "method" else isinstance(value, wanted[kind]) and value is not True
        if not right or (name == "forward" and type(module).forward is nn.Module.forward):
            shown = "lacks it" if value is None else f"has {value!r}"
            raise Fault(
                f"{name} must be a {kind}, but {type(module).__name__} {shown}",
                f"give it {name}; see janus_core/interfaces.py",
            )


@check(
    "transform_works",
    "must",
    WITH_TRANSFORM,
    "the transform prepares raw inputs and has a digest",
    prevents="data that stops a run",
)
def transform_works(subject: Subject) -> None:
    subject.need("build")
    phase = subject.phases["transform"]
    if isinstance(phase.error, NotRun | Fault):
        raise phase.error
    if phase.error is not None:
        raise Fault(
            f"preparing a raw input raises {type(phase.error).__name__}: {phase.error}",
            "make the transform take every raw input of the modality",
        )
    digest = getattr(subject.transform, "digest", None)
    if not isinstance(digest, str) or not digest:
        raise Fault(f"digest is {digest!r}", "give the transform digest, a string that names all that it does")
    if not callable(getattr(subject.transform, "collate", None)):
        raise Fault("the transform has no method collate", "give it collate(list of Prepared) -> batch")
    for item in subject.prepared(subject.raws()):
        count = getattr(item, "num_tokens", None)
        if not isinstance(count, int) or count < 1:
            raise Fault(f"num_tokens of a Prepared is {count!r}", "give a whole number of tokens above 0")
        wrong = {str(t.dtype)[6:] for t in tensors(item.inputs) if t.is_floating_point()} - {"float32"}
        if wrong:
            raise Fault(f"the transform gives {wrong.pop()}", "give float32")


@check("forward_works", "must", KINDS, "a batch goes through it and what comes out is finite",
       prevents="a run that stops, or is spoilt by NaN")  # fmt: skip
def forward_works(subject: Subject) -> None:
    subject.need("build", "transform") if subject.kind in (ENCODER, TOKENIZER) else subject.need("build")
    phase = subject.phases.get("forward")
    if phase is not None and isinstance(phase.error, Fault | NotRun | Exempt):
        raise phase.error
    if phase is not None and phase.error is not None:
        raise Fault(
            f"a batch raises {type(phase.error).__name__}: {phase.error}",
            "make the module take what the transform collates",
        )
    for item in subject.outputs.items:
        for name, tensor in item.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                raise Fault(f"{name} has values that are not finite", "look for a division by zero or an empty mean")
