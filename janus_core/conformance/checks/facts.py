"""Declared facts, compared with a real forward."""

from __future__ import annotations

from typing import Any

from janus_core.config.choose import load
from janus_core.conformance.capabilities import CAPABILITIES, unknown_capabilities
from janus_core.conformance.check import ADAPTER, ENCODER, KINDS, LANGUAGE_MODEL, TOKENIZER, Fault, NotRun, check
from janus_core.conformance.inputs import pixels
from janus_core.conformance.kinds.adapter import OUT
from janus_core.conformance.kinds.encoder import features_of, real_tokens
from janus_core.conformance.kinds.language_model import VOCABULARY
from janus_core.conformance.measured import flops, parameters
from janus_core.conformance.state import pristine
from janus_core.conformance.subject import IMAGE_SIZE, Subject
from janus_core.conformance.tree import distance
from janus_core.interfaces import Features
from janus_core.model.build import seeded
from janus_registry.errors import did_you_mean

TOLERANCE = 0.02
CLOSE = 1e-4
OTHER_SIZES = ((33, 47), (61, 257), (300, 100), (5, 7))
"""Widths and heights of pictures that the transform may refuse, but not miscount."""
COUNTS = (1, 4, 7, 9, 16, 25, 36, 49, 64, 100, 144, 256, 576, 729)
"""Numbers of tokens: those of the usual encoders among them."""


@check("modality", "must", (ENCODER,), "the module's modality is the record's",
       prevents="an encoder that is fed another modality")  # fmt: skip
def modality(subject: Subject) -> str:
    subject.need("build")
    declared, real = subject.component.spec.modality, getattr(subject.module, "modality", None)
    if declared != real:
        raise Fault(f"the record declares {declared!r}, the module has {real!r}", "make the two the same")
    return str(real)


@check(
    "width",
    "must",
    (ENCODER, ADAPTER, LANGUAGE_MODEL),
    "tokens have the declared width",
    prevents="a matrix of the wrong shape, found only when the parts meet",
)
def width(subject: Subject) -> str:
    subject.need("forward")
    name = "hidden" if subject.kind == LANGUAGE_MODEL else "tokens"
    declared = OUT if subject.kind == ADAPTER else getattr(subject.module, "width", None)
    for item in subject.outputs.items:
        if item[name].shape[-1] != declared:
            raise Fault(
                f"width is {declared}, but the forward gives {item[name].shape[-1]}",
                "set width to what comes out" if subject.kind != ADAPTER else "map to out_width",
            )
    if subject.kind == ADAPTER and not subject.capability("equal_widths"):
        _other_widths(subject)
    return str(declared)


def _other_widths(subject: Subject) -> None:
    """An adapter is built for the widths that it is given, not for those of one preset."""
    import torch

    sizes = {"in_width": 40, "out_width": 48}
    with pristine(), seeded(0, "part"):
        module = load(subject.component, subject.component.spec.factory)(
            subject.chosen.options, subject.context(), **sizes
        )
    try:
        with torch.no_grad():
            real = features_of(module.eval(), Features(torch.randn(1, 16, 40))).tokens.shape[-1]
    except (ValueError, RuntimeError) as error:
        raise Fault(
            f"built for in_width 40, it refuses tokens of that width: {error}", "take in_width as given"
        ) from None
    if real != sizes["out_width"]:
        raise Fault(f"built for out_width 48, it gives width {real}", "take out_width as given")


@check(
    "num_tokens",
    "must",
    (ENCODER,),
    "Prepared.num_tokens is the number of real tokens of the forward",
    prevents="a token count that lies: features put at the wrong places, a first patch dropped unseen",
)
def num_tokens(subject: Subject) -> str:
    subject.need("transform")
    prepared = subject.prepared(subject.raws(4))
    features = features_of(subject.module, subject.batch(prepared))
    batch = features.tokens.shape[0]
    if batch != len(prepared):
        raise Fault(f"{len(prepared)} inputs give {batch} rows of tokens", "keep one row an input")
    if features.mask is not None and features.mask.shape != features.tokens.shape[:2]:
        raise Fault(f"the mask has shape {list(features.mask.shape)}", "give bool [B, N]")
    real = [len(tokens) for tokens in real_tokens(features)]
    if features.positions is not None and (
        features.positions.ndim != 3 or features.positions.shape[:2] != features.tokens.shape[:2]
    ):
        raise Fault(
            f"positions have the shape {list(features.positions.shape)}, tokens {list(features.tokens.shape)}",
            "give positions [B, N, d], or None",
        )
    said = [item.num_tokens for item in prepared]
    if said != real:
        raise Fault(
            f"the transform says num_tokens {said}, the forward gives {real} tokens",
            "count as the forward does; a class token that is dropped must exist",
        )
    if subject.component.spec.modality == "image":
        _other_sizes(subject)
    return ", ".join(map(str, sorted(set(real))))


