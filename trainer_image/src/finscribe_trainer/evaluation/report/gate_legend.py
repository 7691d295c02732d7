"""Explains the table of fields of the evaluation gate."""

from finscribe_trainer.evaluation.gate import Judgement
from finscribe_trainer.evaluation.report.labels import percent
from finscribe_trainer.metrics.non_inferiority import LEVEL, RARE_FIELDS, documents_needed


def gate_legend(judgement: Judgement) -> str:
    """How the table is read, and which fields it does not show."""
    assert judgement.fields is not None
    run = judgement.verdict.against
    compared = f"the promoted run {run}" if run else "the base model"
    text = (
        f"Before: {compared}, on the same documents. Changes are in percentage points. At worst: the change "
        f"is less with a probability of at most {percent(LEVEL)}. A field fails if it may have fallen by "
        f"more than {100 * judgement.margin:g} points."
    )
    needed = documents_needed(judgement.margin)
    if judgement.fields.together:
        names = ", ".join(judgement.fields.together)
        text += f" {RARE_FIELDS.capitalize()}: {names}, each in fewer than {needed}, tested together."
    if judgement.fields.untested:
        names = ", ".join(judgement.fields.untested)
        text += f" Not tested, in fewer than {needed} documents: {names}."
    return text
