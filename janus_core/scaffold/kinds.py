"""The kinds of components that a new plugin can hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ScaffoldKind:
    """One value of ``--kind``.

    Attributes:
        words: the kind as a reader says it.
        summary: what the component that is written is.
        files: template -> what the file holds; files of the package, then of the folder.
        use: commands that use the component in a recipe.
    """

    words: str
    summary: str
    files: dict[str, str]
    use: tuple[str, ...]


SPEC = "what there is, as data; imports no torch"
OPTIONS = "the options, with their descriptions"
RECIPE = "a model that uses it, to train and to try"
TRAIN = "janus train recipe.yaml --out runs/first --set stages.unify.steps=100"
SCENE = 'janus draw "a cat at the top left on a blue background" '
ANSWER = (
    TRAIN,
    f"{SCENE}--out scene.png",
    'janus answer scene.png "how many objects are there?" --model runs/first',
)
DRAW = (TRAIN, f"{SCENE}--model runs/first --out drawn.png")

KINDS: dict[str, ScaffoldKind] = {
    "encoder": ScaffoldKind(
        "understanding encoder",
        "A small vision transformer, one token a patch.",
        {"plugin.py": SPEC, "options.py": OPTIONS, "model.py": "the encoder, and the transform of its pictures",
         "recipe.yaml": RECIPE},
        ANSWER,
    ),
    "tokenizer": ScaffoldKind(
        "generation tokenizer",
        "Patches quantised to a grid of levels (FSQ).",
        {"plugin.py": SPEC, "options.py": OPTIONS, "model.py": "the tokenizer, and the transform of its pictures",
         "pretrain.py": "its losses, when it is trained alone", "pretrain.yaml": "trains it alone",
         "recipe.yaml": RECIPE},
        ("janus pretrain tokenizer pretrain.yaml --out runs/tokenizer --set steps=100", *DRAW),
    ),
    "adapter": ScaffoldKind(
        "adapter",
        "A norm and a gated feed-forward layer between features and language model.",
        {"plugin.py": SPEC, "options.py": OPTIONS, "model.py": "the adapter", "recipe.yaml": RECIPE},
        ANSWER,
    ),
    "head": ScaffoldKind(
        "generation head",
        "A norm and one linear layer over each codebook.",
        {"plugin.py": SPEC, "options.py": OPTIONS, "model.py": "the loss of codes, and their sampling",
         "recipe.yaml": RECIPE},
        DRAW,
    ),
    "language-model": ScaffoldKind(
        "language model",
        "A transformer decoder with rotary positions.",
        {"plugin.py": SPEC, "options.py": OPTIONS, "model.py": "the decoder and its cache", "recipe.yaml": RECIPE},
        ANSWER,
    ),
}  # fmt: skip

WRAP = ScaffoldKind(
    "understanding encoder",
    "",
    {"plugin.py": SPEC, "options.py": "which model it is, and how its pictures are prepared", "recipe.yaml": RECIPE},
    ANSWER,
)
"""An encoder that wraps a model of another library."""

PACKAGE_FILES = ("plugin.py", "options.py", "model.py", "pretrain.py")
"""The others lie beside the package."""
