"""Finds and transforms the bounding boxes in an answer, without changing anything else of its text."""

import math
import re

from finscribe_trainer.batches.augmentation.geometry import PageTransform

_NUMBER = r"-?\d+(?:\.\d+)?"
_BOX = re.compile(rf'(?<!\\)"bbox"\s*:\s*\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{3}}\s*\]')
"""`"bbox": [left, top, right, bottom]`, see documents/schema.py; in a JSON string its quotes are escaped."""


def has_box(answer: str) -> bool:
    r"""Whether an answer contains a bounding box.

    >>> has_box('{"line_items":[{"bbox":[1,2,3,4]}]}'), has_box('{"note":"\\"bbox\\":[1,2,3,4]"}')
    (True, False)
    """
    return _BOX.search(answer) is not None


def find_boxes(answer: str) -> list[list[float]]:
    """All boxes of an answer: left, top, right, bottom in pixels."""
    found = (re.findall(_NUMBER, match.group()) for match in _BOX.finditer(answer))
    return [[float(number) for number in numbers] for numbers in found]


def transform_boxes(answer: str, transform: PageTransform) -> str:
    """The answer with each `bbox` transformed; integers stay integers, rounded outwards."""
    return _BOX.sub(lambda found: _transform_box(found.group(), transform), answer)


def _transform_box(text: str, transform: PageTransform) -> str:
    numbers = re.findall(_NUMBER, text)
    box = transform.map_box([float(number) for number in numbers])
    outwards = (math.floor, math.floor, math.ceil, math.ceil)
    values = iter(
        [
            _format_like(value, number, away(round(value, 6)))
            for value, number, away in zip(box, numbers, outwards, strict=True)
        ]
    )
    return re.sub(_NUMBER, lambda _: next(values), text)


def _format_like(value: float, like: str, whole: int) -> str:
    decimals = len(like.partition(".")[2])
    return f"{value:.{decimals}f}" if decimals else str(whole)
