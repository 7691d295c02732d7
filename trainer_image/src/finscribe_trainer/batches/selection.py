"""Which checked rows are trained on: those whose tokens fit, and whose texts hold no reserved token."""

import logging
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.batches.augmentation.placement import scaled
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.row_problems import MAX_SHOWN, Findings
from finscribe_trainer.data.splits import Splits

if TYPE_CHECKING:
    from finscribe_trainer.model.families.base import Family

log = logging.getLogger(__name__)


def select(splits: Splits, family: "Family", max_tokens: int, scales: Collection[float] = (1.0,)) -> Splits:
    """Leave out, and report, the rows that are too long to be trained on, or to be judged by while training.

    Test rows stay, however long: reading takes less memory than training, and figures without the longest
    documents would flatter.

    Args:
        splits: checked rows.
        family: counts tokens.
        max_tokens: of prompt and answer together.
        scales: of width and height of training images; the one with the most tokens counts.

    Raises:
        UserError: DatasetInvalid when nothing is left, or texts hold tokens that are the model's own.
    """
    refuse_reserved_tokens([*splits.train, *splits.validation, *(splits.test or [])], family)
    train, lengths, long_train = _fitting(splits.train, family, max_tokens, scales)
    validation, _, long_validation = _fitting(splits.validation, family, max_tokens)
    _report([*long_train, *long_validation], max_tokens)
    for name, kept in (("training", train), ("validation", validation)):
        if not kept:
            raise UserError(
                FailureReason.DatasetInvalid,
                f"Every {name} row is longer than maxSequenceLength = {max_tokens} tokens.",
                "Raise training.maxSequenceLength, or use smaller images or shorter texts.",
            )
    return replace(
        splits,
        train=train,
        validation=validation,
        num_excluded=len(long_train) + len(long_validation),
        train_lengths=lengths,
    )


def refuse_reserved_tokens(examples: list[Example], family: "Family") -> None:
    """Refuse rows whose texts hold tokens that are the model's own.

    Raises:
        UserError: DatasetInvalid, naming every row.
    """
    findings = Findings()
    for example in examples:
        _check_reserved(example, family, findings)
    findings.raise_if_any()


def _check_reserved(example: Example, family: "Family", findings: Findings) -> None:
    row = example.row
    text = "\n".join((*(turn.text for turn in row.turns), row.completion))
    for token in dict.fromkeys(family.reserved_tokens):
        if token in text:
            findings.add(example.where, f"a text holds {token!r}, which means something else to the model")


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
    return replace(example, sizes=tuple(scaled(size, scale) for size in example.sizes))


def _report(too_long: list[tuple[Example, int]], max_tokens: int) -> None:
    for example, count in too_long[:MAX_SHOWN]:
        log.warning(
            "%s: left out: %d tokens, more than maxSequenceLength = %d", example.where, count, max_tokens
        )
    if too_long:
        log.warning("%d rows are longer than maxSequenceLength and left out", len(too_long))
