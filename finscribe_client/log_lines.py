"""Makes the trainer's log readable: its JSON lines as text; and reads the losses that they report."""

import ast
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from finscribe_core.texts import printable

_SHOWN_ELSEWHERE = {"time", "level", "logger", "message", "job", "run", "exception"}


def readable(line: str) -> str:
    """A line of a log as text; one that is not JSON as it is, without terminal escapes.

    >>> readable('{"time": "x", "level": "info", "logger": "a", "message": "done", "step": 3}')
    'x INFO    done step=3'
    >>> readable("not JSON")
    'not JSON'
    """
    record = _parse(line)
    if record is None:
        return printable(line)
    extra = "".join(f" {key}={value}" for key, value in record.items() if key not in _SHOWN_ELSEWHERE)
    text = f"{_local_time(str(record['time']))} {str(record['level']).upper():7} {record['message']}{extra}"
    return printable("\n".join(filter(None, [text, str(record.get("exception", ""))])))


@dataclass(frozen=True)
class LossPoint:
    """Losses at one step, as far as they were reported there."""

    step: int
    loss: float | None
    eval_loss: float | None


def read_losses(lines: Iterable[str]) -> list[LossPoint]:
    """The losses in a log of JSON lines, in the order of their steps; the last report of a step counts."""
    found: dict[int, LossPoint] = {}
    for record in filter(None, map(_parse, lines)):
        values = _values(str(record["message"]))
        step = record.get("step")
        if not isinstance(step, int) or not values.keys() & {"loss", "eval_loss"}:
            continue
        before = found.get(step, LossPoint(step, None, None))
        found[step] = LossPoint(
            step, values.get("loss", before.loss), values.get("eval_loss", before.eval_loss)
        )
    return [found[step] for step in sorted(found)]


def _values(message: str) -> dict[str, float]:
    """The metrics of a message such as "{'loss': 2.345, 'epoch': 1.0}"; none of another one."""
    if not message.startswith("{'"):
        return {}
    try:
        values = ast.literal_eval(message)
    except (ValueError, SyntaxError):
        return {}  # nan and inf are no literals
    return {key: float(value) for key, value in values.items() if isinstance(value, int | float)}


def _parse(line: str) -> dict[str, Any] | None:
    """The record of a line that the trainer's JsonFormatter wrote; None for another line."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and {"time", "level", "message"} <= record.keys() else None


def _local_time(time: str) -> str:
    try:
        then = datetime.fromisoformat(time.replace("Z", "+00:00"))
    except ValueError:
        return time
    return then.astimezone().strftime("%H:%M:%S")
