"""Writes predictions as JSON lines, as one JSON document, or as a table with a row for each field."""

import csv
import io
from collections.abc import Iterable, Iterator
from enum import StrEnum

from finscribe_trainer.documents.numbers import dump_json
from finscribe_trainer.documents.paths import leaves
from finscribe_trainer.prediction.records import Prediction, to_line

_COLUMNS = ("file", "field", "value", "confidence", "problem", "calibrated", "needs_review")


class Format(StrEnum):
    """A format of the output."""

    jsonl = "jsonl"
    json = "json"
    csv = "csv"


def render(predictions: Iterable[Prediction], chosen: Format) -> bytes:
    """The content of a file in a format."""
    if chosen is Format.csv:
        return _table(predictions).encode("utf-8", "backslashreplace")
    lines = [to_line(prediction) for prediction in predictions]
    if chosen is Format.json:
        return b"[\n" + b",\n".join(line.rstrip(b"\n") for line in lines) + b"\n]\n"
    return b"".join(lines)


def _table(predictions: Iterable[Prediction]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for prediction in predictions:
        table.writerows(_rows(prediction))
    return text.getvalue()


def _rows(prediction: Prediction) -> Iterator[tuple[str, ...]]:
    """A row for each field; one without a field for an error, no JSON, or a problem of a missing field."""
    review = "" if prediction.needs_review is None else str(prediction.needs_review).lower()
    if prediction.error is not None:
        yield prediction.file, "", "", "", prediction.error, "", review
    elif prediction.answer is None:
        yield prediction.file, "", prediction.text or "", "", "the answer is no JSON", "", review
    problems: dict[str, list[str]] = {}
    for problem in prediction.problems:
        problems.setdefault(problem.path, []).append(problem.message)
    for path, value in leaves(prediction.answer):
        text = value if isinstance(value, str) else dump_json(value)
        confidence, calibrated = (
            "" if (found := numbers.get(path)) is None else f"{found:.4f}"
            for numbers in (prediction.confidence, prediction.calibrated)
        )
        wrong = "; ".join(problems.pop(path, []))
        yield prediction.file, path, text, confidence, wrong, calibrated, review
    for path, messages in problems.items():
        yield prediction.file, path, "", "", "; ".join(messages), "", review
