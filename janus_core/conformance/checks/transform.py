"""The transform: no state, no hidden options, the same in every process."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from janus_core.conformance.check import WITH_TRANSFORM, Fault, NotRun, check
from janus_core.conformance.state import pristine
from janus_core.conformance.subject import IMAGE_SIZE, Subject
from janus_core.conformance.tree import equal
from janus_registry.options import options_model


def _same(first: Any, second: Any) -> bool:
    return bool(first.num_tokens == second.num_tokens and equal(first.inputs, second.inputs))


@check(
    "transform_stateless",
    "must",
    WITH_TRANSFORM,
    "the same raw input gives the same tensors, whatever was prepared before",
    prevents="data that depends on the order and the number of loader workers, and caches that are wrong",
)
def transform_stateless(subject: Subject) -> None:
    subject.need("transform")
    with pristine():
        transform = subject.make_transform()
        raws = subject.raws(3)
        first = copy.deepcopy(transform(raws[0]))
        for raw in raws[1:]:
            transform(raw)
        again = transform(raws[0])
    if not _same(first, again):
        raise Fault(
            "the same raw input, prepared again after others, gives other tensors: the transform keeps state or draws "
            "random numbers",
            "make the result a function of the raw input and the options alone; leave augmentation to a data source",
        )


@check(
    "raw_untouched",
    "must",
    WITH_TRANSFORM,
    "the raw input is not changed by preparing it",
    prevents="a picture that is used twice (two routes, a cache) and is another the second time",
)
def raw_untouched(subject: Subject) -> None:
    subject.need("transform")
    raw, twin = subject.raws(1)[0], subject.raws(1)[0]
    with pristine():
        subject.transform(raw)
    if _bytes(raw) != _bytes(twin):
        raise Fault("the raw input is changed in place", "copy it before changing it")


def _bytes(raw: Any) -> bytes:
    if hasattr(raw, "tobytes"):
        return bytes(raw.tobytes())
    return pickle.dumps(raw)


@check(
    "digest_stable",
    "must",
    WITH_TRANSFORM,
    "two transforms of the same options have the same digest and give the same",
    prevents="a cache that is never hit, or hit wrongly",
)
def digest_stable(subject: Subject) -> str:
    subject.need("transform")
    with pristine():
        first, second = subject.make_transform(), subject.make_transform()
        raw = subject.raws(1)[0]
        before = first.digest
        one, other = first(raw), second(raw)
    if first.digest != second.digest:
        raise Fault(
            f"two transforms of the same options have the digests {first.digest!r} and {second.digest!r}",
            "hash the options; no object ids, times or random numbers",
        )
    if first.digest != before:
        raise Fault("the digest changes when the transform is used", "compute it once, from the options")
    if not _same(one, other):
        raise Fault("two transforms with one digest give different tensors", "put all that they do into the digest")
    return first.digest[:12]


@check(
    "digest_options",
    "must",
    WITH_TRANSFORM,
    "an option that changes the tensors changes the digest",
    prevents="a cache that gives the features of other options",
)
def digest_options(subject: Subject) -> str:
    subject.need("transform")
    raws = subject.raws(2)
    with pristine():
        base = subject.transform
        given = [base(raw) for raw in raws]
    tried = 0
    for name, transform in variants(subject):
        with pristine():
            try:
                other = [transform(raw) for raw in raws]
            except Exception:  # noqa: BLE001  (an option that it cannot work with is no variant)
                continue
        tried += 1
        if transform.digest == base.digest and not all(map(_same, given, other)):
            raise Fault(f"{name} changes the tensors but not the digest", "hash every option that the transform reads")
    return f"{tried} variants"


def variants(subject: Subject) -> list[tuple[str, Any]]:
    """Transforms with one option changed, and one for pictures of another size."""
    model = options_model(subject.component)
    values = subject.chosen.options.model_dump()
    found = []
    for path, value in _changed(values, model.model_json_schema()):
        try:
            with pristine():
                found.append((f"the option {path}", subject.make_transform(options=model.model_validate(value))))
        except Exception:  # noqa: BLE001  (options that are not valid together)
            continue
    try:
        with pristine():
            found.append(("context.image_size", subject.make_transform(2 * IMAGE_SIZE)))
    except (ValueError, NotRun):
        pass
    return found


def _changed(values: dict[str, Any], schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for name, value in values.items():
        if isinstance(value, dict):
            found += [(f"{name}.{inner}", {**values, name: new}) for inner, new in _changed(value, {})]
        field = schema.get("properties", {}).get(name, {})
        choices = [item for part in (field, *field.get("anyOf", ())) for item in part.get("enum", ())]
        found += [(name, {**values, name: other}) for other in [*choices, *_others(value)] if other != value]
    return found


def _others(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value * 2, value + 1]
    if isinstance(value, float):
        return [value * 1.5 + 0.1]
    return []


@check(
    "transform_pickles",
    "must",
    WITH_TRANSFORM,
    "the transform can be pickled and does the same after",
    prevents="loader workers that cannot be started (spawn, forkserver)",
)
def transform_pickles(subject: Subject) -> str:
    subject.need("transform")
    with pristine():
        try:
            text = pickle.dumps(subject.transform)
        except Exception as error:  # noqa: BLE001
            raise Fault(
                f"pickling raises {type(error).__name__}: {error}", "hold plain values, no lambdas or open files"
            ) from None
        again, raw = pickle.loads(text), subject.raws(1)[0]
        if again.digest != subject.transform.digest or not _same(subject.transform(raw), again(raw)):
            raise Fault("after pickling it gives other tensors or another digest", "hold all that it needs in itself")
    if len(text) > 1_000_000:
        raise Fault(f"pickled it has {len(text):,} bytes: it seems to hold weights", "keep weights in the module")
    return f"{len(text)} bytes"
