"""Declared facts, compared with a real forward."""

from __future__ import annotations

from typing import Any

from janus_core.conformance.check import ADAPTER, ENCODER, KINDS, LANGUAGE_MODEL, TOKENIZER, Fault, NotRun, check
from janus_core.conformance.kinds.adapter import OUT
from janus_core.conformance.kinds.encoder import features_of, real_tokens
from janus_core.conformance.kinds.language_model import VOCABULARY
from janus_core.conformance.measured import flops, parameters
from janus_core.conformance.subject import IMAGE_SIZE, Subject
from janus_core.interfaces import Features

TOLERANCE = 0.02


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
    return str(declared)


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
    said = [item.num_tokens for item in prepared]
    if said != real:
        raise Fault(
            f"the transform says num_tokens {said}, the forward gives {real} tokens",
            "count as the forward does; a class token that is dropped must exist",
        )
    return ", ".join(map(str, sorted(set(real))))


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
    if found.grid is not None and found.grid[0] * found.grid[1] != found.positions:
        raise Fault(f"the grid {found.grid} has not {found.positions} positions", mend)
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
    return f"{found.positions} positions of {found.codebooks}"


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
    return str(real)


@check(
    "capabilities",
    "must",
    KINDS,
    "declared capabilities agree with what the component does",
    prevents="a caller that relies on a fact that is not one",
)
def capabilities(subject: Subject) -> str:
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
    for n in (1, 4, 7, 16, 36):
        try:
            said = module.num_tokens(n)
        except ValueError:
            continue  # it may refuse a number, in words
        features = Features(torch.randn(2, n, subject.drive.sizes["in_width"], device=subject.device))
        given = features_of(subject.module, features)
        real = len(real_tokens(given)[0])
        if said != real:
            raise Fault(f"num_tokens({n}) is {said}, the forward gives {real}", "count as the forward does")
        counts.append(f"{n} -> {real}")
    return ", ".join(counts)
