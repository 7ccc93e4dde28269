"""A rule in place of a judge: an answer is as right as the elements of the truth that it contains."""

from __future__ import annotations

import re
import unicodedata

from janus_bench.judges.judge import Reply, Request


class RuleJudge:
    """The best share of ``<AND>`` elements, over the ``<OR>`` alternatives, that stand in the answer as whole words.

    It knows neither synonyms nor reasons and is good for tests only.
    """

    id = "rule-judge"
    stand_in = "the rule judge counts words; its scores stand for no judge's"

    def ask(self, request: Request) -> Reply:
        """The share to one decimal."""
        said = _plain(request.said)
        best = 0.0
        for alternative in request.truth.split("<OR>"):
            elements = [_plain(element) for element in alternative.split("<AND>")]
            inside = [bool(re.search(rf"(?<!\w){re.escape(element)}(?!\w)", said)) for element in elements]
            best = max(best, sum(inside) / len(inside))
        return Reply(f"{best:.1f}", self.id)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
