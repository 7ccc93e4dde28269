"""What the judge is asked (mm-vet_evaluator.py of yuweihao/MM-Vet at acde843)."""

from __future__ import annotations

_MEME = (
    "This meme is poking fun at the fact that the names of the countries Iceland and Greenland are misleading. Despite "
    "its name, Iceland is known for its beautiful green landscapes, while Greenland is mostly covered in ice and snow. "
    "The meme is saying that the person has trust issues because the names of these countries do not accurately "
    "represent their landscapes."
)
_EXAMPLES = (
    ("What is x in the equation?", "-1 <AND> -5", "x = 3", "0.0"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -1", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -5", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -5 or 5", "0.5"),
    ("What is x in the equation?", "-1 <AND> -5", "x = -1 or x = -5", "1.0"),
    (
        "Can you explain this meme?",
        _MEME,
        "The meme talks about Iceland and Greenland. It's pointing out that despite their names, Iceland is not very "
        "icy and Greenland isn't very green.",
        "0.4",
    ),
    (
        "Can you explain this meme?",
        _MEME,
        "The meme is using humor to point out the misleading nature of Iceland's and Greenland's names. Iceland, "
        "despite its name, has lush green landscapes while Greenland is mostly covered in ice and snow. The text 'This "
        "is why I have trust issues' is a playful way to suggest that these contradictions can lead to distrust or "
        "confusion. The humor in this meme is derived from the unexpected contrast between the names of the countries "
        "and their actual physical characteristics.",
        "1.0",
    ),
)

FEW_SHOT = (
    "Compare the ground truth and prediction from AI models, to give a correctness score for the prediction. <AND> in "
    "the ground truth means it is totally right only when all elements in the ground truth are present in the "
    "prediction, and <OR> means it is totally right when any one element in the ground truth is present in the "
    "prediction. The correctness score is 0.0 (totally wrong), 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, or 1.0 "
    "(totally right). Just complete the last space of the correctness score.\n\n"
    "Question | Ground truth | Prediction | Correctness\n"
    "--- | --- | --- | ---\n"
) + "".join(" | ".join(row) + "\n" for row in _EXAMPLES)

AGAIN = "\nPredict the correctness of the answer (digit): "
"""What is put behind the prompt when a reply was no grade."""

MAX_TOKENS = 3
TRIES = 6
"""Calls for one grade; the official code does not read the reply to the last."""


def row(question: str, truth: str, said: str) -> str:
    """The prompt up to the space that the judge fills."""
    spaced = truth.replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    return FEW_SHOT + "\n" + " | ".join((question, spaced, said, ""))


def temperature(call: int) -> float:
    """Of the calls for one grade, counted from 0: 0, 0, 0.5, 1, 1.5, 2."""
    return 0.5 * max(0, call - 1)
