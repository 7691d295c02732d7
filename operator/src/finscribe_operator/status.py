"""Builds the whole status (conditions, state, summary) from what is observed; pure functions."""

from finscribe_core.api.conditions import ConditionType, Reason, set_condition
from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import (
    UNDER_TRAINING_LIMIT,
    FineTuneJobStatus,
    ResultLookup,
    RunRecord,
    RunStatus,
    State,
)
from finscribe_core.constants import MODEL_VOLUME, OCI_SCHEME, RUNS_PREFIX
from finscribe_core.report import (
    Metrics,
    Outputs,
    Phase,
    Progress,
    ProgressReport,
    RunResult,
    outputs_below,
)
from finscribe_core.texts import to_one_line
from finscribe_core.trainer_config import OutputFormat
from finscribe_operator.activity import Activity, read_activity
from finscribe_operator.attempts import container_status, read_result
from finscribe_operator.completed_specs import write_defaults
from finscribe_operator.goodput import count_pods
from finscribe_operator.gpu_time import count_gpu_seconds
from finscribe_operator.history import find_record
from finscribe_operator.objects import Object, has_ended, node_rank
from finscribe_operator.observe import InvalidJob, Observed, PostponedJob
from finscribe_operator.outcome import Outcome, read_outcome
from finscribe_operator.status_conditions import (
    MESSAGE_LIMIT,
    ConditionUpdate,
    build_active_status,
    set_conditions,
    without_eta,
)
from finscribe_operator.status_end import promoted_condition, success_conditions, success_message
from finscribe_operator.status_lookup import build_lookup_outcome_status, promoting_condition, with_lookup
from finscribe_operator.status_retrain import find_unread_data_check, with_occasion, with_retrain

RUN_CONDITIONS = (
    ConditionType.Running,
    ConditionType.Complete,
    ConditionType.Failed,
    ConditionType.Promoted,
)
"""The conditions about the run, besides those about the spec and those for kstatus."""

_WRITE_ERROR = " A change could not be made: "


def build_status(observed: Observed, now: str, error: str = "") -> FineTuneJobStatus:
    """The status of a valid job.

    Args:
        observed: The job and its children, after the plan's writes.
        now: The current time (RFC 3339).
        error: Message of a write for the run or an experiment that failed; empty when none did.
    """
    status = with_retrain(observed, _with_identity(observed), now)
    if observed.is_looking_for_result:
        return build_lookup_outcome_status(observed, status, error, now)
    if observed.is_concluded:
        return _carry_forward(observed, status, error, now)
    job = observed.batch_job
    outcome = read_outcome(job, observed.pods[observed.desired_run]) if job else None
    if _is_still_active(observed.newest_pod):
        outcome = None
    status = _with_run(observed, status, outcome)
    if outcome is not None:
        return _build_ended_status(observed, status, outcome, now)
    activity = read_activity(observed)
    if error and job is None:
        activity = Activity(False, Reason.Pending, f"The run can't be created: {error}")
    elif error:
        activity = Activity(activity.running, activity.reason, f"{activity.message}{_WRITE_ERROR}{error}")
    return build_active_status(observed, status, activity, now)


def find_unexplained_ends(observed: Observed) -> list[Object]:
    """The Jobs that have ended, and whose pods have not, or not with a result, as far as is known.

    Pods and Jobs are watched separately, and a watch may stall: before such an end is concluded, the pods
    must be read.
    """
    status = observed.job.status
    recorded = {record.name for record in status.runs}
    if status.run is not None and (status.run.name != observed.desired_run or observed.is_concluded):
        recorded |= {status.run.name} if status.run.completion_time else set()
    found = []
    for run, job in observed.jobs.items():
        outcome = None if run in recorded else read_outcome(job, observed.pods[run])
        if outcome and (outcome.result is None or any(_is_still_active(pod) for pod in observed.pods[run])):
            found.append(job)
    check = find_unread_data_check(observed)
    return found if check is None else [*found, check]


