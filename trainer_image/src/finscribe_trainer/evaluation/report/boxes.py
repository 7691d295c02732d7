"""Boxes of fields on a page: `bbox` in a ground truth, or the `boxes` that synthetic rows have."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finscribe_trainer.documents.numbers import load_json
from finscribe_trainer.storage.uri import is_s3_uri

_MAX_BOXES = 200
"""On one page."""
_MAX_FILE_BYTES = 200_000_000
"""Larger files of rows are not searched for boxes."""


@dataclass(frozen=True)
class Box:
    """A field's box in pixels of the page's image; right and bottom are the first pixels outside."""

    path: str
    """As in the ground truth, such as `line_items[0]`."""
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """In pixels."""
        return self.bottom - self.top


def boxes_of_answer(text: str) -> list[Box]:
    """The boxes that a ground truth holds in `bbox`; none if it is no JSON."""
    try:
        value = load_json(text)
    except ValueError:
        return []
    return list(_nested(value, ""))[:_MAX_BOXES]


def boxes_of_rows(file: Path) -> dict[int, list[Box]]:
    """The `boxes` of a JSONL file's rows, by the number of their line; empty if it can't be read."""
    found = {}
    try:
        if file.suffix != ".jsonl" or file.stat().st_size > _MAX_FILE_BYTES:
            return {}
        with file.open(encoding="utf-8", errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if '"boxes"' in line and (boxes := _of_row(line)):
                    found[number] = boxes
    except OSError:
        return {}
    return found


def _of_row(line: str) -> list[Box]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return []
    boxes = row.get("boxes") if isinstance(row, dict) else None
    if not isinstance(boxes, Mapping):
        return []
    found = (_box(str(path), value) for path, value in boxes.items())
    return [box for box in found if box][:_MAX_BOXES]


def _nested(value: Any, path: str) -> Iterator[Box]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "bbox":
                if box := _box(path, inner):
                    yield box
            else:
                yield from _nested(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _nested(inner, f"{path}[{index}]")


def _box(path: str, value: Any) -> Box | None:
    if not isinstance(value, list) or len(value) != 4:
        return None
    try:
        left, top, right, bottom = map(float, value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not all(map(math.isfinite, (left, top, right, bottom))) or right <= left or bottom <= top:
        return None
    return Box(path, left, top, right, bottom)


def boxes_by_row(source: str, rows: Iterable[str]) -> dict[str, list[Box]]:
    """The `boxes` of evaluated rows, if their file is on this machine.

    Args:
        source: the file or folder that was evaluated.
        rows: `file:line` of each row.
    """
    if is_s3_uri(source):
        return {}
    place = Path(source).expanduser()
    files: dict[str, dict[int, list[Box]]] = {}
    found = {}
    for where in rows:
        name, _, line = where.rpartition(":")
        path = place if place.is_file() and place.name == Path(name).name else place / Path(name).name
        if name not in files:
            files[name] = boxes_of_rows(path)
        if line.isdecimal() and int(line) in files[name]:
            found[where] = files[name][int(line)]
    return found
