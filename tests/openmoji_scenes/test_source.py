"""The data source: what its samples say is true of their scenes, in every task."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from janus_core.interfaces import BuildContext, Given, Message, Target
from janus_openmoji_scenes import matcher
from janus_openmoji_scenes.language import KINDS, ask, caption, facts
from janus_openmoji_scenes.options import SceneOptions
from janus_openmoji_scenes.scene import PLACES, Scene
from janus_openmoji_scenes.source import DESCRIBE, build


def words(message: Message) -> str:
    return "".join(part for part in message.parts if isinstance(part, str))


def test_drawings_show_what_they_are_asked_to() -> None:
    source = build(SceneOptions(task="generation"), BuildContext())
    for index in range(20):
        sample = source[index]
        user, assistant = sample.messages
        target = assistant.parts[0]
        assert isinstance(target, Target)
        assert words(user) == caption(sample.facts["scene"])
        assert matcher.score(np.asarray(target.raw), sample.facts["scene"]).scenes_right == 1


def test_conversations_ask_and_describe() -> None:
    options = SceneOptions(task="understanding", ask="both", questions_per_scene=4)
    for index in range(12):
        messages = build(options, BuildContext())[index].messages
        scene = build(options, BuildContext()).scene(index)
        asked = [words(message).strip() for message in messages[::2]]
        said = [words(message) for message in messages[1::2]]
        assert len(asked) == 5
        assert isinstance(messages[0].parts[0], Given)
        assert not any(isinstance(part, Given) for message in messages[1:] for part in message.parts)
        assert asked.index(DESCRIBE) == (0 if index % 2 == 0 else 4)
        assert said[asked.index(DESCRIBE)] == caption(scene)


def test_a_text_sample_has_the_caption_where_the_picture_would_be() -> None:
    source = build(SceneOptions(task="text", questions_per_scene=2), BuildContext())
    messages = source[3].messages
    assert words(messages[0]).startswith(caption(source.scene(3)) + "\n")
    assert len(messages) == 4
    plain = build(SceneOptions(task="text", ask="caption"), BuildContext())[3].messages
    assert [(message.role, words(message)) for message in plain] == [("plain", caption(source.scene(3)))]


def test_facts_are_true_and_all_there() -> None:
    source = build(SceneOptions(task="generation", say="facts"), BuildContext())
    for index in range(20):
        scene: Scene = source.scene(index)
        told = words(source[index].messages[0]).split("\n")
        assert tuple(told) == facts(scene)
        assert len(told) == 1 + 3 * len(scene.items)
        for name in told[1:]:
            places = [place for place in PLACES if place in name]
            assert any(item.drawing in name and (not places or item.place == places[0]) for item in scene.items)


def test_a_kind_that_stands_twice_is_asked_twice() -> None:
    options = SceneOptions(task="understanding", kinds=["where", "where", "what"], questions_per_scene=3)
    source = build(options, BuildContext())
    for index in range(5):
        asked = [words(message).split()[0] for message in source[index].messages[::2]]
        assert sorted(asked) == ["what", "where", "where"]


def test_answers_do_not_hang_on_the_question_asked() -> None:
    """Yes and no are balanced, and every kind has its answers."""
    source = build(SceneOptions(task="understanding"), BuildContext())
    scenes = [source.scene(index) for index in range(400)]
    yes = sum(ask(scene, "is there", index).answer == "yes" for index, scene in enumerate(scenes))
    assert 150 < yes < 250
    assert {len({ask(scene, kind, 0).answer for scene in scenes}) > 1 for kind in KINDS} == {True}


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ValidationError, match="task"):
        SceneOptions(task="drawing")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="from 1 to 3"):
        build(SceneOptions(task="text", counts=[4]), BuildContext())
