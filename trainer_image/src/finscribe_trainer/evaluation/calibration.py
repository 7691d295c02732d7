"""Calibrates a model's confidence on documents with known answers: the format of calibration.json."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from scipy.optimize import minimize

from finscribe_core.atomic_files import write_atomically
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.documents.paths import field_of, leaves
from finscribe_trainer.evaluation.confidence import is_document
from finscribe_trainer.evaluation.results import DataInfo, DocumentResult, Results
from finscribe_trainer.metrics.alignment import field_pairs
from finscribe_trainer.metrics.answer_parsing import parse_answer
from finscribe_trainer.metrics.straight_through import (
    PRECISIONS,
    RISK,
    Share,
    Threshold,
    choose_threshold,
    documents_needed,
    share,
)

CALIBRATION_FILE = "calibration.json"
"""Name of the file beside an adapter's weights."""
VERSION = 1
_LOWEST = 1e-12


@dataclass(frozen=True)
class Curve:
    """A map from the model's probability of an answer to that of its being right (Platt 1999)."""

    slope: float
    intercept: float

    def __call__(self, probability: float) -> float:
        """The calibrated probability."""
        return (1 + math.tanh((self.slope * _logit(probability) + self.intercept) / 2)) / 2


@dataclass(frozen=True)
class Calibration:
    """The whole of calibration.json."""

    version: int
    data: DataInfo
    """The validation documents."""
    risk: float
    """Largest probability that a threshold's promise is broken."""
    right: Share
    """Documents with an answer that is right in every value."""
    expects_json: bool
    """Whether answers that are no strict JSON, or contradict themselves, have the confidence 0."""
    document: Curve | None
    """None when all documents are right, or none is."""
    field: Curve | None
    thresholds: tuple[Threshold, ...]
    """By precision; without those that no threshold reaches."""

    def threshold(self, precision: float) -> Threshold | None:
        """The threshold that promises a precision."""
        return next((found for found in self.thresholds if found.precision == precision), None)

    def why_no_threshold(self, precision: float) -> str:
        """Why there is no threshold for a precision, as a clause."""
        count, needed = self.right.documents, documents_needed(precision)
        if count < needed:
            return f"it needs at least {needed} answered validation documents; you have {count}"
        return f"no threshold reaches it; {self.right.count} of {count} validation documents are right"


@dataclass(frozen=True)
class StraightThrough:
    """What a threshold does on documents: how many need no human, and how many of these are right."""

    precision: float
    accepted: Share
    """Of all documents."""
    right: Share
    """Of the accepted ones."""


def calibrate(results: Results) -> Calibration:
    """Calibrate on a model's answers to documents that it was not trained on."""
    records = [record for record in results.documents if record.confidence is not None]
    confidences = [record.confidence or 0.0 for record in records]
    right = [is_right(record) for record in records]
    found = (choose_threshold(confidences, right, precision) for precision in PRECISIONS)
    fields = [pair for record in records for pair in _fields(record)]
    return Calibration(
        VERSION,
        results.data,
        RISK,
        share(sum(right), len(right)),
        all(is_document(record.gold) for record in records),
        fit_curve([pair for pair in zip(confidences, right, strict=True) if pair[0] > 0]),
        fit_curve(fields),
        tuple(threshold for threshold in found if threshold),
    )


def is_right(record: DocumentResult) -> bool:
    """Whether no value of the answer is missing, wrong or invented."""
    return not record.score.errors


def straight_through(calibration: Calibration, results: Results) -> tuple[StraightThrough, ...]:
    """What each threshold of a calibration does on the documents of these results."""
    found = []
    for precision in PRECISIONS:
        threshold = calibration.threshold(precision)
        accepted = [
            record for record in results.documents if threshold and (record.confidence or 0) > threshold.above
        ]
        found.append(
            StraightThrough(
                precision,
                share(len(accepted), len(results.documents)),
                share(sum(map(is_right, accepted)), len(accepted)),
            )
        )
    return tuple(found)


def fit_curve(pairs: Iterable[tuple[float, bool]]) -> Curve | None:
    """Fit a logistic curve to (probability, right); None if all are right, or none is.

    The targets are Platt's, which keep few documents from giving a certainty.
    """
    rows = list(pairs)
    positive = sum(right for _, right in rows)
    if positive in (0, len(rows)):
        return None
    x = np.array([_logit(probability) for probability, _ in rows])
    high, low = (positive + 1) / (positive + 2), 1 / (len(rows) - positive + 2)
    target = np.where([right for _, right in rows], high, low)

    def loss(parameters: npt.NDArray[np.float64]) -> float:
        z = parameters[0] * x + parameters[1]
        return float((np.logaddexp(0, z) - target * z).sum())

    slope, intercept = minimize(loss, (1.0, 0.0), bounds=((0, None), (None, None))).x
    return Curve(float(slope), float(intercept))


def _logit(probability: float) -> float:
    clipped = min(max(probability, _LOWEST), 1 - _LOWEST)
    return math.log(clipped) - math.log1p(-clipped)


def _fields(record: DocumentResult) -> Iterator[tuple[float, bool]]:
    """(probability, right) of each field of an answer, paired as in the field F1."""
    gold = Counter(field_pairs(parse_answer(record.gold).value))
    for path, value in leaves(parse_answer(record.predicted).value):
        pair = (f".{field_of(path)}", value)
        right = gold[pair] > 0
        gold[pair] -= right
        if path in record.field_confidences:
            yield record.field_confidences[path], right


_CALIBRATION: TypeAdapter[Calibration] = TypeAdapter(Calibration)


def write_calibration(calibration: Calibration, folder: Path) -> None:
    """Write calibration.json to an adapter's folder."""
    write_atomically(folder / CALIBRATION_FILE, _CALIBRATION.dump_json(calibration, indent=2) + b"\n")


def read_calibration(folder: Path) -> Calibration | None:
    """Read calibration.json in a model's folder; None when there is none.

    Raises:
        UserError: InvalidConfig when it is damaged or of another version.
    """
    path = folder / CALIBRATION_FILE
    if not path.is_file():
        return None
    try:
        found = _CALIBRATION.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"
    else:
        if found.version == VERSION:
            return found
        problem = f"its version is {found.version}, not {VERSION}"
    raise UserError(
        FailureReason.InvalidConfig,
        f"{path} can't be used: {problem}.",
        "Restore the file, or remove it to read documents without a calibrated confidence.",
    )
