"""Builds the Service of a run: a stable DNS name for the pod of its current attempt."""

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import HTTP_PORT, HTTP_PORT_NAME, LABEL_RUN
from finscribe_operator.manifests.metadata import build_metadata
from finscribe_operator.objects import Object


def build_service(job: FineTuneJob, run: str) -> Object:
    """A headless Service that resolves to the pod from its start, ready or not."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": build_metadata(job, run),
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {LABEL_RUN: run},
            "ports": [
                {
                    "name": HTTP_PORT_NAME,
                    "port": HTTP_PORT,
                    "targetPort": HTTP_PORT_NAME,
                    "protocol": "TCP",
                }
            ],
        },
    }
