"""Lines of text as pieces, each of which knows the field it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finscribe_trainer.data_tools.synthetic.fonts import Face


@dataclass(frozen=True)
class Run:
    """A piece of a line."""

    text: str
    path: str = ""
    """The field it shows, as `documents/paths.leaves` names it."""
    weight: str = ""
    """Another weight than the line's."""


Line = Sequence[Run]


def plain(text: str, path: str = "") -> Line:
    """A line of one piece."""
    return (Run(text, path),)


def joined(lines: Iterable[Line], between: str) -> Line:
    """Lines as one, with a text between them."""
    return [run for line in lines for run in (*line, Run(between))][:-1]


def wrap(line: Line, face: Face, width: float) -> list[Line]:
    """Break a line between words where it is wider than `width` pixels; a long word stays whole.

    Pieces keep their fields; a space at a break goes.
    """
    words = [
        Run(word, run.path, run.weight)
        for run in line
        for word in run.text.replace(" ", " \0").split("\0")
        if word
    ]
    lines: list[list[Run]] = [[]]
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


def _joined(words: list[Run]) -> Line:
    """The words of one field as one piece again, without the space at the end."""
    runs: list[Run] = []
    for word in words:
        if runs and (runs[-1].path, runs[-1].weight) == (word.path, word.weight):
            runs[-1] = Run(runs[-1].text + word.text, word.path, word.weight)
        else:
            runs.append(word)
    runs[-1] = Run(runs[-1].text.rstrip(" "), runs[-1].path, runs[-1].weight)
    return runs