def _other_sizes(subject: Subject) -> None:
    """Counts often lie for odd, large, narrow or tiny pictures only."""
    from PIL import Image

    for width, height in OTHER_SIZES:
        try:
            (item,) = subject.prepared([Image.fromarray(pixels(7, width, height))])
        except ValueError:
            continue  # it may refuse a size, in words
        real = len(subject.run(batch=subject.batch([item])).items[0]["tokens"])
        if item.num_tokens != real:
            raise Fault(
                f"of a picture of {width} x {height} pixels the transform says num_tokens {item.num_tokens}, "
                f"the forward gives {real}",
                "count as the forward does, rounding included",
            )


@check(
    "layout",
    "must",
    (TOKENIZER,),
    "positions, grid and codebooks of the layout are those of the codes",
    prevents="pictures whose rows are shifted, or a head for another codebook",
)
def layout(subject: Subject) -> str:
    subject.need("forward")
    module: Any = subject.module
    found, mend = module.layout(IMAGE_SIZE), "correct layout(image_size)"
    if not isinstance(found.codebooks, tuple) or not all(isinstance(size, int) for size in found.codebooks):
        raise Fault(f"codebooks are {found.codebooks!r}", "give a tuple of the sizes as int")
    if found.grid is not None and found.grid[0] * found.grid[1] != found.positions:
        raise Fault(f"the grid {found.grid} has not {found.positions} positions", mend)
    if found.grid is not None and found.grid[0] != found.grid[1]:
        raise Fault(f"the grid of a square picture is {found.grid[0]} x {found.grid[1]}", mend)
    codes = subject.outputs.items[0]["codes"]
    if list(codes.shape) != [found.positions, len(found.codebooks)]:
        raise Fault(
            f"layout({IMAGE_SIZE}) says {found.positions} positions of {len(found.codebooks)} codes, "
            f"encode gives {list(codes.shape)}",
            mend,
        )
    said = {item.num_tokens for item in subject.prepared(subject.raws())}
    if said != {found.positions}:
        raise Fault(
            f"the transform says num_tokens {sorted(said)}, the layout {found.positions} positions",
            "give Prepared the number of positions",
        )
    if found.kind != "discrete" and not codes.is_floating_point():
        raise Fault(f"the kind is {found.kind!r}, but encode gives {str(codes.dtype)[6:]}", mend)
    _other_layout(subject)
    return f"{found.positions} positions of {found.codebooks}"


def _other_layout(subject: Subject) -> None:
    """A size that layout accepts is a size that encode takes, and the positions are those."""
    import torch

    module: Any = subject.module
    side = 2 * IMAGE_SIZE
    try:
        positions = module.layout(side).positions
    except ValueError:
        return
    try:
        with torch.no_grad():
            real = module.encode(torch.zeros(1, 3, side, side, device=subject.device)).shape[1]
    except ValueError as error:
        raise Fault(
            f"layout({side}) is given, but encode refuses that side: {error}", "refuse it in layout too"
        ) from None
    if real != positions:
        raise Fault(f"layout({side}) says {positions} positions, encode gives {real}", "correct layout(image_size)")


@check("code_width", "must", (TOKENIZER,), "embed gives vectors of code_width",
       prevents="an adapter that is built for another width")  # fmt: skip
def code_width(subject: Subject) -> str:
    subject.need("forward")
    module: Any = subject.module
    shape, positions = list(subject.outputs.items[0]["vectors"].shape), module.layout(IMAGE_SIZE).positions
    if shape != [positions, module.code_width]:
        raise Fault(f"code_width is {module.code_width}, but embed gives {shape}", "set code_width to what embed gives")
    return str(module.code_width)


@check(
    "vocabulary",
    "must",
    (LANGUAGE_MODEL,),
    "there are as many text logits as the vocabulary has rows",
    prevents="ids without a logit",
)
def vocabulary(subject: Subject) -> str:
    subject.need("forward")
    module: Any = subject.module
    real = subject.outputs.items[0]["logits"].shape[-1]
    if not module.vocabulary == VOCABULARY == real:
        raise Fault(
            f"built for {VOCABULARY} rows, vocabulary says {module.vocabulary}, text_logits gives {real}",
            "make the embedding, the text head and `vocabulary` the size that the factory is given",
        )
    _logits(subject)
    return str(real)


