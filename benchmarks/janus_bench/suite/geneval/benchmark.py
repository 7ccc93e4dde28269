"""GenEval: draw, look, judge, count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from janus_bench.suite.drawing import draw
from janus_bench.suite.geneval import files, inputs
from janus_bench.suite.geneval import score as summary
from janus_bench.suite.geneval.card import fill
from janus_bench.suite.geneval.files import Prompt
from janus_bench.suite.geneval.judge import Rules
from janus_bench.suite.geneval.looking import look
from janus_bench.suite.geneval.options import GenEvalOptions
from janus_bench.suite.geneval.pictures import judge_pictures
from janus_bench.suite.geneval.spec import SPEC
from janus_bench.suite.reading import read_text
from janus_core.errors import UserError
from janus_core.interfaces import BenchmarkWork, BuildContext
from janus_core.scores import ScoreCard, ScoredItem

REWRITTEN = "rewritten_prompts.txt"


def build(options: GenEvalOptions, context: BuildContext) -> GenEval:
    """Build the benchmark."""
    return GenEval(options)


class GenEval:
    """Draws prompts and judges what is seen on the drawings."""

    def __init__(self, options: GenEvalOptions) -> None:
        self.options = options

    def run(self, work: BenchmarkWork) -> ScoreCard:
        """Draw, write the official layout, look, judge; what was looked at before a stop is not looked at again."""
        if work.data is None:
            raise UserError("GenEval needs its prompts", f"give --data DIR with {SPEC.data}")
        prompts = files.read_prompts(work.data)
        texts = _texts(work.protocol, work.data, prompts)[: work.limit]
        prompts = prompts[: work.limit]
        pictures, settings = draw(work, texts, self.options, self.options.images_per_prompt)
        folder, detections = work.folder / "images", work.folder / inputs.DETECTIONS[0]
        files.write_layout(folder, prompts, ((each.prompt, each.number, each.path) for each in pictures))
        files.write_lines(work.folder / files.METADATA, (prompt.record for prompt in prompts))
        look(files.pictures_of(folder), dict(enumerate(prompts)), self.options, detections, work.progress)
        card = self.score(work.protocol, work.folder, work.folder / files.METADATA)
        files.write_lines(work.folder / inputs.RESULTS, card.records)
        card.settings |= settings
        return card

    def score(self, protocol: str, predictions: Path, annotations: Path | None) -> ScoreCard:
        """Score detections, an official ``results.jsonl`` or pictures; see `inputs.find`."""
        found = inputs.find(predictions, annotations)
        version = next(each.version for each in SPEC.protocols if each.name == protocol)
        card = ScoreCard(SPEC.name, f"{SPEC.name}@{protocol}", version, [])
        rules = self._rules(stable=protocol == "repaired")
        if found.results is not None:
            judged = inputs.read_results(found.results)
            prompts = found.prompts or {inputs.number(name): prompt for name, (prompt, *_) in judged.items()}
            judged = inputs.asked(card, judged, prompts)
            card.settings |= {"detector": "not stated (results.jsonl)", "colour_classifier": "not stated"}
        else:
            prompts = found.prompts
            judged = judge_pictures(card, found, rules, self.options)
            card.settings["rules"] = {name: getattr(rules, name) for name in Rules.__slots__}
        fill(card, protocol, judged, prompts, found.pictures, self.options.images_per_prompt)
        return card

    def aggregate(self, protocol: str, items: Sequence[ScoredItem]) -> Mapping[str, float]:
        """The scores of any multiset of items."""
        return summary.aggregate(protocol, items)

    def _rules(self, stable: bool) -> Rules:
        names = (name for name in Rules.__slots__ if name in GenEvalOptions.model_fields)
        return Rules(**{name: getattr(self.options, name) for name in names}, stable=stable)


def _texts(protocol: str, data: Path, prompts: Sequence[Prompt]) -> list[str]:
    """What is drawn: the prompts, or somebody's longer words for them."""
    if protocol != "rewritten":
        return [prompt.text for prompt in prompts]
    path = data / REWRITTEN if data.is_dir() else data.with_name(REWRITTEN)
    texts = read_text(path).rstrip("\n").split("\n")
    if len(texts) != len(prompts) or not all(map(str.strip, texts)):
        raise UserError(f"{path} has {len(texts)} lines for {len(prompts)} prompts", "one prompt a line, none empty")
    return texts
