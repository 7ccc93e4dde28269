"""The benchmark ``openmoji_scenes``: held-out scenes, asked about and drawn.

Understanding is scored by exact answers; drawing by recognising each drawn object and the background with
`janus_openmoji_scenes.matcher`. Every test scene holds a combination that no training scene has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch
from PIL import Image

from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BenchmarkWork, BuildContext, Picture, Question, Sampling
from janus_core.scores import Score, ScoreCard, ScoredItem, share
from janus_openmoji_scenes import baselines, language, matcher
from janus_openmoji_scenes.attribution import attribution
from janus_openmoji_scenes.language import KINDS, caption, questions
from janus_openmoji_scenes.options import BenchmarkOptions
from janus_openmoji_scenes.scene import IMAGE_SIZE, PLACES, Scene, sample_scene
from janus_openmoji_scenes.score import Reading, compare, total
from janus_openmoji_scenes.score import Score as Matched
from janus_openmoji_scenes.source import picture
from janus_openmoji_scenes.split import is_held_out

VERSION = 1
MAX_NEW_TOKENS = 8
UNSEEN = "drawn objects: unseen colour"
TRAINING_SCENES = 2000
"""How many training scenes the majority answers and the nearest scene are taken from."""


class SceneBenchmark:
    """Runs a session on held-out scenes."""

    def __init__(self, options: BenchmarkOptions) -> None:
        self.options = options

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Ask and draw; the tasks that the model lacks are left out."""
        options, session = self.options, cast(Session, work.session)
        scenes = [
            sample_scene(i, seed=options.seed, split="test")
            for i in range(min(work.limit or options.scenes, options.scenes))
        ]
        training = [sample_scene(i, seed=0, split="train") for i in range(TRAINING_SCENES)]
        if session.built.model.draws:
            _check_size(session)
        card = ScoreCard("openmoji_scenes", "openmoji_scenes@exact", VERSION, [], attribution=attribution())
        if session.built.assembler.routes:
            self._understanding(work, scenes, training, card)
        if session.built.model.draws:
            self._drawing(work, scenes, training, card)
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """Right of all, for each score that an item counts in."""
        sums: dict[str, list[int]] = {}
        for item in items:
            for name, (right, of) in item.facts["counts"].items():
                have = sums.setdefault(name, [0, 0])
                have[0], have[1] = have[0] + right, have[1] + of
        return {name: right / of if of else math.nan for name, (right, of) in sums.items()}

    def _understanding(
        self, work: BenchmarkWork, scenes: Sequence[Scene], training: Sequence[Scene], card: ScoreCard
    ) -> None:
        asked = [(number, question) for number, scene in enumerate(scenes) for question in questions(scene, number)]
        pictures = [picture(scene) for scene in scenes]
        given = _answers(work, "answers", [(pictures[n], q) for n, q in asked])
        others = _answers(work, "answers about another picture", [(pictures[n - 1], q) for n, q in asked])
        blind = _answers(work, "answers without a picture", [(None, q) for _, q in asked])
        majority = baselines.majority_answers(q for n, scene in enumerate(training) for q in questions(scene, n))
        kinds = []
        for kind in KINDS:
            at = [i for i, (_, question) in enumerate(asked) if question.kind == kind]
            truth = [asked[i][1].answer for i in at]
            without = {
                "majority": _share([majority[kind]] * len(at), truth),
                "blind": _equal(blind, at, truth) / len(at),
                "other picture": _equal(others, at, truth) / len(at),
                "chance": baselines.chance_answer(kind),
            }
            kinds.append(share(f"answers: {kind}", _equal(given, at, truth), len(at), without, task="understanding"))
        card.scores += [_together("answers", kinds), *kinds]
        for place, ((number, question), answer, without_it) in enumerate(zip(asked, given, blind, strict=True)):
            right = _normal(answer) == question.answer
            counts = {name: [int(right), 1] for name in ("answers", f"answers: {question.kind}")}
            item = ScoredItem(
                f"answer-{place}", f"scene-{number}", float(right), _normal(answer), facts={"counts": counts}
            )
            card.items.append(item)
            card.records.append(
                {
                    "id": item.id,
                    "task": "understanding",
                    "scene": number,
                    "question": question.text,
                    "answer": answer,
                    "truth": question.answer,
                    "right": right,
                    "blind": without_it,
                }
            )
            card.pictures.setdefault(f"scene-{number}.png", pictures[number])

    def _drawing(
        self, work: BenchmarkWork, scenes: Sequence[Scene], training: Sequence[Scene], card: ScoreCard
    ) -> None:
        options = self.options
        sampling = Sampling(temperature=options.temperature, guidance=options.guidance)
        prompts = [caption(scene) for scene in scenes]
        drawn = work.draw("drawings", prompts, sampling=sampling)
        images = [_opened(one) for one in drawn]
        readings = [matcher.read(np.asarray(image)) for image in images]
        read = [compare(reading, scene) for reading, scene in zip(readings, scenes, strict=True)]
        unseen = [_on_unseen_colours(reading, scene) for reading, scene in zip(readings, scenes, strict=True)]
        card.settings |= {"temperature": sampling.temperature, "guidance": sampling.guidance, "seed": work.seed}
        card.scores += self._drawn_scores(work, scenes, training, total(read))
        right, of = (sum(column) for column in zip(*unseen, strict=True))
        if of:
            card.scores.append(share(UNSEEN, right, of, {"chance": baselines.chance_object()}, task="generation"))
        for number, (image, score) in enumerate(zip(images, read, strict=True)):
            name = f"drawing-{number}.png"
            counts = {
                "drawn objects": [score.objects_right, score.objects],
                "drawn backgrounds": [score.colours_right, 1],
                "drawn scenes, whole": [score.scenes_right, 1],
                UNSEEN: list(unseen[number]),
            }
            worth = score.objects_right / score.objects
            item = ScoredItem(f"drawing-{number}", f"scene-{number}", worth, facts={"counts": counts})
            card.items.append(item)
            card.records.append(
                {
                    "id": item.id,
                    "task": "generation",
                    "scene": number,
                    "prompt": prompts[number],
                    "picture": name,
                    "objects_right": score.objects_right,
                    "objects": score.objects,
                    "background_right": bool(score.colours_right),
                }
            )
            card.pictures[name] = image

    def _drawn_scores(
        self, work: BenchmarkWork, scenes: Sequence[Scene], training: Sequence[Scene], drawn: Matched
    ) -> list[Score]:
        """What was recognised, beside the nearest training scene, the true scenes and their reconstructions."""
        nearest = baselines.nearest_score(scenes, training)
        true = _matched([picture(scene) for scene in scenes], scenes)
        rebuilt = _matched(_reconstructed(cast(Session, work.session), scenes), scenes)
        found = []
        for name, right, of, kind, chance in (
            ("drawn objects", drawn.objects_right, drawn.objects, "object_accuracy", baselines.chance_object()),
            ("drawn backgrounds", drawn.colours_right, drawn.scenes, "colour_accuracy", baselines.chance_colour()),
            ("drawn scenes, whole", drawn.scenes_right, drawn.scenes, "scene_accuracy", None),
        ):
            without = {"nearest training scene": getattr(nearest, kind)}
            without |= {} if chance is None else {"chance": chance}
            best = {"true scenes": getattr(true, kind), "reconstructions": getattr(rebuilt, kind)}
            found.append(share(name, right, of, without, best, task="generation"))
        return found


