"""The conditions and messages of a run that has ended; pure functions."""

from finscribe_core.api.conditions import ConditionType, Reason
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.report import EvaluationReport
from finscribe_operator.activity import describe_progress
from finscribe_operator.outcome import Outcome
from finscribe_operator.status_conditions import ConditionUpdate


def success_message(status: FineTuneJobStatus, outcome: Outcome) -> str:
    """The message of the Complete condition."""
    if outcome.result is None:
        where = status.run.outputs.uri if status.run else ""
        return f"The trainer exited with code 0; what it reported was lost. Outputs are in {where}."
    stopped = "Stopped early" if outcome.result.stopped_early else "Trained to the end"
    steps = describe_progress(status.progress).rstrip(".")
    at = f" at {steps[0].lower()}{steps[1:]}" if status.progress.total_steps else ""
    loss = status.metrics.best_eval_loss or status.metrics.eval_loss
    results = f", validation loss {loss}" if loss else ""
    results += _describe_accuracy(status.evaluation)
    where = f" Outputs are in {outcome.result.outputs.uri}." if outcome.result.outputs.uri else ""
    doubt = f" {status.run.under_training}" if status.run and status.run.under_training else ""
    return f"{stopped}{at}{results}.{where}{doubt}"


def success_conditions(message: str) -> list[ConditionUpdate]:
    """The conditions of a run that succeeded, besides Promoted."""
    return [
        (ConditionType.Running, False, Reason.Finished, "The run has ended."),
        (ConditionType.Complete, True, Reason.Succeeded, message),
        (ConditionType.Failed, False, Reason.NotFailed, ""),
    ]


def _describe_accuracy(evaluation: EvaluationReport | None) -> str:
    if evaluation is None or evaluation.tuned.field_accuracy is None:
        return ""
    base, tuned = evaluation.base.field_accuracy, evaluation.tuned.field_accuracy
    return f", field accuracy {tuned} (base model: {base})"


def promoted_condition(evaluation: EvaluationReport | None) -> ConditionUpdate:
    """The Promoted condition of a run that succeeded."""
    gate = evaluation.gate if evaluation else None
    if gate is not None and not gate.passed:
        message = f"{gate.message} The outputs are kept; latest.json was not changed."
        return ConditionType.Promoted, False, Reason.GateFailed, message
    moved = "latest.json names this run."
    if gate is None:
        return ConditionType.Promoted, True, Reason.NoGate, moved
    return ConditionType.Promoted, True, Reason.GatePassed, f"{gate.message} {moved}"
