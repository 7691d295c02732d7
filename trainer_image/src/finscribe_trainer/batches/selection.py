"""Excludes rows with too many tokens or pages, and rejects those that the model can't take."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.batches.augmentation.geometry import scaled_size
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.row_problems import MAX_LISTED, RowProblems
from finscribe_trainer.data.splits import Splits

if TYPE_CHECKING:
    from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RowLimits:
    """What training and validation rows may have at most."""

    tokens: int
    """Prompt and answer together: max_sequence_length."""
    pages: int | None = None
    """Images: max_pages."""

    def excess(self, example: Example, num_tokens: int) -> str | None:
        """What a row has more of than it may."""
        if self.pages is not None and len(example.images) > self.pages:
            return f"{len(example.images)} pages, more than max_pages = {self.pages}"
        if num_tokens > self.tokens:
            return f"{num_tokens} tokens, more than max_sequence_length = {self.tokens}"
        return None


def select_rows(
    splits: Splits, family: "Family", limits: RowLimits, scales: Collection[float] = (1.0,)
) -> Splits:
    """Exclude training and validation rows that are beyond the limits, and log them.

    Test rows are kept whatever their length: inference takes less memory than training, and metrics without
    the longest documents would be biased.

    Args:
        splits: validated rows.
        family: counts tokens.
        limits: of each row.
        scales: scales of the training images; the one with the most tokens counts.

    Raises:
        UserError: DatasetInvalid when no row is left, or the model can't take one (`check_prompts`).
    """
    check_prompts([*splits.train, *splits.validation, *(splits.test or [])], family)
    train, lengths, long_train = _fitting(splits.train, family, limits, scales)
    validation, _, long_validation = _fitting(splits.validation, family, limits)
    _report([*long_train, *long_validation])
    for name, kept in (("training", train), ("validation", validation)):
        if not kept:
            raise UserError(
                FailureReason.DatasetInvalid,
                f"Every {name} row is longer than max_sequence_length = {limits.tokens} tokens"
                + (f", or has more than max_pages = {limits.pages} pages." if limits.pages else "."),
                "Raise training.max_sequence_length, or use smaller images, fewer pages or shorter texts.",
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
    examples: list[Example], family: "Family", limits: RowLimits, scales: Collection[float] = (1.0,)
) -> tuple[list[Example], tuple[int, ...], list[tuple[Example, str]]]:
    """The rows within the limits with their numbers of tokens, and the others with what is too much."""
    kept, lengths, beyond = [], [], []
    for example in examples:
        length = max(family.count_tokens(_at_scale(example, scale)) for scale in scales)
        if excess := limits.excess(example, length):
            beyond.append((example, excess))
        else:
            kept.append(example)
            lengths.append(length)
    return kept, tuple(lengths), beyond


def _at_scale(example: Example, scale: float) -> Example:
    return replace(example, sizes=tuple(scaled_size(size, scale) for size in example.sizes))


def _report(beyond: list[tuple[Example, str]]) -> None:
    for example, excess in beyond[:MAX_LISTED]:
        log.warning("%s: excluded: %s", example.where, excess)
    if beyond:
        log.warning("%d rows have too many tokens or pages and were excluded", len(beyond))
