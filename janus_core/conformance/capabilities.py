"""The capabilities that a spec record may declare, and what each means. Names of one's own begin with ``x_``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from janus_core.conformance.check import ADAPTER, ENCODER, HEAD, KINDS, LANGUAGE_MODEL, TOKENIZER


@dataclass(frozen=True, slots=True)
class Capability:
    """What a capability says.

    Attributes:
        kinds: of the components that may declare it.
        values: what may stand there.
        meaning: what it says, and what the conformance kit does with it.
    """

    kinds: tuple[str, ...]
    values: str
    meaning: str


def _exempts(check: str, kinds: tuple[str, ...], why: str) -> Capability:
    return Capability(kinds, "`False`", f"{why}: exempts from the check `{check}`")


CAPABILITIES: Mapping[str, Capability] = {
    "width": Capability(
        (ENCODER, LANGUAGE_MODEL), "int", "width of the preset that is checked; compared with the module"
    ),
    "num_tokens": Capability((ENCODER,), "int", "tokens of the kit's first input; compared with a forward"),
    "variable_length": Capability(
        (ENCODER,), "bool", "whether inputs give different numbers of tokens; compared with a forward"
    ),
    "kind": Capability((TOKENIZER, HEAD), "`discrete`, `continuous`", "the kind of codes; a tokenizer's is compared"),
    "codebooks": Capability(
        (TOKENIZER, HEAD), "int; of a head also `any`", "codes at each position; a tokenizer's is compared"
    ),
    "keeps_num_tokens": Capability((ADAPTER,), "bool", "whether n tokens stay n; compared with `num_tokens`"),
    "equal_widths": Capability((ADAPTER,), "`True`", "it needs in_width equal to out_width: the kit builds it so"),
    "needs_ref": Capability(
        (ENCODER,), "`generation_tokenizer`", "its option `ref` names a part of the model: the kit gives it one"
    ),
    "examples": Capability(
        (ENCODER,),
        "`package.module:function`",
        "`function(index)` gives a raw input, where it is neither image nor audio",
    ),
    "unused_parameters": Capability(
        KINDS, "prefixes", "weights kept for a checkpoint and not computed with: they need no gradient"
    ),
    "parameters": Capability(KINDS, "int, or int by preset", "parameters; compared within 2 %"),
    "flops": Capability(KINDS, "int, or int by preset", "FLOPs of one item; compared within 2 %"),
    "gradient_to_input": _exempts(
        "gradient_to_inputs", (ENCODER, ADAPTER, HEAD, LANGUAGE_MODEL), "no gradient reaches the input (discrete codes)"
    ),
    "raster": _exempts("patch_order", (ENCODER,), "its tokens are no grid of patches in raster order"),
    "embed_by_code": _exempts("embed_matches", (TOKENIZER,), "a code's vector also depends on where it stands"),
    "positions": _exempts("positions", (LANGUAGE_MODEL,), "it has no positions (NoPE)"),
    "export": _exempts("export", (ENCODER, ADAPTER), "torch.export cannot trace it"),
    "compile": _exempts("compile", (ENCODER, ADAPTER, LANGUAGE_MODEL), "torch.compile breaks its graph"),
    "bfloat16": _exempts("bfloat16", KINDS, "it cannot be cast to bfloat16"),
    "meta": _exempts("meta", KINDS, "it cannot be built on the meta device"),
}
"""Name -> what it means. The same names are on cards and in `janus plugins info`."""


def unknown_capabilities(declared: Mapping[str, object], kind: str) -> list[str]:
    """Declared names that mean nothing for this kind and are not marked as the author's own."""
    known = {name for name, capability in CAPABILITIES.items() if kind in capability.kinds}
    return [name for name in declared if name not in known and not name.startswith("x_")]
