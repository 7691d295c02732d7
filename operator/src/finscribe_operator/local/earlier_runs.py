"""Reuses or deletes what an earlier `finscribe run` left in the state directory."""

import shutil
import uuid
from pathlib import Path

from finscribe_core.api.v1alpha1 import FineTuneJob, FineTuneJobStatus, State
from finscribe_core.constants import KIND, LABEL_JOB, LABEL_RUN
from finscribe_operator.local.container import run_directory
from finscribe_operator.local.object_files import ObjectFiles
from finscribe_operator.objects import Object, label
from finscribe_operator.runs import find_run

CHILDREN = ("Pod", "Job", "ConfigMap")


def with_uid(objects: ObjectFiles, job: FineTuneJob) -> FineTuneJob:
    """The job with its uid: the stored one, else one derived from its name and the state directory.

    A run's name, and so the prefix of its checkpoints in the bucket, is derived from the uid.
    """
    name, namespace = job.metadata.name, job.metadata.namespace
    live = objects.get(KIND, namespace, name)
    uid = live["metadata"]["uid"] if live else objects.stable_uid(KIND, namespace, name)
    return job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": uid})})


def delete_runs(objects: ObjectFiles, state_dir: Path, job: FineTuneJob) -> FineTuneJob:
    """Delete the job and its runs, so that the next run is a new one; returns the job with a new uid."""
    for child in _children(objects, job):
        _delete(objects, child)
        if child["kind"] == "Job":
            shutil.rmtree(run_directory(state_dir, child["metadata"]["name"]), ignore_errors=True)
    objects.delete(KIND, job.metadata.namespace, job.metadata.name)
    return job.model_copy(update={"metadata": job.metadata.model_copy(update={"uid": str(uuid.uuid4())})})


def reset_failure(objects: ObjectFiles, job: FineTuneJob) -> str:
    """Reset the status of the run of this spec if it failed; returns the reason, else an empty text.

    On a cluster a failed run stays failed until its spec changes; here, starting the command again
    requests a retry. The run keeps its name, and so its checkpoints.
    """
    live = objects.get(KIND, job.metadata.namespace, job.metadata.name)
    if live is None:
        return ""
    status = FineTuneJobStatus.model_validate(live.get("status", {}))
    _, desired = find_run({**live, "spec": job.spec.as_written()}, status)
    if status.run is None or status.summary.state != State.Failed or status.run.name != desired.name:
        return ""
    for child in _children(objects, job):
        if label(child, LABEL_RUN) == status.run.name:
            _delete(objects, child)
    fresh = FineTuneJobStatus(runs=status.runs, run=desired.build_status())
    objects.put({**live, "status": fresh.to_kubernetes()})
    return next(c.reason for c in status.conditions if c.type == State.Failed)


def _children(objects: ObjectFiles, job: FineTuneJob) -> list[Object]:
    name, namespace = job.metadata.name, job.metadata.namespace
    found = (child for kind in CHILDREN for child in objects.list(kind))
    return [
        child
        for child in found
        if child["metadata"]["namespace"] == namespace and label(child, LABEL_JOB) == name
    ]


def _delete(objects: ObjectFiles, obj: Object) -> None:
    objects.delete(obj["kind"], obj["metadata"]["namespace"], obj["metadata"]["name"])
