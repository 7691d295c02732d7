"""Names, labels and ownership of a run's children."""

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import (
    LABEL_COMPONENT,
    LABEL_JOB,
    LABEL_MANAGED_BY,
    LABEL_RUN,
    MANAGED_BY,
)
from finscribe_operator.objects import Object

COMPONENT = "trainer"


def build_metadata(job: FineTuneJob, run: str) -> Object:
    """Metadata of a child: named like the run, and garbage-collected with the FineTuneJob."""
    return {
        "name": run,
        "namespace": job.metadata.namespace,
        "labels": build_labels(job, run),
        "ownerReferences": [build_owner(job)],
    }


def build_owner(job: FineTuneJob) -> Object:
    """The reference by which a child goes when the job does."""
    return {
        "apiVersion": job.api_version,
        "kind": job.kind,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def build_labels(job: FineTuneJob, run: str) -> dict[str, str]:
    """The labels by which children are found."""
    return {
        LABEL_JOB: job.metadata.name,
        LABEL_RUN: run,
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_COMPONENT: COMPONENT,
    }
