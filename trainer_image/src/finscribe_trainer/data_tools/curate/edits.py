"""Applies a reviewer's corrections, given by path, to a predicted document."""

import copy
import re
from itertools import pairwise
from typing import Any

_STEP = re.compile(r"\.?([A-Za-z_]\w*)|\[(\+?)([0-9]{1,6})\]")
Step = str | int


class EditError(ValueError):
    """A correction can't be applied; the message names its path."""


def apply_corrections(document: Any, corrections: dict[str, Any]) -> Any:
    """The document with every correction made; the given one is left as it is.

    Positions are those of the prediction, as the reviewer saw it, whatever other corrections do:

    - `vendor.name`, `line_items[2].quantity`, `line_items[2]`: the value replaces what is there;
    - the same with null: the field, or the line, is removed;
    - `line_items[3]` of a list of three: appended;
    - `line_items[+1]`: inserted before line 1.

    Raises:
        EditError: a path is none, or leads nowhere.

    >>> apply_corrections({"a": [1, 2, 3]}, {"a[0]": None, "a[2]": 9, "a[+1]": 7})
    {'a': [7, 2, 9]}
    """
    result = copy.deepcopy(document)
    edits = [(path, *_parse(path), value) for path, value in corrections.items()]
    # What moves no other line first; then removals and insertions from the end on, each before the moves.
    for path, steps, inserts, value in sorted(edits, key=lambda edit: _order(edit[1])):
        if not _moves(steps, inserts, value):
            _set(result, path, steps, value)
    for path, steps, inserts, value in sorted(
        edits, key=lambda edit: (_order(edit[1]), not edit[2]), reverse=True
    ):
        if not _moves(steps, inserts, value):
            continue
        items = _list_at(result, path, steps)
        if inserts:
            items.insert(int(steps[-1]), value)
        elif int(steps[-1]) < len(items):
            del items[int(steps[-1])]
        else:
            raise EditError(f"{path!r}: there is no such line")
    return result


def _moves(steps: list[Step], inserts: bool, value: Any) -> bool:
    """Whether lines behind it get other positions."""
    return inserts or (value is None and isinstance(steps[-1], int))


def _parse(path: str) -> tuple[list[Step], bool]:
    steps: list[Step] = []
    inserts, position = False, 0
    while position < len(path):
        match = _STEP.match(path, position)
        if not match or inserts or (position == 0 and path[0] in ".["):
            raise EditError(f"{path!r} is no path such as vendor.name or line_items[2].quantity")
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
    holder = document
    for step, following in pairwise(steps):
        empty: Any = [] if isinstance(following, int) else {}
        _reach(holder, step, path)
        if isinstance(holder, list) and step == len(holder):
            holder.append(empty)
        elif isinstance(holder, dict) and holder.get(str(step)) is None:
            if value is None:
                return  # what is to be removed is not there
            holder[str(step)] = empty
        holder = holder[step]
    last = steps[-1]
    _reach(holder, last, path)
    if isinstance(holder, list) and last == len(holder):
        holder.append(value)
    elif value is None:
        holder.pop(last, None)
    else:
        holder[last] = value


def _reach(holder: Any, step: Step, path: str) -> None:
    if isinstance(step, str) and not isinstance(holder, dict):
        raise EditError(f"{path!r}: there is no object that could hold {step!r}")
    if isinstance(step, int) and not (isinstance(holder, list) and step <= len(holder)):
        size = len(holder) if isinstance(holder, list) else 0
        raise EditError(f"{path!r}: there is no position {step} in a list of {size}")


def _list_at(document: Any, path: str, steps: list[Step]) -> list[Any]:
    holder = document
    for step in steps[:-1]:
        _reach(holder, step, path)
        try:
            holder = holder[step]
        except (KeyError, IndexError):
            raise EditError(f"{path!r}: there is no {step!r}") from None
    _reach(holder, steps[-1], path)
    assert isinstance(holder, list)
    return holder
