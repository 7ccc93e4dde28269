"""Every deliberately wrong component: what is wrong, which check must catch it first, what its message must name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from janus_core.conformance.check import ADAPTER, ENCODER, HEAD, LANGUAGE_MODEL, TOKENIZER
from janus_core.conformance.subject import Subject
from janus_core.hookspecs import (
    AdapterSpec,
    GenerationHeadSpec,
    GenerationTokenizerSpec,
    LanguageModelSpec,
    UnderstandingEncoderSpec,
)
from janus_registry.records import Component

FILES = {ENCODER: "encoder", TOKENIZER: "tokenizer", ADAPTER: "adapter", HEAD: "head", LANGUAGE_MODEL: "language_model"}
SPECS: dict[str, Any] = {
    ENCODER: UnderstandingEncoderSpec,
    TOKENIZER: GenerationTokenizerSpec,
    ADAPTER: AdapterSpec,
    HEAD: GenerationHeadSpec,
    LANGUAGE_MODEL: LanguageModelSpec,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A component with one fault; ``killer`` "" is a right one.

    Attributes:
        factory: class in ``janus_mutants/<kind>.py``; ``transform``: the same for encoders.
        killer: id of the check that must be the first to fail.
        names: what its message must hold, in lower case.
        record: fields of the record that differ.
    """

    name: str
    killer: str = ""
    names: str = ""
    kind: str = ENCODER
    factory: str = "Good"
    transform: str = ""
    record: Mapping[str, Any] = field(default_factory=dict)
    entry: str = "janus_mutants.plugin"

    def subject(self) -> Subject:
        """The component as it would be if its distribution were installed."""
        facts: dict[str, Any] = {
            "name": self.name.lower().replace("_", "-"),
            "summary": "made for the tests of the kit",
            "factory": f"janus_mutants.{FILES[self.kind]}:build_{self.factory}",
            "options": "janus_mutants.options:Options",
            "presets": {"tiny": {"weights": "none"}},
            "licence": "Apache-2.0",
        }
        if self.kind == ENCODER:
            facts["transform"] = f"janus_mutants.encoder:build_{self.transform or 'Transform'}"
        if self.kind == TOKENIZER:
            facts["transform"] = f"janus_mutants.tokenizer:build_{self.transform or 'transform'}"
        component = Component(self.kind, SPECS[self.kind](**(facts | dict(self.record))), "mutants", "mutants", "0")
        return Subject(component, self.entry, "tiny")


RIGHT = tuple(Mutant(f"right-{kind.replace('_', '-')}", kind=kind) for kind in FILES)


def _encoder(factory: str, killer: str, names: str, **more: Any) -> Mutant:
    return Mutant(factory, killer, names, factory=factory, **more)


def _transform(transform: str, killer: str, names: str, **more: Any) -> Mutant:
    return Mutant(transform, killer, names, transform=transform, **more)


def _other(kind: str, factory: str, killer: str, names: str, **more: Any) -> Mutant:
    return Mutant(f"{FILES[kind]}-{factory}".lower(), killer, names, kind=kind, factory=factory, **more)


