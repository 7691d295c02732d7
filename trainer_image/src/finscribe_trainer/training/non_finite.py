"""Stops on a NaN or infinite loss or gradient and reports the samples."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch

from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.batches.oom_retry import slice_rows
from finscribe_trainer.data.row_problems import MAX_LISTED
from finscribe_trainer.model.batch import ROW_LOCATION, Encoded

LossOf = Callable[[Encoded], torch.Tensor]


def non_finite_error(what: str, step: int, rows: list[str]) -> UserError:
    """The error for a value that became NaN or infinite.

    Args:
        what: the value: a loss, the gradient.
        step: the optimizer step, from 1.
        rows: file and line of the rows whose own value is NaN or infinite.
    """
    named = f"{', '.join(rows[:MAX_LISTED])}{' ...' if len(rows) > MAX_LISTED else ''}"
    cause = f"caused by {named}" if rows else "no single row causes it"
    return UserError(
        FailureReason.NonFiniteLoss,
        f"{what[0].upper()}{what[1:]} became NaN or infinite at step {step}; {cause}. Checkpoints saved "
        "before are kept, each with the best adapter until then.",
        "Check this row."
        if len(rows) == 1
        else "Lower training.learning_rate (to a tenth, say), or raise warmup_ratio; then check the rows.",
    )


@torch.no_grad()
def rows_with_non_finite_loss(batches: Iterable[Encoded], loss_of: LossOf) -> list[str]:
    """File and line of the rows whose own loss is NaN or infinite."""
    return [where for where, row in _single_rows(batches) if not torch.isfinite(loss_of(row))]


def rows_with_non_finite_gradient(model: Any, batches: Iterable[Encoded], loss_of: LossOf) -> list[str]:
    """File and line of the rows whose own gradient is NaN or infinite; the model's gradients are lost."""
    found = []
    for where, row in _single_rows(batches):
        model.zero_grad()
        loss_of(row).backward()
        gradients = [weight.grad for weight in model.parameters() if weight.grad is not None]
        if not all(bool(torch.isfinite(gradient).all()) for gradient in gradients):
            found.append(where)
    return found


def _single_rows(batches: Iterable[Encoded]) -> Iterator[tuple[str, Encoded]]:
    for batch in batches:
        for index, where in enumerate(batch.get(ROW_LOCATION, [])):
            yield where, slice_rows(batch, slice(index, index + 1))
