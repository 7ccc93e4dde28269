"""Which option an answer means, by the exact matching of VLMEvalKit (``vlmeval/utils/matching_util.py`` at e8e78f0).

Its environment variable VERBOSE, which changes the matching, is taken as not set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
NO_OPTION = "Z"
"""What a refusal means: none of the options."""

MARKS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
ANSWER_IS = re.compile(r"(?i)answer\s+is\s+\**([ABCD])")


def infer(answer: str, choices: Mapping[str, str]) -> str | None:
    """The letter of the option that an answer means, "Z" for a refusal, or None.

    A letter is preferred: the only option's letter among the words, not before the last four. Else "answer is" and a
    letter, in any case and even as the start of a word (``the answer is a dog`` means A). Else the only option whose
    text is part of the answer.

    Args:
        choices: letter -> text.
    """
    return _by_letter(answer, choices) or _by_text(answer, choices)


def _by_letter(answer: str, choices: Mapping[str, str]) -> str | None:
    if "Failed to obtain answer via API" in answer:
        return None
    if any(refusal in answer for refusal in REFUSALS):
        return NO_OPTION
    words = answer.translate(MARKS).split()
    present = [letter for letter in choices if letter in words]
    if len(present) == 1 and words.index(present[0]) > len(words) - 5:
        return present[0]
    if not present and NO_OPTION in words:
        return NO_OPTION
    found = ANSWER_IS.search(answer)
    return found[1].upper() if found and found[1].upper() in choices else None


def _by_text(answer: str, choices: Mapping[str, str]) -> str | None:
    answer = answer.lower()
    if len(answer) > 2 * sum(map(len, choices.values())):
        return None
    found = [letter for letter, text in choices.items() if text.lower() in answer]
    return found[0] if len(found) == 1 else None
