"""The status while and after the bucket is searched for the result of a run; pure functions.

That happens to a job whose status was lost, before a GPU is used for what may be done; and to one that went
back to an earlier run, which `latest.json` has to name again. The operator has no access to the bucket.
"""

from finscribe_core.api.conditions import ConditionType, Reason
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, ResultLookup, RunRecord
from finscribe_core.report import RunResult
from finscribe_operator.activity import SUSPENDED, Activity
from finscribe_operator.objects import Object
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import Outcome, read_outcome
from finscribe_operator.status_conditions import ConditionUpdate, build_active_status, set_conditions
from finscribe_operator.status_end import promoted_condition, success_conditions

_LOOKING = "A pod without GPU looks in the bucket for the result of this run, as the job's status was lost."
_NOT_FOUND = "The bucket holds no result of this run; the run is about to be created."
_PROMOTING = "A pod without GPU makes latest.json name this run again."


def build_lookup_status(observed: Observed, history: list[RunRecord], now: str) -> FineTuneJobStatus:
    """The status of a job without a known run, before the search."""
    run = observed.desired.build_status().model_copy(update={"result_lookup": ResultLookup.Pending})
    status = observed.job.status.model_copy(update={"run": run, "runs": history})
    return build_active_status(observed, status, Activity(False, Reason.LookingForResult, _LOOKING), now)


def build_lookup_outcome_status(
    observed: Observed, status: FineTuneJobStatus, error: str, now: str
) -> FineTuneJobStatus:
    """The status during the search, and at its end.

    Args:
        observed: the job and its children.
        status: its status, with the identity of its run.
        error: message of a write that failed; empty when none did.
        now: the current time (RFC 3339).
    """
    assert status.run is not None
    job = observed.lookup_job
    outcome = read_outcome(job, observed.pods[job["metadata"]["name"]]) if job else None
    if status.run.completion_time:
        return _build_promoted_status(observed, status, outcome, now)
    if job is None and observed.job.spec.suspend:
        return build_active_status(observed, status, SUSPENDED, now)
    if outcome is None:
        message = f"{_LOOKING} {error}".strip()
        return build_active_status(observed, status, Activity(False, Reason.LookingForResult, message), now)
    if outcome.failure is None and outcome.result is not None:
        return _build_found_status(observed, status, outcome.result, now)
    status = with_lookup(status, ResultLookup.NotFound)
    return build_active_status(observed, status, Activity(False, Reason.Pending, _NOT_FOUND), now)


def promoting_condition() -> ConditionUpdate:
    """The Promoted condition of an earlier run that `latest.json` does not name yet."""
    return ConditionType.Promoted, False, Reason.Promoting, _PROMOTING


def with_lookup(status: FineTuneJobStatus, lookup: ResultLookup) -> FineTuneJobStatus:
    """The status with another state of the search."""
    assert status.run is not None
    return status.model_copy(update={"run": status.run.model_copy(update={"result_lookup": lookup})})


def _build_found_status(
    observed: Observed, status: FineTuneJobStatus, result: RunResult, now: str
) -> FineTuneJobStatus:
    assert status.run is not None
    update: Object = {
        "completion_time": now,
        "outputs": result.outputs,
        "dataset": result.dataset,
        "initial_adapter": result.initial_adapter,
        "result_lookup": ResultLookup.Found,
    }
    status = status.model_copy(
        update={
            "run": status.run.model_copy(update=update),
            "progress": result.progress,
            "metrics": result.metrics,
            "evaluation": result.evaluation,
        }
    )
    message = f"The result was found in {result.outputs.uri}; nothing was trained again."
    updates = [*success_conditions(message), promoted_condition(result.evaluation)]
    return set_conditions(observed, status, updates, now)


def _build_promoted_status(
    observed: Observed, status: FineTuneJobStatus, outcome: Outcome | None, now: str
) -> FineTuneJobStatus:
    """The status of an earlier run that has become the current one again."""
    promoted = promoting_condition()
    if outcome is not None and outcome.failure is None:
        status = with_lookup(status, ResultLookup.Found)
        promoted = promoted_condition(outcome.result.evaluation if outcome.result else status.evaluation)
    elif outcome is not None:
        status = with_lookup(status, ResultLookup.NotFound)
        message = f"latest.json could not be changed to name this run: {outcome.failure}"
        promoted = (ConditionType.Promoted, False, Reason.Finished, message)
    complete = next((c.message for c in status.conditions if c.type == ConditionType.Complete), "")
    return set_conditions(observed, status, [*success_conditions(complete), promoted], now)
