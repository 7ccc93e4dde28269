"""The benchmark ``openmoji_scenes``: held-out scenes, asked about and drawn.

Understanding is scored by exact answers; drawing by recognising each drawn object and the background with
`janus_openmoji_scenes.matcher`. Every test scene holds a combination that no training scene has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import BenchmarkResult, BuildContext, Given, Message, Sampling, Score
from janus_openmoji_scenes import baselines, matcher
from janus_openmoji_scenes.attribution import attribution
from janus_openmoji_scenes.language import KINDS, Question, caption, questions
from janus_openmoji_scenes.options import BenchmarkOptions
from janus_openmoji_scenes.scene import IMAGE_SIZE, PLACES, Scene, sample_scene
from janus_openmoji_scenes.score import Reading, compare, total
from janus_openmoji_scenes.score import Score as Matched
from janus_openmoji_scenes.source import picture
from janus_openmoji_scenes.split import is_held_out

PROTOCOL = "openmoji_scenes@1"
UNSEEN = "drawn objects: unseen colour"
TRAINING_SCENES = 2000
"""How many training scenes the majority answers and the nearest scene are taken from."""

Progress = Callable[[Iterable[Any], str], Iterable[Any]]


class SceneBenchmark:
    """Runs a session on held-out scenes."""

    def __init__(self, options: BenchmarkOptions) -> None:
        self.options = options

    def run(self, session: Session, *, limit: int | None, progress: Progress) -> BenchmarkResult:
        """Ask and draw; the tasks that the model lacks are left out."""
        options = self.options
        scenes = [
            sample_scene(i, seed=options.seed, split="test")
            for i in range(min(limit or options.scenes, options.scenes))
        ]
        training = [sample_scene(i, seed=0, split="train") for i in range(TRAINING_SCENES)]
        if session.built.model.draws:
            _check_size(session)
        result = BenchmarkResult(PROTOCOL, [], attribution=attribution())
        if session.built.assembler.routes:
            self._understanding(session, scenes, training, result, progress)
        if session.built.model.draws:
            self._drawing(session, scenes, training, result, progress)
        return result

    def _understanding(
        self,
        session: Session,
        scenes: Sequence[Scene],
        training: Sequence[Scene],
        result: BenchmarkResult,
        progress: Progress,
    ) -> None:
        asked = [(number, question) for number, scene in enumerate(scenes) for question in questions(scene, number)]
        pictures = [picture(scene) for scene in scenes]
        given = _answers(session, [(pictures[n], q) for n, q in asked], progress, "answering")
        others = _answers(
            session, [(pictures[n - 1], q) for n, q in asked], progress, "answering about another picture"
        )
        blind = _answers(session, [(None, q) for _, q in asked], progress, "answering without a picture")
        majority = baselines.majority_answers(q for n, scene in enumerate(training) for q in questions(scene, n))
        for kind in KINDS:
            at = [i for i, (_, question) in enumerate(asked) if question.kind == kind]
            truth = [asked[i][1].answer for i in at]
            result.scores.append(
                Score(
                    f"answers: {kind}",
                    _equal(given, at, truth),
                    len(at),
                    {
                        "majority": _share([majority[kind]] * len(at), truth),
                        "blind": _equal(blind, at, truth) / len(at),
                        "other picture": _equal(others, at, truth) / len(at),
                        "chance": baselines.chance_answer(kind),
                    },
                    task="understanding",
                )
            )
        result.scores.insert(0, _sum("answers", result.scores))
        for (number, question), answer, without in zip(asked, given, blind, strict=True):
            right = _normal(answer) == question.answer
            result.items.append(
                {
                    "task": "understanding",
                    "scene": number,
                    "question": question.text,
                    "answer": answer,
                    "truth": question.answer,
                    "right": right,
                    "blind": without,
                    "counts": {name: [int(right), 1] for name in ("answers", f"answers: {question.kind}")},
                }
            )
            result.pictures.setdefault(f"scene-{number}.png", pictures[number])

    def _drawing(
        self,
        session: Session,
        scenes: Sequence[Scene],
        training: Sequence[Scene],
        result: BenchmarkResult,
        progress: Progress,
    ) -> None:
        options = self.options
        sampling = Sampling(temperature=options.temperature, guidance=options.guidance)
        prompts = [caption(scene) for scene in scenes]
        drawings = session.draw(
            prompts,
            sampling=sampling,
            seed=options.seed,
            batch_size=50,
            progress=lambda steps: progress(list(steps), "drawing"),
        )
        readings = [matcher.read(np.asarray(drawing.image)) for drawing in drawings]
        read = [compare(reading, scene) for reading, scene in zip(readings, scenes, strict=True)]
        nearest = baselines.nearest_score(scenes, training)
        true = _matched([picture(scene) for scene in scenes], scenes)
        rebuilt = _matched(_reconstructed(session, scenes), scenes)
        drawn = total(read)
        for name, right, of, share, chance in (
            ("drawn objects", drawn.objects_right, drawn.objects, "object_accuracy", baselines.chance_object()),
            ("drawn backgrounds", drawn.colours_right, drawn.scenes, "colour_accuracy", baselines.chance_colour()),
            ("drawn scenes, whole", drawn.scenes_right, drawn.scenes, "scene_accuracy", None),
        ):
            without = {"nearest training scene": getattr(nearest, share)}
            without |= {} if chance is None else {"chance": chance}
            best = {"true scenes": getattr(true, share), "reconstructions": getattr(rebuilt, share)}
            result.scores.append(Score(name, right, of, without, best, task="generation"))
        unseen = [_on_unseen_colours(reading, scene) for reading, scene in zip(readings, scenes, strict=True)]
        right, of = (sum(column) for column in zip(*unseen, strict=True))
        if of:
            chance_only = {"chance": baselines.chance_object()}
            result.scores.append(Score(UNSEEN, right, of, chance_only, task="generation"))
        for number, (drawing, score) in enumerate(zip(drawings, read, strict=True)):
            name = f"drawing-{number}.png"
            result.items.append(
                {
                    "task": "generation",
                    "scene": number,
                    "prompt": drawing.prompt,
                    "picture": name,
                    "objects_right": score.objects_right,
                    "objects": score.objects,
                    "background_right": bool(score.colours_right),
                    "counts": {
                        "drawn objects": [score.objects_right, score.objects],
                        "drawn backgrounds": [score.colours_right, 1],
                        "drawn scenes, whole": [score.scenes_right, 1],
                        UNSEEN: list(unseen[number]),
                    },
                }
            )
            result.pictures[name] = drawing.image


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
    session: Session,
    asked: Sequence[tuple[Image.Image | None, Question]],
    progress: Progress,
    what: str,
    batch: int = 100,
) -> list[str]:
    answers: list[str] = []
    route = session.image_route()
    for start in progress(range(0, len(asked), batch), what):
        conversations = [
            [Message("user", (question.text,) if image is None else (Given(route, image), f"\n{question.text}"))]
            for image, question in asked[start : start + batch]
        ]
        answers += session.answer(conversations, max_new_tokens=8, batch_size=batch)
    return answers


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


def _sum(name: str, scores: Sequence[Score]) -> Score:
    """All kinds together; each baseline weighted by its questions."""
    count = sum(score.total for score in scores)
    keys = scores[0].baselines
    together = {key: sum(score.baselines[key] * score.total for score in scores) / count for key in keys}
    return Score(name, sum(score.correct for score in scores), count, together, task=scores[0].task)


def build(options: BenchmarkOptions, context: BuildContext) -> SceneBenchmark:
    """The benchmark."""
    return SceneBenchmark(options)
