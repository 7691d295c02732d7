"""Builds the headless Service by which the pods of a run with several nodes find each other."""

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import LABEL_JOB, LABEL_RUN, MASTER_PORT
from finscribe_operator.manifests.metadata import build_metadata
from finscribe_operator.objects import Object


def build_service(job: FineTuneJob, run: str) -> Object:
    """The Service. Pods that are not ready have names, too: they find each other before they train."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": build_metadata(job, run),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {LABEL_JOB: job.metadata.name, LABEL_RUN: run},
            "ports": [{"name": "rendezvous", "port": MASTER_PORT, "protocol": "TCP"}],
        },
    }


def first_pod_address(job: FineTuneJob, run: str) -> str:
    """Host name of the run's first pod, which the names of Job and Service make."""
    return f"{run}-0.{run}.{job.metadata.namespace}.svc"
