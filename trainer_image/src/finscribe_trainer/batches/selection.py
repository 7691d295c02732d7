"""Excludes rows that are longer than max_sequence_length, and rejects those that the model can't take."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.batches.augmentation.geometry import scaled_size
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.row_problems import MAX_LISTED, RowProblems
from finscribe_trainer.data.splits import Splits

if TYPE_CHECKING:
    from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


def select_rows(
    splits: Splits, family: "Family", max_tokens: int, scales: Collection[float] = (1.0,)
) -> Splits:
    """Exclude training and validation rows that are too long, and log them.

    Test rows are kept whatever their length: inference takes less memory than training, and metrics without
    the longest documents would be biased.

    Args:
        splits: validated rows.
        family: counts tokens.
        max_tokens: limit for prompt and answer together.
        scales: scales of the training images; the one with the most tokens counts.

    Raises:
        UserError: DatasetInvalid when no row is left, or the model can't take one (`check_prompts`).
    """
    check_prompts([*splits.train, *splits.validation, *(splits.test or [])], family)
    train, lengths, long_train = _fitting(splits.train, family, max_tokens, scales)
    validation, _, long_validation = _fitting(splits.validation, family, max_tokens)
    _report([*long_train, *long_validation], max_tokens)
    for name, kept in (("training", train), ("validation", validation)):
        if not kept:
            raise UserError(
                FailureReason.DatasetInvalid,
                f"Every {name} row is longer than max_sequence_length = {max_tokens} tokens.",
                "Raise training.max_sequence_length, or use smaller images or shorter texts.",
            )
    return replace(
        splits,
        train=train,
        validation=validation,
        num_excluded=len(long_train) + len(long_validation),
        train_lengths=lengths,
    )


def check_prompts(examples: Sequence[Example], family: "Family") -> None:
    """Reject rows whose prompt or answer the model can't take, and log those that lose a message.

    Raises:
        UserError: DatasetInvalid, naming the rows.
    """
    from finscribe_trainer.model.families.prompt_check import DROPPED, prompt_problems  # noqa: PLC0415 - torch

    problems, dropped = RowProblems(), RowProblems()
    for example in examples:
        for problem in prompt_problems(example.row, family):
            found = dropped if problem.rule == DROPPED else problems
            found.add(example.where, problem.message)
    problems.raise_if_any()
    if dropped.count:
        log.warning("%d rows lose a message; the first: %s", dropped.count, dropped.listed[0])


def _fitting(
    examples: list[Example], family: "Family", max_tokens: int, scales: Collection[float] = (1.0,)
) -> tuple[list[Example], tuple[int, ...], list[tuple[Example, int]]]:
    counted = [
        (example, max(family.count_tokens(_at_scale(example, scale)) for scale in scales))
        for example in examples
    ]
    kept = [(example, count) for example, count in counted if count <= max_tokens]
    too_long = [(example, count) for example, count in counted if count > max_tokens]
    return [example for example, _ in kept], tuple(count for _, count in kept), too_long


def _at_scale(example: Example, scale: float) -> Example:
    return replace(example, sizes=tuple(scaled_size(size, scale) for size in example.sizes))


def _report(too_long: list[tuple[Example, int]], max_tokens: int) -> None:
    for example, count in too_long[:MAX_LISTED]:
        log.warning(
            "%s: excluded: %d tokens, more than max_sequence_length = %d", example.where, count, max_tokens
        )
    if too_long:
        log.warning("%d rows are longer than max_sequence_length and were excluded", len(too_long))
