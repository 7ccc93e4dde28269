"""Twenty-eight ways in which neighbouring projects fail without a word, found in their code and their issues.

A test that would have caught one is marked ``@pytest.mark.silent_failure(number)``.
"""

from __future__ import annotations

from collections.abc import Collection

FAILURES = {
    1: "the first patch is dropped for encoders without a class token",
    2: "an encoder is found by a part of its name, and the last one wins",
    3: "a second registration of a name is ignored",
    4: "options of a part are never passed to it",
    5: "a name in the recipe is ignored",
    6: "weights are dropped on load",
    7: "a frozen module is back in train mode",
    8: "a pattern of what to freeze matches nothing",
    9: "a model that only understands, or only draws, crashes",
    10: "no loss, or a hang, where a batch or a process lacks a task",
    11: "packed samples see each other",
    12: "accumulated gradients are not those of one batch",
    13: "a resumed run is not the run that went on",
    14: "offsets in the vocabulary are written by hand",
    15: "a cache of tokens does not know whose they are",
    16: "the size of the data set is a constant",
    17: "a flag that is false is true",
    18: "an override with = in its value breaks",
    19: "'all were checked' looked at a few",
    20: "throughput is divided by a reading of the clock",
    21: "what a part says of itself is not so",
    22: "a file that is no valid configuration is skipped",
    23: "a shipped command does not run",
    24: "another implementation of a metric gives another number",
    25: "the order of samples is not keyed, or depends on the number of processes",
    26: "one broken plugin breaks the program",
    27: "debugging leftovers",
    28: "frozen parts share a unit of FSDP with trained ones",
}

WITHOUT: dict[int, str] = {}
"""Failures that have no test, and why."""


def summary(shown: Collection[int], *, whole: bool) -> str:
    """One line for the end of a test run.

    Args:
        shown: numbers of the failures that have a test among those that were collected.
        whole: all tests were collected.
    """
    line = f"silent failures of other projects with a test: {len(set(shown) & FAILURES.keys())} of {len(FAILURES)}"
    if not whole:
        return f"{line} in this selection"
    absent = sorted(FAILURES.keys() - set(shown))
    return f"{line} (not applicable here: {', '.join(map(str, absent)) or 'none'})"
