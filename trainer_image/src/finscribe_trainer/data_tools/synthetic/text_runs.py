"""Lines of text as runs, each with the path of the field it shows; wraps lines."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finscribe_trainer.data_tools.synthetic.fonts import Face


@dataclass(frozen=True)
class TextRun:
    """A part of a line with one field and one weight."""

    text: str
    path: str = ""
    """Path of the field it shows, as in `documents/paths.leaves`; empty without a field."""
    weight: str = ""
    """Font weight, if it differs from the line's."""


Line = Sequence[TextRun]


def plain(text: str, path: str = "") -> Line:
    """A line with a single run."""
    return (TextRun(text, path),)


def joined(lines: Iterable[Line], between: str) -> Line:
    """Join lines to one, with a separator."""
    return [run for line in lines for run in (*line, TextRun(between))][:-1]


def wrap(line: Line, face: Face, width: float) -> list[Line]:
    """Wrap a line between words at `width` pixels; long words are not broken.

    Runs keep their fields; spaces at line breaks are dropped.
    """
    words = [
        TextRun(word, run.path, run.weight)
        for run in line
        for word in run.text.replace(" ", " \0").split("\0")
        if word
    ]
    lines: list[list[TextRun]] = [[]]
    x = 0.0
    for word in words:
        own = face.other(word.weight) if word.weight else face
        needed = own.width(word.text.rstrip(" "))
        if lines[-1] and x + needed > width and lines[-1][-1].text.endswith(" "):
            lines.append([])
            x = 0.0
        lines[-1].append(word)
        x += own.width(word.text)
    return [_joined(words) for words in lines]


def _joined(words: list[TextRun]) -> Line:
    """Merge the words of each field to one run, without trailing space."""
    runs: list[TextRun] = []
    for word in words:
        if runs and (runs[-1].path, runs[-1].weight) == (word.path, word.weight):
            runs[-1] = TextRun(runs[-1].text + word.text, word.path, word.weight)
        else:
            runs.append(word)
    runs[-1] = TextRun(runs[-1].text.rstrip(" "), runs[-1].path, runs[-1].weight)
    return runs
