"""The data source ``openmoji_scenes``: scenes as samples to describe, to answer about, to read and to draw."""

from __future__ import annotations

from PIL import Image

from janus_core.interfaces import BuildContext, Given, Message, Sample, Target
from janus_openmoji_scenes.language import Question, ask, caption, facts
from janus_openmoji_scenes.options import SceneOptions
from janus_openmoji_scenes.render import render
from janus_openmoji_scenes.scene import Scene, keyed_generator, sample_scene

DESCRIBE = "what does the picture show?"


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
        if options.task == "generation":
            said = caption(scene) if options.say == "caption" else "\n".join(facts(scene))
            messages = [Message("user", (said,)), Message("assistant", (Target(picture(scene)),))]
        elif options.task == "text" and options.ask == "caption":
            messages = [Message("plain", (caption(scene),))]
        else:
            messages = self._about(scene, index)
        return Sample(identity, options.task, tuple(messages), {"scene": scene})

    def _about(self, scene: Scene, index: int) -> list[Message]:
        """A conversation about the scene: about its picture, or for a text sample about its caption."""
        turns = [(question.text, question.answer) for question in self._questions(scene, index)]
        if self.options.ask == "both":
            turns.insert(index % 2 * len(turns), (DESCRIBE, caption(scene)))
        elif self.options.ask == "caption":
            turns = [(DESCRIBE, caption(scene))]
        shown = caption(scene) if self.options.task == "text" else Given(self.options.route, picture(scene))
        messages: list[Message] = []
        for turn, (asked, answer) in enumerate(turns):
            parts = (shown, f"\n{asked}") if turn == 0 else (asked,)
            messages += [Message("user", parts), Message("assistant", (answer,))]
        return messages

    def _questions(self, scene: Scene, index: int) -> list[Question]:
        """Questions of the kinds in turn, in an order of the scene's own."""
        options = self.options
        order = keyed_generator("kinds", options.seed, options.split, index).permutation(len(options.kinds))
        chosen = [options.kinds[int(kind)] for kind in order[: options.questions_per_scene]]
        return [ask(scene, kind, f"{index}/{turn}") for turn, kind in enumerate(chosen)]


def picture(scene: Scene) -> Image.Image:
    """The scene drawn, as a PIL image in RGB."""
    return Image.fromarray(render(scene))


def build(options: SceneOptions, context: BuildContext) -> OpenMojiScenes:
    """Open the scenes; `ValueError` if the counts are not possible."""
    return OpenMojiScenes(options)
