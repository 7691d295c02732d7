"""The experiments of a job: which FineTuneJobs there must be, and what is said of them. Pure."""

from contextlib import suppress

from pydantic import ValidationError

from finscribe_core.api.v1alpha1 import ExperimentStatus, FineTuneJobSpec, FineTuneJobStatus
from finscribe_operator.manifests import build_experiment
from finscribe_operator.merge_patch import build_merge_patch
from finscribe_operator.objects import Object, is_being_deleted, label
from finscribe_operator.observe import Observed


def build_missing(observed: Observed) -> list[Object]:
    """The experiments that are not there, or not as the job now wants them."""
    wanted = [build_experiment(observed.job, experiment) for experiment in observed.job.spec.experiments]
    live = {e["metadata"]["name"]: e for e in observed.experiments.values()}
    return [e for e in wanted if not _is_as_wanted(live.get(e["metadata"]["name"]), e)]


def build_change(live: Object, wanted: Object) -> Object:
    """The merge patch that makes an experiment as wanted; empty when it is.

    What someone else set becomes null: an apply would leave it, for it takes away nothing but its own.
    """
    labels = {
        name: value for name, value in wanted["metadata"]["labels"].items() if label(live, name) != value
    }
    spec = build_merge_patch(live["spec"], wanted["spec"])
    return ({"metadata": {"labels": labels}} if labels else {}) | ({"spec": spec} if spec else {})


def find_unwanted(observed: Observed) -> list[Object]:
    """The experiments that the job no longer names."""
    names = {experiment.name for experiment in observed.job.spec.experiments}
    return [e for name, e in observed.experiments.items() if name not in names and not is_being_deleted(e)]


def build_experiment_statuses(observed: Observed) -> list[ExperimentStatus]:
    """How each experiment stands, in the spec's order."""
    return [
        _build_status(experiment.name, observed.experiments.get(experiment.name), observed.job.metadata.name)
        for experiment in observed.job.spec.experiments
    ]


def _is_as_wanted(live: Object | None, wanted: Object) -> bool:
    """Compared as types: the API server writes defaults out."""
    if live is None:
        return False
    try:
        return FineTuneJobSpec.model_validate(live["spec"]) == FineTuneJobSpec.model_validate(wanted["spec"])
    except ValidationError:
        return False


def _build_status(name: str, live: Object | None, job: str) -> ExperimentStatus:
    status = FineTuneJobStatus()
    with suppress(ValidationError):  # someone else's: its own next look mends it
        status = FineTuneJobStatus.model_validate((live or {}).get("status") or {})
    return ExperimentStatus(
        name=name,
        job=f"{job}-{name}",
        state=status.summary.state,
        metrics=status.metrics,
        evaluation=status.evaluation,
    )