def build_new_run_status(observed: Observed, history: list[RunRecord], now: str) -> FineTuneJobStatus:
    """The first status of the desired run, the others recorded in `history`.

    A run that succeeded earlier is not repeated: its record becomes the status again.
    """
    old = observed.job.status
    record = find_record(old, observed.desired_run)
    fresh = FineTuneJobStatus(
        observed_generation=observed.job.metadata.generation,
        conditions=old.conditions,
        runs=history,
        run=_first_status_of_run(observed),
    )
    fresh = with_occasion(observed, fresh, now)
    if record is None or record.outcome != "Succeeded":
        activity = Activity(False, Reason.Pending, "The run is about to be created.")
        return build_active_status(observed, fresh, activity, now)
    restored = observed.desired.build_status().model_copy(
        update={
            "start_time": record.start_time,
            "completion_time": record.completion_time,
            "outputs": record.outputs,
            "dataset": record.dataset,
            "initial_adapter": record.initial_adapter,
        }
    )
    progress = Progress(phase=Phase.Uploading, percent=100)
    status = fresh.model_copy(
        update={
            "run": restored,
            "metrics": record.metrics,
            "evaluation": record.evaluation,
            "progress": progress,
        }
    )
    message = f"Run {record.name} succeeded before with the same spec."
    promoted = promoted_condition(record.evaluation)
    if promoted[1]:
        status = with_lookup(status, ResultLookup.Pending)
        promoted = promoting_condition()
    return set_conditions(observed, status, [*success_conditions(message), promoted], now)


def _first_status_of_run(observed: Observed) -> RunStatus:
    """The status of a run before its first attempt, with the training data for which it starts."""
    run, retrain = observed.desired.build_status(), observed.job.status.retrain
    if observed.desired.cause is not RunCause.DataChanged or retrain is None or retrain.data_check is None:
        return run
    return run.model_copy(update={"dataset": retrain.data_check.dataset})


def build_new_attempt_status(observed: Observed, now: str) -> FineTuneJobStatus:
    """The status of a run before its next attempt: the pod's settings have changed, or a retry is wanted."""
    old = observed.job.status
    assert old.run is not None
    run = old.run.model_copy(
        update={
            "cause": observed.desired.cause,
            "attempt_hash": observed.desired.attempt_hash,
            "retry_token": observed.desired.retry_token,
            "defaults_json": write_defaults(observed.desired.defaults),
            "completion_time": None,
            "failed_attempts": 0,
            "restarts": 0,
            "outputs": Outputs(),
            "under_training": "",
        }
    )
    why = "The settings of the pod have changed"
    if old.run.retry_token != observed.desired.retry_token:
        why = f"A retry was requested ({observed.desired.retry_token})"
    message = f"{why}; the run continues from its last checkpoint in a new pod."
    activity = Activity(False, Reason.Pending, message)
    status = old.model_copy(update={"run": run, "evaluation": None})
    return build_active_status(observed, status, activity, now)


def build_invalid_status(invalid: InvalidJob, now: str) -> FineTuneJobStatus:
    """The status of a job whose spec breaks a rule. Its fields about runs stay unchanged."""
    conditions = invalid.status.conditions
    message = to_one_line(f"{invalid.problems} Correct the spec and apply it again.", MESSAGE_LIMIT)
    for type_, holds in (
        (ConditionType.Accepted, False),
        (ConditionType.Reconciling, False),
        (ConditionType.Stalled, True),
    ):
        conditions = set_condition(
            conditions,
            type_,
            holds=holds,
            reason=Reason.InvalidSpec,
            message=message,
            generation=invalid.generation,
            now=now,
        )
    summary = invalid.status.summary.model_copy(update={"state": State.Invalid, "eta": "-"})
    return invalid.status.model_copy(
        update={"observed_generation": invalid.generation, "conditions": conditions, "summary": summary}
    )


def build_postponed_status(postponed: PostponedJob, now: str) -> FineTuneJobStatus:
    """The status of a job whose next run can't be started yet; that of earlier runs stays unchanged."""
    conditions = postponed.status.conditions
    updates: list[ConditionUpdate] = [
        (ConditionType.Reconciling, True, Reason.PolicyUnknown, postponed.problem)
    ]
    if postponed.status.run is None:
        updates.append((ConditionType.Running, False, Reason.PolicyUnknown, postponed.problem))
    for type_, holds, reason, message in updates:
        conditions = set_condition(
            conditions,
            type_,
            holds=holds,
            reason=reason,
            message=to_one_line(message, MESSAGE_LIMIT),
            generation=postponed.generation,
            now=now,
        )
    return postponed.status.model_copy(update={"conditions": conditions})


def _is_still_active(pod: Object | None) -> bool:
    """Whether a pod has not been seen to end. Pods and Jobs are watched separately, and a Job ends after its
    pods: a status that ends the run before the pod's end is seen would lose the trainer's result for good.
    """
    return pod is not None and not has_ended(pod)


def _with_identity(observed: Observed) -> FineTuneJobStatus:
    """The status with the identity of its run, which is the desired one."""
    status = observed.job.status
    run = observed.desired.recorded(status.run) if status.run else observed.desired.build_status()
    return status.model_copy(update={"run": run})


