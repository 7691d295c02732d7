"""Holds out a share of the training rows for validation; rows of the same document stay together."""

import random
from collections import defaultdict

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.data.dataset import Example
from finscribe_trainer.data.same_document import Groups, document_keys


def hold_out(examples: list[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Split into training and validation examples; the same seed and rows give the same split.

    At most `share` of the rows are held out, or one document if its rows are more than that.

    Raises:
        UserError: DatasetInvalid when all rows show the same document, or there is only one.
    """
    groups = _groups(examples)
    if len(groups) < 2:
        what = "the only row" if len(examples) == 1 else f"the document that all {len(examples)} rows show"
        raise UserError(
            FailureReason.DatasetInvalid,
            f"{examples[0].where}: {what} can't be used for both training and validation.",
            "Add rows of other documents, or name a validation file.",
        )
    count = max(1, round(share * len(examples)))
    order = random.Random(seed).sample(  # noqa: S311 - a split, not a secret
        range(len(groups)), min(count, len(groups) - 1)
    )
    chosen: set[int] = set()
    for index in order:
        if len(chosen) + len(groups[index]) <= count:
            chosen.update(groups[index])
    chosen = chosen or set(groups[min(order, key=lambda index: len(groups[index]))])
    kept = [example for i, example in enumerate(examples) if i not in chosen]
    return kept, [examples[i] for i in sorted(chosen)]


def _groups(examples: list[Example]) -> list[list[int]]:
    """The indices of the rows of each document."""
    groups = Groups()
    for example in examples:
        groups.add(document_keys(example.row, example.image_hashes))
    rows = defaultdict(list)
    for index, first in enumerate(groups.first_rows()):
        rows[first].append(index)
    return list(rows.values())
