"""Builds the metadata of a run's children: names, labels and owner references."""

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
    """Metadata of a child: named after the run and owned by the FineTuneJob."""
    return {
        "name": run,
        "namespace": job.metadata.namespace,
        "labels": build_labels(job, run),
        "ownerReferences": [build_owner(job)],
    }


def build_owner(job: FineTuneJob) -> Object:
    """The owner reference by which a child is garbage-collected with the job."""
    return {
        "apiVersion": job.api_version,
        "kind": job.kind,
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def build_labels(job: FineTuneJob, run: str) -> dict[str, str]:
    """The labels that children are selected by."""
    return {
        LABEL_JOB: job.metadata.name,
        LABEL_RUN: run,
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_COMPONENT: COMPONENT,
    }
