"""The two sides of a comparison: a model that reads now, or results of an earlier reading."""

import logging
from dataclasses import dataclass
from pathlib import Path

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.evaluation.compare import Comparison, compare, refuse_different
from finscribe_trainer.evaluation.results import Results, read_results
from finscribe_trainer.evaluation.test_set import TestSet, load_test_set

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Side:
    """A model, or a results file; a user names one of them."""

    option: str
    """Start of its options: `baseline` or `finetuned`."""
    model: str | None
    results: Path | None
    output: Path
    """Results file that a reading writes."""
    base_model: str | None = None
    """The adapter's base, where the adapter names another."""


@dataclass(frozen=True)
class Reading:
    """What models read, and how; without meaning when both sides are results."""

    source: str | None
    limit: int | None
    batch_size: int
    max_new_tokens: int | None


def compare_sides(base: Side, tuned: Side, reading: Reading) -> Comparison:
    """Let the sides that are models read, base first, and compare.

    The tuned model's answers get the base model's limit: two tokenizers would count two limits.

    Raises:
        UserError: options that contradict each other, and whatever a reading or `compare` raises.
    """
    _check(base, tuned, reading)
    before, after = (read_results(side.results) if side.results else None for side in (base, tuned))
    if before is None or after is None:
        assert reading.source is not None
        test_set = load_test_set(reading.source, reading.limit, base.output)
        limit = reading.max_new_tokens
        known = before or after
        if known is not None:
            # Said before hours of reading.
            refuse_different((known.data, known.settings), (test_set.info, known.settings))
            limit = limit or known.settings.max_new_tokens
        before = before or _read(base, test_set, reading, limit)
        after = after or _read(tuned, test_set, reading, limit or before.settings.max_new_tokens)
    return compare(before, after)


def _read(side: Side, test_set: TestSet, reading: Reading, limit: int | None) -> Results:
    # torch takes seconds to import: a mistake in options, results or rows is said before.
    from finscribe_trainer.evaluation.evaluate import evaluate_into  # noqa: PLC0415

    assert side.model is not None
    log.info("%s model: %s", side.option, side.model)
    return evaluate_into(side.output, side.model, side.base_model, test_set, reading.batch_size, limit)


def _check(base: Side, tuned: Side, reading: Reading) -> None:
    for side in (base, tuned):
        if (side.model is None) == (side.results is None):
            raise _contradiction(
                f"--{side.option}-model {'or' if side.model is None else 'and'} --{side.option}-results "
                f"{'is missing' if side.model is None else 'are both given'}.",
                "Name one of them.",
            )
    models = [side for side in (base, tuned) if side.model is not None]
    if models and reading.source is None:
        raise _contradiction("--test-dir is missing.", "Name the documents that the models are to read.")
    if not models and (reading.source or reading.limit or reading.max_new_tokens):
        raise _contradiction(
            "--test-dir, --limit and --max-new-tokens have no meaning when both sides are results.",
            "Leave them out.",
        )
    if tuned.base_model is not None and tuned.model is None:
        raise _contradiction("--base-model has no meaning without --finetuned-model.", "Leave it out.")


def _contradiction(message: str, remedy: str) -> UserError:
    return UserError(FailureReason.InvalidConfig, message, remedy)
