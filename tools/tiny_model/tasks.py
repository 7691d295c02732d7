"""What the model is asked about a page: its transcription, and what follows a word."""

import random
from dataclasses import dataclass

TRANSCRIBE = "OCR:"
AFTER = "After: "


@dataclass(frozen=True)
class Question:
    """An instruction and its answer.

    Attributes:
        prompt: The instruction.
        answer: The expected answer.
        cells: For each character of the answer the row and column it is read from; None for a line break.
        start: The cell of the last character of the prompt, if it is on the page.
    """

    prompt: str
    answer: str
    cells: tuple[tuple[int, int] | None, ...]
    start: tuple[int, int] | None = None


def transcribe(page: list[str]) -> Question:
    """All rows from top to bottom; runs of spaces are one space, blank rows are left out."""
    answer, cells = "", list[tuple[int, int] | None]()
    for number, row in enumerate(page):
        if not row.strip():
            continue
        if answer:
            answer += "\n"
            cells.append(None)
        text, found = _row(row, number, 0)
        answer += text
        cells += found
    return Question(TRANSCRIBE, answer, tuple(cells))


def after(page: list[str], rng: random.Random, count: int) -> list[Question]:
    """Up to `count` questions for the rest of a line after a word that the page has only once."""
    places = []
    words = [word for row in page for word in row.split()]
    for number, row in enumerate(page):
        start = 0
        for word in row.split():
            start = row.index(word, start)
            end = start + len(word)
            if row[end:].strip() and words.count(word) == 1:
                places.append((word, number, end))
            start = end
    questions = []
    for word, number, end in rng.sample(places, min(count, len(places))):
        first = end + len(page[number][end:]) - len(page[number][end:].lstrip())
        answer, cells = _row(page[number], number, first)
        questions.append(Question(AFTER + word, answer, tuple(cells), (number, end - 1)))
    return questions


def _row(row: str, number: int, first: int) -> tuple[str, list[tuple[int, int] | None]]:
    """The text of a row from column `first`, with single spaces, and the cells of its characters."""
    text, cells = "", list[tuple[int, int] | None]()
    for column in range(first, len(row.rstrip())):
        character = row[column]
        if character == " " and (not text or text.endswith(" ")):
            continue
        text += character
        cells.append((number, column))
    return text, cells
