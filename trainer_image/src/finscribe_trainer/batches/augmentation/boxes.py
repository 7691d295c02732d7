"""The boxes in an answer, moved with the page; not another byte of it changes."""

import math
import re

from finscribe_trainer.batches.augmentation.placement import Placement

_NUMBER = r"-?\d+(?:\.\d+)?"
_BOX = re.compile(rf'(?<!\\)"bbox"\s*:\s*\[\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{3}}\s*\]')
"""`"bbox": [left, top, right, bottom]`, as documents/schema.py has it. In a text of JSON its quotes would
be escaped."""


def holds_box(answer: str) -> bool:
    r"""Whether an answer says where something is.

    >>> holds_box('{"line_items":[{"bbox":[1,2,3,4]}]}'), holds_box('{"note":"\\"bbox\\":[1,2,3,4]"}')
    (True, False)
    """
    return _BOX.search(answer) is not None


def boxes_of(answer: str) -> list[list[float]]:
    """Every box of an answer: left, top, right, bottom in pixels."""
    found = (re.findall(_NUMBER, match.group()) for match in _BOX.finditer(answer))
    return [[float(number) for number in numbers] for numbers in found]


def moved_boxes(answer: str, placement: Placement) -> str:
    """The answer with each `bbox` where the placement puts it; whole numbers stay whole, rounded outwards."""
    return _BOX.sub(lambda found: _moved(found.group(), placement), answer)


def _moved(text: str, placement: Placement) -> str:
    numbers = re.findall(_NUMBER, text)
    box = placement.of_box([float(number) for number in numbers])
    outwards = (math.floor, math.floor, math.ceil, math.ceil)
    said = iter(
        [
            _written(value, number, away(round(value, 6)))
            for value, number, away in zip(box, numbers, outwards, strict=True)
        ]
    )
    return re.sub(_NUMBER, lambda _: next(said), text)


def _written(value: float, like: str, whole: int) -> str:
    decimals = len(like.partition(".")[2])
    return f"{value:.{decimals}f}" if decimals else str(whole)
