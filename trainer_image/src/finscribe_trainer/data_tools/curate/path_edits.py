"""Applies corrections, given as paths and values, to a predicted document."""

import copy
import re
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\+?)([0-9]{1,6})\]")
Step = str | int


class EditError(ValueError):
    """A correction can't be applied; the message names its path."""


def apply_corrections(document: Any, corrections: dict[str, Any]) -> Any:
    """A copy of the document with all corrections applied.

    Indices refer to the predicted document, independent of other corrections:

    - `vendor.name`, `line_items[2].quantity`, `line_items[2]`: the value is replaced;
    - the same with null: the field, or the line, is removed;
    - `line_items[3]` of a list of three: appended;
    - `line_items[+1]`: inserted before line 1.

    Raises:
        EditError: a path is invalid or does not exist.

    >>> apply_corrections({"a": [1, 2, 3]}, {"a[0]": None, "a[2]": 9, "a[+1]": 7})
    {'a': [7, 2, 9]}
    """
    result = copy.deepcopy(document)
    edits = [(path, *_parse(path), value) for path, value in corrections.items()]
    # First replacements; then removals and insertions from the end, which shift only lines that are done.
    for path, steps, inserts, value in sorted(edits, key=lambda edit: _order(edit[1])):
        if not _shifts_lines(steps, inserts, value):
            _set(result, path, steps, value)
    for path, steps, inserts, value in sorted(
        edits, key=lambda edit: (_order(edit[1]), not edit[2]), reverse=True
    ):
        if not _shifts_lines(steps, inserts, value):
            continue
        items = _list_at(result, path, steps)
        if inserts:
            items.insert(int(steps[-1]), value)
        elif int(steps[-1]) < len(items):
            del items[int(steps[-1])]
        else:
            raise EditError(f"{path!r}: there is no such line")
    return result


def _shifts_lines(steps: list[Step], inserts: bool, value: Any) -> bool:
    """Whether the edit changes the indices of later lines."""
    return inserts or (value is None and isinstance(steps[-1], int))


def _parse(path: str) -> tuple[list[Step], bool]:
    steps: list[Step] = []
    inserts, position = False, 0
    while position < len(path):
        match = _STEP.match(path, position)
        if not match or inserts or (position == 0 and path[0] in ".["):
            raise EditError(f"{path!r} is not a path such as vendor.name or line_items[2].quantity")
        name, plus, number = match.groups()
        steps.append(name or int(number))
        inserts = plus == "+"
        position = match.end()
    if not steps:
        raise EditError("a path is empty")
    return steps, inserts


def _order(steps: list[Step]) -> list[tuple[str, int]]:
    return [(step, 0) if isinstance(step, str) else ("", step) for step in steps]


def _set(document: Any, path: str, steps: list[Step], value: Any) -> None:
    parent = document
    for step, following in pairwise(steps):
        empty: Any = [] if isinstance(following, int) else {}
        _check_step(parent, step, path)
        if isinstance(parent, list) and step == len(parent):
            parent.append(empty)
        elif isinstance(parent, dict) and parent.get(str(step)) is None:
            if value is None:
                return  # the field to remove does not exist
            parent[str(step)] = empty
        parent = parent[step]
    last = steps[-1]
    _check_step(parent, last, path)
    if isinstance(parent, list) and last == len(parent):
        parent.append(value)
    elif value is None:
        parent.pop(last, None)
    else:
        parent[last] = value


def _check_step(parent: Any, step: Step, path: str) -> None:
    if isinstance(step, str) and not isinstance(parent, dict):
        raise EditError(f"{path!r}: there is no object with {step!r}")
    if isinstance(step, int) and not (isinstance(parent, list) and step <= len(parent)):
        size = len(parent) if isinstance(parent, list) else 0
        raise EditError(f"{path!r}: there is no position {step} in a list of {size}")


def _list_at(document: Any, path: str, steps: list[Step]) -> list[Any]:
    parent = document
    for step in steps[:-1]:
        _check_step(parent, step, path)
        try:
            parent = parent[step]
        except (KeyError, IndexError):
            raise EditError(f"{path!r}: there is no {step!r}") from None
    _check_step(parent, steps[-1], path)
    assert isinstance(parent, list)
    return parent