def _logits(subject: Subject) -> None:
    """text_logits is a map of each state alone, embed one of each id alone."""
    import torch

    module: Any = subject.module
    ids, states = subject.batch()["ids"], torch.stack([item["hidden"] for item in subject.outputs.items])
    with torch.no_grad():
        logits, first = module.text_logits(states), module.text_logits(states[:, :1])
        vectors, turned = module.embed(ids), module.embed(ids.flip(1)).flip(1)
    if distance(logits[:, :1], first) > CLOSE:
        raise Fault("text_logits of a state depends on the states beside it", "map every state alone")
    if float((logits.float().sum(-1) - 1).abs().max()) < CLOSE and bool((logits >= 0).all()):
        raise Fault("text_logits gives probabilities", "give logits: no softmax")
    if distance(vectors, turned) > CLOSE:
        raise Fault("embed of an id depends on where it stands", "look ids up; positions belong into forward")


@check(
    "capabilities",
    "must",
    KINDS,
    "declared capabilities agree with what the component does",
    prevents="a caller that relies on a fact that is not one",
)
def capabilities(subject: Subject) -> str:
    names = unknown_capabilities(subject.component.spec.capabilities, subject.kind)
    if names:
        known = [name for name, item in CAPABILITIES.items() if subject.kind in item.kinds]
        raise Fault(
            f"declares {names[0]}, which means nothing{did_you_mean(names[0], known)}",
            "correct the name; names of your own begin with x_",
        )
    for name, value in subject.component.spec.capabilities.items():
        values = CAPABILITIES[name].values if name in CAPABILITIES else ""
        if values in ("`False`", "bool", "`True`") and not isinstance(value, bool):
            raise Fault(f"declares {name}: {value!r}", "give True or False")
    subject.need("forward")
    module: Any = subject.module
    real: dict[str, Any] = {"width": getattr(module, "width", None)}
    if subject.kind == TOKENIZER:
        found = module.layout(IMAGE_SIZE)
        real |= {"codebooks": len(found.codebooks), "kind": found.kind}
    if subject.kind == ADAPTER:
        real["keeps_num_tokens"] = all(module.num_tokens(n) == n for n in (4, 16, 64))
    if subject.kind == ENCODER:
        real["num_tokens"] = len(subject.outputs.items[0]["tokens"])
        lengths = {item.num_tokens for item in subject.prepared(subject.raws(4))}
        real["variable_length"] = len(lengths) > 1
    declared = {name: subject.capability(name) for name in real if subject.capability(name) is not None}
    for name, value in declared.items():
        if value != real[name]:
            raise Fault(f"declares {name}: {value!r}, but it is {real[name]!r}", "correct the record's capabilities")
    return ", ".join(f"{name}: {value}" for name, value in declared.items()) or "none that the kit can compare"


@check(
    "declared_cost",
    "should",
    KINDS,
    "parameters and FLOPs are within 2 % of the declared",
    prevents="a card, a cost estimate and a utilisation that are wrong",
)
def declared_cost(subject: Subject) -> str:
    subject.need("forward")
    found = []
    for name, measure in (("parameters", parameters), ("flops", flops)):
        declared = subject.capability(name)
        if isinstance(declared, dict):
            declared = declared.get(subject.preset)
        if not isinstance(declared, int | float):
            continue
        real = measure(subject)
        if abs(real - declared) > TOLERANCE * max(abs(declared), 1):
            raise Fault(f"declares {declared:,} {name}, measured are {real:,}", f"declare {real} for this preset")
        found.append(f"{name} {real:,}")
    if not found:
        raise NotRun("the record declares neither parameters nor flops")
    return ", ".join(found)


@check(
    "adapter_tokens",
    "must",
    (ADAPTER,),
    "num_tokens(n) is what the forward gives, for many n",
    prevents="a token count that lies: features put at the wrong places",
)
def adapter_tokens(subject: Subject) -> str:
    import torch

    subject.need("forward")
    module: Any = subject.module
    counts = []
    for n in COUNTS:
        try:
            said = module.num_tokens(n)
        except ValueError:
            continue  # it may refuse a number, in words
        features = Features(torch.randn(2, n, subject.drive.sizes["in_width"], device=subject.device))
        try:
            with torch.no_grad():
                given = features_of(subject.module, features)
        except RuntimeError as error:
            raise Fault(
                f"num_tokens({n}) is {said}, but {n} tokens raise {str(error).splitlines()[0]}",
                f"take them, or raise ValueError in num_tokens({n})",
            ) from None
        real = len(real_tokens(given)[0])
        if said != real:
            raise Fault(f"num_tokens({n}) is {said}, the forward gives {real}", "count as the forward does")
        counts.append(f"{n} -> {real}")
    return ", ".join(counts)
