"""The record of POPE."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

CATEGORIES = ("random", "popular", "adversarial")
REPAIRED = "; an answer is yes or no by its first such word, and one with neither is wrong instead of yes"


def _protocols() -> tuple[ProtocolSpec, ...]:
    sets = {name: f"F1 of the {name} questions" for name in CATEGORIES}
    sets["random"] += ", which the Janus papers print"
    sets["mean3"] = "mean of the three F1, as LLaVA prints it"
    official = [ProtocolSpec(name=name, summary=what, prompts="janus") for name, what in sets.items()]
    repaired = [
        ProtocolSpec(name=f"{name}-repaired", summary=what.partition(",")[0] + REPAIRED, prompts="janus")
        for name, what in sets.items()
    ]
    pooled = ProtocolSpec(
        name="vlmevalkit",
        summary="one F1 of all questions together, answers read by VLMEvalKit's rule without a judge",
        prompts="janus",
    )
    return (*official, *repaired, pooled)


SPEC = BenchmarkSpec(
    name="pope",
    summary="is there such an object in the picture? 3 x 3000 questions that probe hallucination",
    factory="janus_bench.suite.pope.benchmark:build",
    options="janus_bench.suite.pope.options:PopeOptions",
    protocols=_protocols(),
    tasks=("understanding",),
    data="coco/coco_pope_{random,popular,adversarial}.json and the pictures val2014/COCO_val2014_*.jpg",
    licence="MIT (questions), CC-BY-4.0 (COCO)",
    paper="arXiv:2305.10355",
)
