"""What is written of each document: the answer with its confidence and problems, or an error."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.evaluation.calibration import Calibration
from finscribe_trainer.evaluation.confidence import document_confidence, field_confidences
from finscribe_trainer.evaluation.generation import Answer
from finscribe_trainer.metrics.answer_parsing import parse_answer

_DIGITS = 4
"""Decimals of a confidence."""


@dataclass(frozen=True)
class Prediction:
    """One document's answer, or the error because of which there is none."""

    file: str
    """The document's name: see `Document`."""
    answer: Any = None
    """The JSON value, after repair if needed; None when the answer is no JSON."""
    confidence: dict[str, float] = field(default_factory=dict)
    """See `field_confidences`."""
    problems: list[Problem] = field(default_factory=list)
    """Violations of the schema, and sums that are wrong."""
    repaired: bool = False
    """Whether the answer was no strict JSON, but could be repaired."""
    cut_off: bool = False
    """Whether it reached --max-new-tokens before its end."""
    text: str | None = None
    """What the model wrote, unless it is strict JSON."""
    error: str | None = None
    """Why the document could not be read."""
    tokens: int = 0
    """Number of tokens of the answer."""
    model: str = ""
    """SHA-256 of the model's files."""
    document: str = ""
    """SHA-256 of the prompt and the images."""
    probability: float | None = None
    """The probability that the model gives to the whole answer: see `document_confidence`."""
    calibrated: dict[str, float] = field(default_factory=dict)
    """The calibrated confidence of each field; empty for a model without calibration."""
    document_confidence: float | None = None
    """The calibrated probability that all values are right; None for a model without calibration."""
    needs_review: bool | None = None
    """Whether a human has to look at it; None for a model without calibration."""

    @property
    def least_confident(self) -> float:
        """The lowest confidence of its fields; 0 without an answer."""
        return min(self.confidence.values(), default=0.0) if self.answer is not None else 0.0


@dataclass(frozen=True)
class Review:
    """By which a human has to look at an answer or not."""

    calibration: Calibration
    precision: float
    """The share of right documents, among those that nobody looks at, that is asked for."""


def reviewed(prediction: Prediction, review: Review | None) -> Prediction:
    """The prediction with its calibrated confidence, and whether it needs review."""
    if review is None:
        return replace(prediction, calibrated={}, document_confidence=None, needs_review=None)
    calibration, probability = review.calibration, prediction.probability or 0.0
    threshold = calibration.threshold(review.precision)
    passes = threshold is not None and probability > threshold.above and not prediction.problems
    return replace(
        prediction,
        calibrated={
            path: round(calibration.field(value), _DIGITS) for path, value in prediction.confidence.items()
        }
        if calibration.field
        else {},
        document_confidence=(
            round(calibration.document(probability) if probability else 0.0, _DIGITS)
            if calibration.document
            else None
        ),
        needs_review=not passes,
    )


def to_prediction(
    name: str, answer: Answer, check: AnswerCheck, model: str, document: str, review: Review | None = None
) -> Prediction:
    """The record of a generated answer."""
    parsed = parse_answer(answer.text)
    usable = parsed.readable and isinstance(parsed.raw, dict | list)
    confidence = field_confidences(answer.text, parsed, answer.scored_tokens) if usable else {}
    expects_json = review is None or review.calibration.expects_json
    prediction = Prediction(
        file=name,
        answer=parsed.raw if usable else None,
        confidence={path: round(value, _DIGITS) for path, value in confidence.items()},
        problems=check.check(dump_json(parsed.raw))[1] if usable else [],
        repaired=usable and not parsed.strict,
        cut_off=answer.cut_off,
        text=None if usable and parsed.strict else answer.text,
        tokens=answer.tokens,
        model=model,
        document=document,
        probability=document_confidence(
            parsed, answer.scored_tokens, cut_off=answer.cut_off, expects_json=expects_json
        ),
    )
    return reviewed(prediction, review)


def to_line(prediction: Prediction) -> bytes:
    """The record as a line of JSON."""
    # A model's JSON may contain an escaped lone surrogate: it stays escaped.
    return dump_json(asdict(prediction)).encode("utf-8", "backslashreplace") + b"\n"


def from_line(line: bytes) -> Prediction:
    """The record in a line.

    Raises:
        ValueError: it is none.
    """
    value = load_json(line.decode())
    try:
        confidence, calibrated = (
            {path: float(number) for path, number in value.get(key, {}).items()}
            for key in ("confidence", "calibrated")
        )
        single = {
            key: None if value.get(key) is None else float(value[key])
            for key in ("probability", "document_confidence")
        }
        problems = [Problem(**problem) for problem in value["problems"]]
        known = {"confidence": confidence, "calibrated": calibrated, "problems": problems}
        return Prediction(**{**value, **single, **known})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError("not a prediction") from error


def counts(predictions: Iterable[Prediction]) -> Counter[str]:
    """How many documents there are of each kind, for the summary."""
    found: Counter[str] = Counter()
    for prediction in predictions:
        found["documents"] += 1
        found["with an error"] += prediction.error is not None
        found["without JSON"] += prediction.error is None and prediction.answer is None
        found["repaired"] += prediction.repaired
        found["cut off"] += prediction.cut_off
        found["with problems"] += bool(prediction.problems)
        found["that need no review"] += prediction.needs_review is False
    return found
