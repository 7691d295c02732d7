"""Builds the FineTuneJobs of a job's experiments, and their part of its status; pure functions."""

from pydantic import ValidationError

from finscribe_core.api.defaults import complete
from finscribe_core.api.v1alpha1 import ExperimentStatus, FineTuneJobSpec, State
from finscribe_operator.completed_specs import read_defaults
from finscribe_operator.manifests import build_experiment
from finscribe_operator.merge_patch import build_merge_patch
from finscribe_operator.objects import Object, is_being_deleted, label
from finscribe_operator.observe import Observed, read_status
from finscribe_operator.runs import DEFAULTS


def build_missing_or_changed(observed: Observed) -> list[Object]:
    """Manifests of the experiments that do not exist, or differ from the job's spec."""
    defaults = observed.desired.defaults or DEFAULTS
    desired = [
        build_experiment(observed.job, observed.raw["spec"], defaults, experiment)
        for experiment in observed.job.spec.experiments
    ]
    live = {e["metadata"]["name"]: e for e in observed.experiments.values()}
    return [e for e in desired if not _is_up_to_date(live.get(e["metadata"]["name"]), e)]


def build_change(live: Object, desired: Object) -> Object:
    """The merge patch from an experiment's live object to its manifest; empty when they agree.

    Fields that someone else set become null; a server-side apply would keep them, as it removes only its own.
    """
    labels = {
        name: value for name, value in desired["metadata"]["labels"].items() if label(live, name) != value
    }
    spec = build_merge_patch(live["spec"], desired["spec"])
    return ({"metadata": {"labels": labels}} if labels else {}) | ({"spec": spec} if spec else {})


def find_obsolete(observed: Observed) -> list[Object]:
    """FineTuneJobs of experiments that the job no longer lists."""
    names = {experiment.name for experiment in observed.job.spec.experiments}
    return [e for name, e in observed.experiments.items() if name not in names and not is_being_deleted(e)]


def have_ended(observed: Observed) -> bool:
    """Whether all experiments are as the job's spec says, and their runs have ended."""
    names = {experiment.name for experiment in observed.job.spec.experiments}
    live = [experiment for name, experiment in observed.experiments.items() if name in names]
    return not build_missing_or_changed(observed) and all(_has_ended(experiment) for experiment in live)


def _has_ended(live: Object) -> bool:
    status = read_status(live)
    is_current = status.observed_generation == live["metadata"].get("generation")
    return is_current and status.summary.state in (State.Complete, State.Failed)


def build_experiment_statuses(observed: Observed) -> list[ExperimentStatus]:
    """The status of each experiment, in the spec's order."""
    return [
        _build_status(experiment.name, observed.experiments.get(experiment.name), observed.job.metadata.name)
        for experiment in observed.job.spec.experiments
    ]


def _is_up_to_date(live: Object | None, desired: Object) -> bool:
    """Whether both specs mean the same to the experiment's run, written out or not."""
    if live is None:
        return False
    run = read_status(live).run
    defaults = read_defaults(run.defaults_json if run else "") or DEFAULTS
    try:
        first, second = (
            FineTuneJobSpec.model_validate(complete(FineTuneJobSpec, job["spec"], defaults))
            for job in (live, desired)
        )
    except ValidationError:
        return False
    return first == second


def _build_status(name: str, live: Object | None, job: str) -> ExperimentStatus:
    status = read_status(live or {})
    return ExperimentStatus(
        name=name,
        job=f"{job}-{name}",
        state=status.summary.state,
        metrics=status.metrics,
        evaluation=status.evaluation,
    )
