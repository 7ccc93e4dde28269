"""The record of MME."""

from __future__ import annotations

from janus_core.hookspecs import BenchmarkSpec, ProtocolSpec

SIZES = {
    "existence": 60, "count": 60, "position": 60, "color": 60, "posters": 294, "celebrity": 340, "scene": 400,
    "landmark": 400, "artwork": 400, "OCR": 40,
    "commonsense_reasoning": 140, "numerical_calculation": 40, "text_translation": 40, "code_reasoning": 40,
}  # fmt: skip
"""Subtask -> questions of the released MME, in the official order."""
SUBTASKS = tuple(SIZES)
PERCEPTION, COGNITION = SUBTASKS[:10], SUBTASKS[10:]

SPEC = BenchmarkSpec(
    name="mme",
    summary="two yes/no questions a picture, 14 subtasks: Perception (2000 points) and Cognition (800)",
    factory="janus_bench.suite.mme.benchmark:build",
    options="janus_bench.suite.mme.options:MmeOptions",
    protocols=(
        ProtocolSpec(
            name="official",
            summary="as calculation.py: yes or no within the first four characters",
            prompts="janus",
        ),
        ProtocolSpec(
            name="repaired",
            summary="an answer is its first word that is yes or no, wherever it stands",
            prompts="janus",
        ),
    ),
    tasks=("understanding",),
    data="MME_Benchmark_release_version: a folder a subtask, its pictures and question files beside each other or in "
    "images/ and questions_answers_YN/",
    licence="for academic research only",
    paper="arXiv:2306.13394",
)
