"""Builds the records of earlier runs, newest first, `spec.historyLimit` at most.

The last run that succeeded, and the last one that was promoted, are always among them, so that going back to
their spec trains nothing. A run that was superseded before its first step is not recorded.
"""

from finscribe_core.api.conditions import ConditionType, find_true
from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunRecord
from finscribe_core.report import Metrics, Outputs
from finscribe_operator.objects import Object
from finscribe_operator.observe import Observed
from finscribe_operator.outcome import read_outcome


def build_history(observed: Observed, now: str) -> list[RunRecord]:
    """The records of all runs but the desired one, newest first.

    Besides those already recorded these are the run that the status describes, when the spec now requires
    another one, and runs of ended Jobs that are recorded nowhere (the status was lost).
    """
    status = observed.job.status
    records = {record.name: record for record in status.runs}
    names = [status.run.name] if status.run else []
    for name in [*names, *observed.jobs]:
        if name not in records and name != observed.desired_run and not _was_superseded_early(observed, name):
            records[name] = _build_record(observed, name, now)
    records.pop(observed.desired_run, None)
    newest_first = sorted(records.values(), key=lambda record: record.completion_time or "", reverse=True)
    kept = _last_results(newest_first)
    for record in newest_first:
        if len(kept) < observed.job.spec.history_limit:
            kept.add(record.name)
    return [record for record in newest_first if record.name in kept]


def _last_results(newest_first: list[RunRecord]) -> set[str]:
    """The last run that succeeded, and the last one that was promoted."""
    succeeded = [record for record in newest_first if record.outcome == "Succeeded"]
    promoted = [
        r for r in succeeded if not (r.evaluation and r.evaluation.gate and not r.evaluation.gate.passed)
    ]
    return {record.name for record in (*succeeded[:1], *promoted[:1])}


def _was_superseded_early(observed: Observed, name: str) -> bool:
    """Whether a run has not ended, nor taken a step as far as the status shows."""
    status, job = observed.job.status, observed.jobs.get(name)
    if job is not None and read_outcome(job, ()) is not None:
        return False
    is_described = status.run is not None and status.run.name == name
    has_trained = status.progress.step > 0 or bool(status.run and status.run.completion_time)
    return not (is_described and has_trained)


def find_record(status: FineTuneJobStatus, run: str) -> RunRecord | None:
    """The record of a run, or None."""
    return next((record for record in status.runs if record.name == run), None)


def _build_record(observed: Observed, name: str, now: str) -> RunRecord:
    status = observed.job.status
    if status.run is not None and status.run.name == name and status.run.completion_time:
        return _record_of_status(status)
    job = observed.jobs.get(name)
    outcome = read_outcome(job, observed.pods[name]) if job else None
    is_described = status.run is not None and status.run.name == name
    described = status.run if is_described else None
    record = RunRecord(
        name=name,
        cause=described.cause if described else RunCause.Created,
        occasion=described.occasion if described else "",
        dataset=described.dataset if described else None,
        outcome="Superseded",
        start_time=(job or {}).get("status", {}).get("startTime"),
        completion_time=now,
        metrics=status.metrics if is_described else Metrics(),
        outputs=described.outputs if described else Outputs(),
        initial_adapter=described.initial_adapter if described else None,
        training_hash=described.training_hash if described else "",
        spec_hash=described.spec_hash if described else "",
    )
    if outcome is None:
        return record
    update: Object = {
        "outcome": "Failed" if outcome.failure else "Succeeded",
        "reason": outcome.failure.reason if outcome.failure else "",
        "completion_time": outcome.completion_time,
    }
    if outcome.result:
        result = outcome.result
        update |= {"metrics": result.metrics, "evaluation": result.evaluation, "outputs": result.outputs}
        update["initial_adapter"] = result.initial_adapter
    return record.model_copy(update=update)


def _record_of_status(status: FineTuneJobStatus) -> RunRecord:
    """The record of the ended run that the status describes."""
    assert status.run is not None
    failed = find_true(status.conditions, ConditionType.Failed)
    return RunRecord(
        name=status.run.name,
        cause=status.run.cause,
        occasion=status.run.occasion,
        dataset=status.run.dataset,
        outcome="Failed" if failed else "Succeeded",
        reason=failed.reason if failed else "",
        start_time=status.run.start_time,
        completion_time=status.run.completion_time,
        metrics=status.metrics,
        evaluation=status.evaluation,
        outputs=status.run.outputs,
        initial_adapter=status.run.initial_adapter,
        training_hash=status.run.training_hash,
        spec_hash=status.run.spec_hash,
    )
