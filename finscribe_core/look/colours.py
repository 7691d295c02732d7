"""Names what a colour stands for, and gives each its value on a light and on a dark page."""

LIGHT = {
    "page": "#ffffff",
    "card": "#f6f7f9",
    "line": "#dfe3e8",
    "grid": "#d5dae0",
    "ink": "#1a1f26",
    "muted": "#5d6875",
    "base": "#9aa5b1",
    "tuned": "#2563c9",
    "train": "#a85a00",
    "validation": "#0b7a70",
    "good": "#14783f",
    "bad": "#b3261e",
    "good-back": "#e4f4ea",
    "bad-back": "#fdebe9",
    "mark-back": "#f7b8b2",
    "note-back": "#fff6dc",
    "note-line": "#d9a400",
    "run-1": "#1a1f26",
    "run-2": "#2563c9",
    "run-3": "#a85a00",
    "run-4": "#0b7a70",
    "run-5": "#8a3fa0",
    "run-6": "#b3261e",
    "run-7": "#5b7300",
    "run-8": "#c2367a",
}
"""On a light page, and in image files."""
DARK = {
    "page": "#14171c",
    "card": "#1d2228",
    "line": "#323a44",
    "grid": "#3a434e",
    "ink": "#e6e9ed",
    "muted": "#9ba6b3",
    "base": "#75808d",
    "tuned": "#6ea2ff",
    "train": "#f0a860",
    "validation": "#4fc9bd",
    "good": "#5fcf8e",
    "bad": "#ff8f86",
    "good-back": "#17301f",
    "bad-back": "#3c1f1d",
    "mark-back": "#7d302b",
    "note-back": "#2f2810",
    "note-line": "#b98f1d",
    "run-1": "#e6e9ed",
    "run-2": "#6ea2ff",
    "run-3": "#f0a860",
    "run-4": "#4fc9bd",
    "run-5": "#d59be8",
    "run-6": "#ff8f86",
    "run-7": "#b9d15a",
    "run-8": "#ff8fc0",
}
"""On a dark page, with the same names."""
NUM_RUNS = 8
"""Of several runs, the first has the colour `run-1`; after the last colour they repeat."""


def colour_of_run(index: int) -> str:
    """Name of the colour of a run among several, by its place from 0 on.

    >>> colour_of_run(0), colour_of_run(8)
    ('run-1', 'run-1')
    """
    return f"run-{index % NUM_RUNS + 1}"