MUTANTS = (
    Mutant("needs-a-stranger", "requirements", "no-such-library", record={"requires": ("no-such-library>=1",)}),
    Mutant("no-licence", "licence", "licence", record={"licence": ""}),
    Mutant("no-summary", "record", "summary", record={"summary": ""}),
    Mutant("placeholder-licence", "licence", "todo", record={"licence": "TODO"}),
    Mutant("licences", "licence", "mit", record={"licence": ("MIT",)}),
    Mutant("some-paper", "record", "paper", record={"paper": "a nice paper"}),
    Mutant("lenient-inside", "options", "inner", record={"options": "janus_mutants.options:LenientInside"}),
    Mutant("imports-a-stranger", "undeclared", "vector_quantize_pytorch",
           record={"factory": "janus_mutants.undeclared:build_Good"}),
    Mutant("sets-at-import", "global_state", "cuda_launch_blocking",
           record={"factory": "janus_mutants.at_import:build_Good"}),
    Mutant("seeds-with-options", "random_state", "python",
           record={"options": "janus_mutants.seeding_options:Options"}),
    _encoder("ChangesOptions", "options", "weights"),
    Mutant("lenient", "options", "misspelled", record={"options": "janus_mutants.options:Lenient"}),
    Mutant("wrong-default", "options", "width", record={"options": "janus_mutants.options:WrongDefault",
                                                        "presets": {"tiny": {"weights": "none", "width": 32}}}),
    Mutant("wrong-preset", "presets", "heads", record={"presets": {"tiny": {}, "large": {"heads": 3}}}),
    Mutant("refuses", "build", "no factory today", record={"factory": "janus_mutants.encoder:refuses"}),
    _encoder("NotAModule", "build", "nn.module"),
    _encoder("NoWidth", "members", "width"),
    _transform("NoDigest", "transform_works", "digest"),
    _encoder("NotFinite", "forward_works", "not finite"),
    _encoder("PhonesHome", "network", "weights.example"),
    _encoder("Telemetry", "network", "127.0.0.1"),
    _encoder("PhonesInTraining", "network", "metrics.example"),
    _encoder("StartsProgram", "side_effects", "curl"),
    _encoder("LeavesThread", "side_effects", "thread"),
    _encoder("WritesFile", "side_effects", "janus_mutants_cache.txt"),
    _encoder("Filters", "global_state", "filters of warnings"),
    _encoder("Tensor32", "global_state", "allow_tf32"),
    _encoder("Patches", "global_state", "layer_norm"),
    _encoder("Device", "global_state", "default device"),
    _encoder("SeedsInTraining", "random_state", "training seeds"),
    _encoder("DefaultDtype", "global_state", "default dtype"),
    _encoder("GradOff", "global_state", "grad mode"),
    _encoder("Threads", "global_state", "threads"),
    _encoder("Environment", "global_state", "janus_mutant"),
    _encoder("Folder", "global_state", "working directory"),
    _encoder("SeedsGlobally", "random_state", "manual_seed"),
    _encoder("NumpySeed", "random_state", "numpy"),
    _encoder("DrawsInForward", "random_state", "torch"),
    _encoder("DropoutInEval", "deterministic", "two calls"),
    _encoder("Prints", "silent", "loading my great encoder"),
    _encoder("LyingModality", "modality", "audio"),
    _encoder("LyingWidth", "width", "33"),
    _transform("Lies", "num_tokens", "17"),
    _transform("LiesWhenLarge", "num_tokens", "61 x 257"),
    _transform("Doubles", "transform_works", "float64"),
    _encoder("WrongPositions", "num_tokens", "positions"),
    Mutant("unknown-capability", "capabilities", "num_token", record={"capabilities": {"num_token": 16}}),
    Mutant("word-for-no", "capabilities", "raster", record={"capabilities": {"raster": "no"}}),
    Mutant("lying-capability", "capabilities", "num_tokens", record={"capabilities": {"num_tokens": 99}}),
    Mutant("lying-parameters", "declared_cost", "parameters", record={"capabilities": {"parameters": 7}}),
    _encoder("PlainTensor", "stray_tensors", "register_buffer"),
    _encoder("ModuleInList", "stray_tensors", "modulelist"),
    _encoder("ClassTensor", "stray_tensors", "table"),
    _encoder("InClosure", "stray_tensors", "scale"),
    _encoder("SharedDefault", "instances", "norm1"),
    _encoder("GlobalTensor", "instances", "another instance"),
    _encoder("TakesAnyState", "state_dict", "without an error"),
    _encoder("Double", "float32", "float64"),
    _encoder("SeedsPrivately", "seeding", "another seed"),
    _encoder("Unseeded", "seeding", "positions"),
    _encoder("HiddenNumber", "state_dict", "state dict"),
    _encoder("Transient", "state_dict", "buffer"),
    _transform("Stateful", "transform_stateless", "state"),
    _transform("DrawsOn", "raw_untouched", "in place"),
    _transform("DigestById", "digest_stable", "digests"),
    _transform("DigestForgets", "digest_options", "side"),
    _transform("Lambda", "transform_pickles", "lambda"),
    _encoder("ForcesTrain", "mode_kept", "training mode"),
    _encoder("IgnoresEval", "mode_kept", "eval"),
    _encoder("ForcesEval", "mode_kept", "eval mode"),
    _encoder("BatchNormTrains", "eval_fixed", "batchnorm"),
    _encoder("Jitters", "deterministic", "two calls"),
    _encoder("CachedOutput", "no_memory", "second call"),
    _encoder("CachedByShape", "no_memory", "caches"),
    _encoder("BatchMaximum", "batch", "maxima"),
    _encoder("LargeBatch", "batch", "batch of 9"),
    _encoder("ChangesInput", "no_memory", "in place"),
    _encoder("BatchStatistics", "batch", "alone"),
    _encoder("RowDependent", "batch", "differs"),
    _encoder("Views", "memory_format", "reshape"),
    _encoder("NoChecks", "bad_input", "[3, 32, 32]"),
    _encoder("DropsFirst", "first_patch", "first patch is dropped"),
    _encoder("DropsFirstAndCounts", "first_patch", "first patch is dropped", transform="OneLess"),
    _encoder("Columns", "patch_order", "raster"),
    _encoder("SwapsTwo", "patch_order", "raster"),
    _encoder("CodesByColumn", "patch_order", "column by column",
             record={"capabilities": {"gradient_to_input": False}}),
    _encoder("BornFrozen", "gradient_to_parameters", "frozen"),
    _encoder("Unfreezes", "frozen", "unfreezes"),
    _encoder("KeepsPart", "bfloat16", "last.weight"),
    _encoder("Detaches", "gradient_to_inputs", "detach"),
    _encoder("NoGrad", "gradient_to_inputs", "no_grad"),
    _encoder("DeadParameter", "gradient_to_parameters", "unused.weight"),
    _encoder("AsksForGradient", "frozen", "gradient"),
    _encoder("HardFloat", "bfloat16", "bfloat16"),
    _encoder("ReadsValues", "meta", "meta"),
    _encoder("OnCpu", "meta", "device"),
    _encoder("Unpicklable", "copies", "pickled"),
    _encoder("Shallow", "copies", "shares"),
    _encoder("KeepsReference", "fsdp_unit", "reference"),
    _encoder("PythonBranch", "export", "values of tensors"),
    _other(TOKENIZER, "LyingPositions", "layout", "grid"),
    _other(TOKENIZER, "LyingWidth", "code_width", "code_width"),
    _other(TOKENIZER, "OutOfRange", "code_range", "13 codes"),
    _other(TOKENIZER, "Int32", "code_range", "int32"),
    _other(TOKENIZER, "Bytes", "decode_range", "pixels reach"),
    _other(TOKENIZER, "UnitScale", "decode_range", "[0, 1]"),
    _other(TOKENIZER, "Clamps", "decode_refuses", "13"),
    _other(TOKENIZER, "FixedBatch", "code_round_trip", "shape"),
    _other(TOKENIZER, "Constant", "codes_matter", "same picture"),
    _other(TOKENIZER, "Positional", "embed_matches", "position"),
    _other(TOKENIZER, "LyingCapability", "capabilities", "codebooks", record={"capabilities": {"codebooks": 2}}),
    _other(TOKENIZER, "OneSize", "layout", "128"),
    _other(TOKENIZER, "WhiteOutOfRange", "code_range", "13 codes"),
    _other(TOKENIZER, "ChangesCodes", "decode_range", "in place"),
    _other(TOKENIZER, "SameCodes", "codes_matter", "same codes"),
    _other(TOKENIZER, "Contextual", "embed_matches", "beside"),
    _other(TOKENIZER, "Transposes", "code_grid", "column by column"),
    _other(TOKENIZER, "SkipsFirst", "code_grid", "paints nothing"),
    Mutant("tokenizer-unit-pixels", "pixels", "black", TOKENIZER, transform="UnitPixels"),
    Mutant("tokenizer-blue-first", "pixels", "red", TOKENIZER, transform="BlueFirst"),
    Mutant("tokenizer-mirrored", "pixels", "left and right", TOKENIZER, transform="Mirrored"),
    _other(ADAPTER, "DropsMask", "padding", "drops the mask"),
    _other(ADAPTER, "Reverses", "token_order", "token 15"),
    _other(ADAPTER, "CutsLong", "adapter_tokens", "512"),
    _other(ADAPTER, "FixedWidths", "width", "in_width 40"),
    _other(ADAPTER, "Pads", "gradient_to_parameters", "without a parameter"),
    _other(ADAPTER, "HalfWidth", "gradient_to_inputs", "channels"),
    _other(ADAPTER, "OneMore", "adapter_tokens", "num_tokens"),
    _other(ADAPTER, "Narrow", "width", "31"),
    _other(ADAPTER, "SeesPadding", "padding", "masked"),
    _other(HEAD, "Mean", "loss_count", "sum"),
    _other(HEAD, "WrongCount", "loss_count", "count"),
    _other(HEAD, "FloatCount", "loss_count", "tensor"),
    _other(HEAD, "Bits", "likelihood", "sums to"),
    _other(HEAD, "NoGuidance", "guidance", "conditional"),
    _other(HEAD, "GuidesAway", "guidance", "conditional"),
    _other(HEAD, "NoTemperature", "draws", "temperature"),
    _other(HEAD, "NoFilters", "greedy", "top_k"),
    _other(HEAD, "FirstNoise", "codebooks_drawn", "(1, 11)"),
    _other(HEAD, "OffByOne", "sample_range", "11 codes"),
    _other(HEAD, "IgnoresNoise", "keyed_noise", "noise"),
    _other(HEAD, "LeastLikely", "greedy", "likeliest"),
    _other(LANGUAGE_MODEL, "ExtraRows", "vocabulary", "vocabulary"),
    _other(LANGUAGE_MODEL, "SeesFuture", "causal", "before"),
    _other(LANGUAGE_MODEL, "Leaks", "packed", "packed"),
    _other(LANGUAGE_MODEL, "Forgets", "cache", "cache"),
    _other(LANGUAGE_MODEL, "SeesFutureLate", "causal", "before"),
    _other(LANGUAGE_MODEL, "LeaksLate", "packed", "packed"),
    _other(LANGUAGE_MODEL, "NoPositions", "positions", "layout.positions"),
    _other(LANGUAGE_MODEL, "OneLength", "cache", "other lengths"),
    _other(LANGUAGE_MODEL, "SharedCache", "cache", "own"),
    _other(LANGUAGE_MODEL, "Unties", "resize", "unties"),
    _other(LANGUAGE_MODEL, "Thaws", "resize", "frozen"),
    _other(LANGUAGE_MODEL, "LeavesOutBlock", "blocks", "leaves out"),
    _other(LANGUAGE_MODEL, "Probabilities", "vocabulary", "probabilities"),
    _other(LANGUAGE_MODEL, "CutsGradient", "gradient_to_parameters", "embedding"),
    _other(LANGUAGE_MODEL, "ChangesEmbeds", "forward_works", "in place"),
    _other(LANGUAGE_MODEL, "DrawsAnew", "resize", "rows"),
    _other(LANGUAGE_MODEL, "OneBlock", "blocks", "order"),
)  # fmt: skip
"""Killed without another process."""

IN_PROCESSES = (
    Mutant("heavy-entry", "lazy_import", "torch", entry="janus_mutants.heavy_plugin"),
    _transform("DigestByHash", "cache_key", "another process"),
    _encoder("HashSeeded", "cache_key", "weights"),
    _encoder("ProcessDependent", "spawn", "another process"),
)
"""Killed by the checks that start one."""

SLOW = (
    _encoder("PrintsInForward", "compile", "graph"),
    Mutant("no-whole-patch", "presets_build", "small", record={"presets": {"tiny": {}, "small": {"side": 4}}}),
)
"""Killed by the checks that are run when asked for."""

WITHOUT_MUTANT = {"cuda": "needs a GPU"}
"""Checks that no mutant here can reach, with the reason."""