def _with_run(observed: Observed, status: FineTuneJobStatus, outcome: Outcome | None) -> FineTuneJobStatus:
    """The status with the progress and metrics of the trainer's result, else of its last report."""
    run = status.run or observed.desired.build_status()
    job_status: Object = (observed.batch_job or {}).get("status", {})
    pod = observed.newest_pod
    result = outcome.result if outcome else None
    result = result or (read_result(pod) if pod else None)
    report: RunResult | ProgressReport | None = result or observed.report
    update: Object = {
        "start_time": run.start_time or job_status.get("startTime"),
        "completion_time": outcome.completion_time if outcome else None,
        "failed_attempts": observed.failed_attempts,
        "dataset": (report.dataset if report else None) or run.dataset,
        "initial_adapter": (report.initial_adapter if report else None) or run.initial_adapter,
        "learning_rate": (report.learning_rate if report else None) or run.learning_rate,
        "model_image": _model_image(observed) or run.model_image,
    }
    reported: Object = (
        {"progress": report.progress, "metrics": _merge_metrics(status.metrics, report.metrics)}
        if report
        else {}
    )
    if result is not None:
        update |= {
            "resumed_from": result.resumed_from or run.resumed_from,
            "outputs": result.outputs,
            "under_training": to_one_line(result.under_training, UNDER_TRAINING_LIMIT),
        }
        reported["evaluation"] = result.evaluation
    elif outcome is not None and outcome.failure is None:
        update["outputs"] = _outputs(observed)
    progress = report.progress if report else Progress()
    pods = [pod for pod in observed.pods.get(observed.desired_run, ()) if node_rank(pod) == 0]
    counted = count_pods(run.model_copy(update=update), pods, observed.reported_at, progress)
    gpus = observed.job.spec.resources.total_gpus
    run = count_gpu_seconds(run, counted, status.progress.phase_seconds, progress.phase_seconds, gpus)
    return status.model_copy(update={"run": run, **reported})


def _model_image(observed: Observed) -> str | None:
    """The image of an oci:// model: with its digest if the kubelet reports it, which it seldom does."""
    source = observed.job.spec.model.source
    if not source.startswith(OCI_SCHEME):
        return None
    run, pod = observed.job.status.run, observed.newest_pod
    for mount in container_status(pod).get("volumeMounts") or [] if pod else []:
        reference = (mount["volumeStatus"].get("image") or {}).get("imageRef")
        if mount.get("name") == MODEL_VOLUME and reference:
            return str(reference)
    known = run.model_image if run and run.name == observed.desired_run else None
    return known or source.removeprefix(OCI_SCHEME)


def _outputs(observed: Observed) -> Outputs:
    """Where the results of a run are whose pod exited with code 0, and vanished with its result."""
    spec = observed.job.spec
    root = f"{spec.output.uri.rstrip('/')}/{RUNS_PREFIX}/{observed.desired_run}"
    return outputs_below(
        root, merged=OutputFormat.Merged in spec.output.formats, evaluated=spec.evaluation.enabled
    )


def _merge_metrics(old: Metrics, new: Metrics) -> Metrics:
    """The new metrics, and the old ones where there is none yet: a resumed attempt has no loss at first."""
    return old.model_copy(update=new.model_dump(exclude_none=True))


def _build_ended_status(
    observed: Observed, status: FineTuneJobStatus, outcome: Outcome, now: str
) -> FineTuneJobStatus:
    status = without_eta(status)
    if outcome.failure is None:
        promoted = promoted_condition(status.evaluation)
        if outcome.result is None and observed.job.spec.evaluation.gate is not None:
            message = "The trainer reported no gate result; check whether latest.json names this run."
            promoted = (ConditionType.Promoted, False, Reason.Finished, message)
        updates = [*success_conditions(success_message(status, outcome)), promoted]
        return set_conditions(observed, status, updates, now)
    updates = [
        (ConditionType.Running, False, Reason.Finished, "The run has ended."),
        (ConditionType.Complete, False, Reason.Finished, "The run failed."),
        (ConditionType.Failed, True, outcome.failure.reason, str(outcome.failure)),
        (ConditionType.Promoted, False, Reason.Finished, "The run failed."),
    ]
    return set_conditions(observed, status, updates, now)


def _carry_forward(observed: Observed, status: FineTuneJobStatus, error: str, now: str) -> FineTuneJobStatus:
    """The status of an ended run: its conditions stay; only a failed write for an experiment is added."""
    updates: list[ConditionUpdate] = []
    for condition in status.conditions:
        message = condition.message
        if condition.type == ConditionType.Running:
            message = message.partition(_WRITE_ERROR)[0] + (f"{_WRITE_ERROR}{error}" if error else "")
        if condition.type in RUN_CONDITIONS:
            updates.append(
                (ConditionType(condition.type), condition.status == "True", condition.reason, message)
            )
    return set_conditions(observed, status, updates, now)
