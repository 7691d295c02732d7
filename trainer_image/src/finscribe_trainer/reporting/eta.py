"""Estimates the time left of a whole run from what is left to do and how long each part takes; pure."""

from dataclasses import dataclass, replace

from finscribe_core.report import Phase


@dataclass(frozen=True)
class Plan:
    """What a run does besides its steps."""

    eval_steps: int = 0
    """Steps between two evaluations; the last step is always evaluated. 0: no evaluations."""
    answers: int = 0
    """Answers to generate for the comparison of base and tuned model."""
    merges: int = 0
    """Merged models to write."""
    upload_bytes: int = 0
    """Size of the merged models to upload; an adapter's is not worth counting."""


@dataclass(frozen=True)
class Pace:
    """Measured seconds of one unit of work each; None before the first measurement."""

    step: float | None = None
    evaluation: float | None = None
    answer: float | None = None
    merge: float | None = None
    uploaded_byte: float | None = None


def count_evaluations(step: int, total: int, eval_steps: int) -> int:
    """Evaluations after `step`, until the last of `total` steps is evaluated.

    >>> count_evaluations(0, 10, 4), count_evaluations(4, 10, 4), count_evaluations(10, 10, 4)
    (3, 2, 0)
    """
    if eval_steps <= 0 or step >= total:
        return 0
    return -(-total // eval_steps) - step // eval_steps


def after(plan: Plan, phase: Phase) -> Plan:
    """What of a plan is left once `phase` begins: after the training come Exporting, Comparing, Uploading."""
    if phase in (Phase.Comparing, Phase.Uploading):
        plan = replace(plan, merges=0)
    return replace(plan, answers=0) if phase is Phase.Uploading else plan


def seconds_left(plan: Plan, pace: Pace, phase: Phase, step: int, total: int) -> int | None:
    """Seconds until the result is uploaded, if no early stopping ends the training before its last step.

    Args:
        plan: what is left to do besides the steps.
        pace: how long each part takes; what has not been measured counts 0.
        phase: the current phase.
        step: optimizer steps taken.
        total: optimizer steps planned.

    Returns:
        None while steps are left of which none has been measured.
    """
    has_trained = phase in (Phase.Exporting, Phase.Comparing, Phase.Uploading)
    steps = 0 if has_trained else max(0, total - step)
    if not has_trained and (not total or (steps and pace.step is None)):
        return None
    evaluations = 0 if has_trained else count_evaluations(step, total, plan.eval_steps)
    evaluations += phase is Phase.Evaluating
    work = (
        (steps, pace.step),
        (evaluations, pace.evaluation),
        (plan.answers, pace.answer),
        (plan.merges, pace.merge),
        (plan.upload_bytes, pace.uploaded_byte),
    )
    return round(sum(count * seconds for count, seconds in work if seconds is not None))
