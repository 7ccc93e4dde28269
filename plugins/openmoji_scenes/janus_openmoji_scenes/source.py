"""The data source ``openmoji_scenes``: scenes as samples to describe, to answer about, to read and to draw."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from janus_core.interfaces import BuildContext, Given, Message, Sample, Target
from janus_openmoji_scenes.language import Kind, ask, caption
from janus_openmoji_scenes.options import SceneOptions
from janus_openmoji_scenes.render import render
from janus_openmoji_scenes.scene import Scene, sample_scene

DESCRIBE = "\nwhat does the picture show?"


class OpenMojiScenes:
    """Sample i is made of scene i, whose record it carries as ``facts["scene"]``."""

    def __init__(self, options: SceneOptions) -> None:
        self.options = options
        sample_scene(0, counts=options.counts)  # refuses impossible counts now, not at the first batch

    def __len__(self) -> int:
        return self.options.length

    def scene(self, index: int) -> Scene:
        """The record of scene i."""
        options = self.options
        return sample_scene(index, seed=options.seed, split=options.split, counts=options.counts)

    def __getitem__(self, index: int) -> Sample:
        options, scene = self.options, self.scene(index)
        identity = f"{options.split}-{options.seed}-{index}"
        if options.task == "text":
            messages: Sequence[Message] = (Message("plain", (caption(scene),)),)
        elif options.task == "generation":
            messages = (Message("user", (caption(scene),)), Message("assistant", (Target(picture(scene)),)))
        else:
            messages = self._about(scene, index)
        return Sample(identity, options.task, tuple(messages), {"scene": scene})

    def _about(self, scene: Scene, index: int) -> list[Message]:
        given = Given(self.options.route, picture(scene))
        if self.options.ask == "caption":
            return [Message("user", (given, DESCRIBE)), Message("assistant", (caption(scene),))]
        kinds, many = self.options.kinds, self.options.questions_per_scene
        messages: list[Message] = []
        for turn in range(many):
            kind: Kind = kinds[(index * many + turn) % len(kinds)]
            question = ask(scene, kind, index)
            parts = (given, f"\n{question.text}") if turn == 0 else (question.text,)
            messages += [Message("user", parts), Message("assistant", (question.answer,))]
        return messages


def picture(scene: Scene) -> Image.Image:
    """The scene drawn, as a PIL image in RGB."""
    return Image.fromarray(render(scene))


def build(options: SceneOptions, context: BuildContext) -> OpenMojiScenes:
    """Open the scenes; `ValueError` if the counts are not possible."""
    return OpenMojiScenes(options)
