"""Asks and draws for a benchmark, and keeps on disk what is done, so that a run that was stopped goes on.

The batches of a call are fixed by its items alone, and a batch is done whole or not at all: a run that was stopped and
started again computes the same batches, and so the same words to the last one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, cast

from PIL import Image, UnidentifiedImageError

from janus_bench.kept import KeptBatches
from janus_core.checkpoints.atomic import atomic_file
from janus_core.errors import UserError
from janus_core.inference.session import Session
from janus_core.interfaces import Message, Picture, Question, Sampling

PREDICTIONS, KEPT = "predictions", "kept"
Progress = Callable[[Iterable[Any], str], Iterable[Any]]


def silent(items: Iterable[Any], what: str) -> Iterable[Any]:
    """The items, without a bar."""
    return items


def with_bars(items: Iterable[Any], what: str) -> Iterable[Any]:
    """The items, with a progress bar."""
    from tqdm import tqdm

    return cast(Iterable[Any], tqdm(items, desc=what, leave=False))


class Work:
    """What `janus_core.interfaces.BenchmarkWork` promises, for a session and a folder.

    Args:
        folder: of the benchmark in its run; ``predictions`` below it is the benchmark's, ``kept`` ours.
        batch_size: questions or pictures computed together; part of what a stopped run must keep.
    """

    def __init__(
        self,
        session: Session,
        protocol: str,
        folder: Path,
        *,
        data: Path | None = None,
        limit: int | None = None,
        seed: int = 0,
        batch_size: int = 16,
        progress: Progress = silent,
    ) -> None:
        self.session, self.protocol = session, protocol
        # apart: a benchmark may give its own files any name
        self.folder, self.kept = folder / PREDICTIONS, folder / KEPT
        self.data, self.limit, self.seed, self.batch_size = data, limit, seed, batch_size
        self.progress = progress

    def answer(
        self, name: str, questions: Sequence[Question], *, max_new_tokens: int, system: str | None = None
    ) -> list[str]:
        """See `BenchmarkWork.answer`."""

        def ask(part: Sequence[Question], first: int) -> list[str]:
            conversations = [[self._message(question)] for question in part]
            return self.session.answer(
                conversations, max_new_tokens=max_new_tokens, batch_size=len(part), system=system
            )

        return cast(list[str], self._batches(name, questions, {"tokens": max_new_tokens, "system": system}, ask))

    def losses(self, name: str, questions: Sequence[Question], *, system: str | None = None) -> list[list[float]]:
        """See `BenchmarkWork.losses`."""

        def rank(part: Sequence[Question], first: int) -> list[list[float]]:
            conversations = [[self._message(question)] for question in part]
            return self.session.losses(conversations, [question.options for question in part], system=system)

        return cast(list[list[float]], self._batches(name, questions, {"system": system}, rank))

    def draw(
        self, name: str, prompts: Sequence[str], *, images_per_prompt: int = 1, sampling: Sampling | None = None
    ) -> list[Picture]:
        """See `BenchmarkWork.draw`."""
        chosen = Sampling() if sampling is None else sampling
        folder = self.kept / name
        wanted = [Question(f"{p}-{n}", prompt) for p, prompt in enumerate(prompts) for n in range(images_per_prompt)]
        folder.mkdir(parents=True, exist_ok=True)

        def draw(part: Sequence[Question], first: int) -> list[str]:
            drawings = self.session.draw(
                [question.text for question in part],
                sampling=chosen,
                seed=self.seed,
                batch_size=len(part),
                first=first,
            )
            for question, drawing in zip(part, drawings, strict=True):
                with atomic_file(folder / f"{question.id}.png") as partial:
                    drawing.image.save(partial, format="PNG")
            return [hashlib.sha256((folder / f"{question.id}.png").read_bytes()).hexdigest() for question in part]

        digests = self._batches(name, wanted, {"sampling": repr(chosen), "seed": self.seed}, draw)
        found = []
        for question, digest in zip(wanted, digests, strict=True):
            path = folder / f"{question.id}.png"
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                raise UserError(
                    f"{path} is not the picture that was drawn", f"remove {self.kept} to draw and score again"
                )
            prompt, number = question.id.split("-")
            found.append(Picture(path, int(prompt), int(number)))
        return found

    def _batches(
        self,
        name: str,
        questions: Sequence[Question],
        settings: dict[str, Any],
        compute: Callable[[Sequence[Question], int], Sequence[Any]],
    ) -> list[Any]:
        """What ``compute`` gives for each question, batch by batch; finished batches are read."""
        kept = KeptBatches(self.kept / f"{name.replace(' ', '-')}.jsonl")
        results: list[Any] = []
        for start in self.progress(range(0, len(questions), self.batch_size), name):
            part = questions[start : start + self.batch_size]
            key = _key(part, settings)
            done = kept.get(start, key)
            if done is None:
                done = kept.add(start, key, [question.id for question in part], list(compute(part, start)))
            results += done
        return results

    def _message(self, question: Question) -> Message:
        return self.session.question([_opened(image, question.id) for image in question.images], question.text)


def _opened(image: Any, of: str) -> Image.Image:
    if isinstance(image, Image.Image):
        return image
    try:
        with Image.open(image) as opened:
            return opened.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise UserError(f"the picture of question {of} cannot be read: {error}", "check --data") from None


def _key(part: Sequence[Question], settings: dict[str, Any]) -> str:
    """What decides the results of a batch besides the model: its questions and settings.

    A picture is named by its file name, not by its folder: the data may be moved between two starts.
    """
    asked = [
        [q.id, q.text, [os.path.basename(i) if isinstance(i, str | Path) else "" for i in q.images], q.options]
        for q in part
    ]
    text = json.dumps([asked, settings], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