def _check_size(session: Session) -> None:
    """Refuse a model whose pictures the matcher cannot read, before anything is measured."""
    layout = session.built.model.code_layout
    assert layout is not None
    size = session.render(torch.zeros(1, layout.positions, len(layout.codebooks), dtype=torch.int64))[0].size
    if size != (IMAGE_SIZE, IMAGE_SIZE):
        raise UserError(
            f"the model draws {size[0]} x {size[1]} pixels, and the scenes have {IMAGE_SIZE} x {IMAGE_SIZE}",
            f"train with model.image_size: {IMAGE_SIZE} to measure on this benchmark",
        )


def _matched(images: Sequence[Image.Image], scenes: Sequence[Scene]) -> Matched:
    """How much of the scenes the matcher finds in these pictures."""
    return total(matcher.score(np.asarray(image), scene) for image, scene in zip(images, scenes, strict=True))


def _on_unseen_colours(reading: Reading, scene: Scene) -> tuple[int, int]:
    """(right, of) the hardest of the drawn objects: those on a background they never stood on in training."""
    right = [
        reading.places[PLACES.index(item.place)] == item.drawing
        for item in scene.items
        if is_held_out((item.drawing, scene.background))
    ]
    return sum(right), len(right)


def _answers(
    work: BenchmarkWork, name: str, asked: Sequence[tuple[Image.Image | None, language.Question]]
) -> list[str]:
    return work.answer(
        name,
        [
            Question(str(place), question.text, () if image is None else (image,))
            for place, (image, question) in enumerate(asked)
        ],
        max_new_tokens=MAX_NEW_TOKENS,
    )


def _opened(drawn: Picture) -> Image.Image:
    with Image.open(drawn.path) as image:
        return image.convert("RGB")


def _reconstructed(session: Session, scenes: Sequence[Scene]) -> list[Image.Image]:
    """The scenes after the tokenizer's encoding and decoding: no drawing can be better than that."""
    transform, model = session.built.target_transform, session.built.model
    assert transform is not None
    images: list[Image.Image] = []
    for start in range(0, len(scenes), 50):
        prepared = [transform(picture(scene)) for scene in scenes[start : start + 50]]
        images += session.render(model.encode_pixels(transform.collate(prepared)))
    return images


def _normal(answer: str) -> str:
    return answer.strip().lower()


def _equal(answers: Sequence[str], at: Sequence[int], truth: Sequence[str]) -> int:
    return sum(_normal(answers[i]) == true for i, true in zip(at, truth, strict=True))


def _share(given: Sequence[str], truth: Sequence[str]) -> float:
    return sum(a == b for a, b in zip(given, truth, strict=True)) / len(truth)


def _together(name: str, scores: Sequence[Score]) -> Score:
    """All kinds together; each baseline weighted by its questions."""
    count = sum(score.total for score in scores)
    keys = scores[0].baselines
    baseline = {key: sum(score.baselines[key] * score.total for score in scores) / count for key in keys}
    return share(name, sum(score.correct or 0 for score in scores), count, baseline, task=scores[0].task)


def build(options: BenchmarkOptions, context: BuildContext) -> SceneBenchmark:
    """The benchmark."""
    return SceneBenchmark(options)
