"""What the status says about `spec.retrain`: times of the schedule, checks of the training data; pure."""

from finscribe_core.api.retraining import DataCheckStatus
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.texts import to_one_line
from finscribe_operator.objects import Object
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import read_outcome
from finscribe_operator.retraining import Occasion, build_retrain_status

_MESSAGE_LIMIT = 1024


def with_retrain(observed: Observed, status: FineTuneJobStatus, now: str) -> FineTuneJobStatus:
    """The status with what is known about `spec.retrain` now."""
    retrain = build_retrain_status(observed.job.spec, status, now)
    check = _read_data_check(observed, now)
    if retrain is None or check is None:
        return status.model_copy(update={"retrain": retrain})
    update: Object = {"retrain": retrain.model_copy(update={"data_check": check})}
    if status.run is not None and status.run.dataset is None and check.dataset is not None:
        # Of a trainer that does not report its data: later checks are compared with the first one.
        update["run"] = status.run.model_copy(update={"dataset": check.dataset})
    return status.model_copy(update=update)


def find_unread_data_check(observed: Observed) -> Object | None:
    """The Job of a check that has ended, if the result of its pod has not been seen."""
    job = observed.data_check_job
    outcome = read_outcome(job, observed.pods[job["metadata"]["name"]]) if job else None
    is_unread = outcome is not None and outcome.failure is None and outcome.result is None
    return job if is_unread else None


def _read_data_check(observed: Observed, now: str) -> DataCheckStatus | None:
    """What the check of the data has found; None while none has ended."""
    if observed.job.spec.retrain.on_data_change is None or observed.data_check_job is None:
        return None
    job = observed.data_check_job
    outcome = read_outcome(job, observed.pods[job["metadata"]["name"]])
    if outcome is None:
        return None
    message = str(outcome.failure) if outcome.failure else ""
    dataset = outcome.result.dataset if outcome.result else None
    if not message and dataset is None:
        message = "The pod ended without a result."
    return DataCheckStatus(
        time=now,
        dataset=dataset,
        message=to_one_line(message, _MESSAGE_LIMIT),
        checks=observed.checks + 1,
    )


def with_occasion(observed: Observed, status: FineTuneJobStatus, now: str) -> FineTuneJobStatus:
    """The first status of a run, which says that the occasion for which it starts is handled."""
    desired, old = observed.desired, observed.job.status
    retrain = build_retrain_status(observed.job.spec, old, now, Occasion(desired.cause, desired.occasion))
    return status.model_copy(update={"retrain": retrain})
