"""What is written of each document: the answer with its confidence and problems, or an error."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from finscribe_trainer.data_tools.validate.answers import AnswerCheck
from finscribe_trainer.documents.numbers import dump_json, load_json
from finscribe_trainer.documents.problems import Problem
from finscribe_trainer.evaluation.generation import Answer
from finscribe_trainer.metrics.answer_parsing import parse_answer
from finscribe_trainer.prediction.confidence import field_confidences

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

    @property
    def least_confident(self) -> float:
        """The lowest confidence of its fields; 0 without an answer."""
        return min(self.confidence.values(), default=0.0) if self.answer is not None else 0.0


def to_prediction(name: str, answer: Answer, check: AnswerCheck, model: str, document: str) -> Prediction:
    """The record of a generated answer."""
    parsed = parse_answer(answer.text)
    usable = parsed.readable and isinstance(parsed.raw, dict | list)
    confidence = field_confidences(answer.text, parsed, answer.scored_tokens) if usable else {}
    return Prediction(
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
    )


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
        confidence = {path: float(number) for path, number in value["confidence"].items()}
        problems = [Problem(**problem) for problem in value["problems"]]
        return Prediction(**{**value, "confidence": confidence, "problems": problems})
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
    return found
