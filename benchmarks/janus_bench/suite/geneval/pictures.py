"""Judges the pictures of a GenEval score by their detections, and warns of what is odd in them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from janus_bench.detectors.classes import CLASSES
from janus_bench.detectors.interface import COLOURS
from janus_bench.detectors.records import read_detections
from janus_bench.suite.geneval import files
from janus_bench.suite.geneval.files import Prompt
from janus_bench.suite.geneval.inputs import Inputs, Judged
from janus_bench.suite.geneval.judge import Found, Rules, Verdict, judge
from janus_bench.suite.geneval.looking import look
from janus_bench.suite.geneval.options import GenEvalOptions
from janus_bench.suite.reading import named
from janus_core.errors import UserError
from janus_core.scores import ScoreCard


def judge_pictures(card: ScoreCard, found: Inputs, rules: Rules, options: GenEvalOptions) -> Judged:
    """Judge every picture that was asked; the card gets the records of ``results.jsonl``, warnings and who looked.

    Raises:
        UserError: two entries of a picture differ.
    """
    seen = read_detections(found.detections) if found.detections else look(found.pictures, found.prompts, options)
    card.stand_in = seen.stand_in
    card.settings |= {"detector": seen.detector, "colour_classifier": seen.colour_classifier}
    judged: dict[str, tuple[Prompt, bool, str]] = {}
    odd: dict[str, list[str]] = {}
    for name, objects in seen.objects.items():
        known = files.image_id(name)
        if known is None or known[1] not in found.prompts:
            odd.setdefault("not among the prompts, not scored", []).append(name)
        elif found.pictures and known[0] not in found.pictures:
            odd.setdefault("in the detections without a picture, not scored", []).append(known[0])
        else:
            verdict = judge(objects, found.prompts[known[1]].record, rules)
            line = (found.prompts[known[1]], verdict.correct, verdict.reason)
            if judged.setdefault(known[0], line) != line:
                raise UserError(f"{known[0]} is in the detections twice, judged differently", "remove one of them")
            card.records.append(record(known[0], line[0], verdict))
            for what in _oddities(line[0], verdict, rules):
                odd.setdefault(what, []).append(known[0])
    unknown = sorted({each.label for objects in seen.objects.values() for each in objects} - set(CLASSES))
    if unknown:
        odd["objects of classes that GenEval does not know (it writes 'computer mouse', 'tv remote')"] = unknown
    if seen.repeated:
        odd["twice in the detections, alike"] = seen.repeated
    card.warnings += [f"{what}: {named(names)}" for what, names in odd.items()]
    if rules != Rules(stable=rules.stable):
        card.warnings.append("the thresholds of judging are not the official ones")
    return judged


def record(name: str, prompt: Prompt, verdict: Verdict) -> dict[str, Any]:
    """A line of the official ``results.jsonl``."""
    return {
        "filename": name,
        "tag": prompt.tag,
        "prompt": prompt.text,
        "correct": verdict.correct,
        "reason": verdict.reason,
        "metadata": prompt.key,
        "details": json.dumps(verdict.details),
    }


def _oddities(prompt: Prompt, verdict: Verdict, rules: Rules) -> list[str]:
    clauses = prompt.record.get("include", ())
    asked = [(clause, verdict.found.get(clause["class"], ())) for clause in clauses]
    odd = []
    if any("color" in clause and _colourless(found, clause["count"]) for clause, found in asked):
        odd.append("an object whose colour is asked has none of the ten colours; it counts as none")
    looked_at = any("color" in clause or "position" in clause for clause in clauses)
    if looked_at and not rules.stable and any(_tied(found, clause["count"]) for clause, found in asked):
        odd.append("equal confidences, whose official order depends on the processor")
    return odd


def _colourless(found: Sequence[Found], count: int) -> bool:
    return len(found) >= count and any(each.colour not in COLOURS for each in found[:count])


def _tied(found: Sequence[Found], count: int) -> bool:
    """Whether objects of one confidence compete for the last place among those that are looked at."""
    return len(found) > count and bool(found[count - 1].box[4] == found[count].box[4])
