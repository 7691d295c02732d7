"""Builds the FineTuneJob of an experiment: the job's spec with the experiment's overrides."""

from finscribe_core.api.v1alpha1 import ExperimentSpec, FineTuneJob
from finscribe_core.constants import LABEL_EXPERIMENT, LABEL_EXPERIMENT_OF, LABEL_MANAGED_BY, MANAGED_BY
from finscribe_operator.manifests.metadata import build_owner
from finscribe_operator.objects import Object


def build_experiment(job: FineTuneJob, experiment: ExperimentSpec) -> Object:
    """The FineTuneJob, owned by the job it varies, whose `suspend` and other fields it copies."""
    return {
        "apiVersion": job.api_version,
        "kind": job.kind,
        "metadata": {
            "name": f"{job.metadata.name}-{experiment.name}",
            "namespace": job.metadata.namespace,
            "labels": {
                LABEL_EXPERIMENT_OF: job.metadata.name,
                LABEL_EXPERIMENT: experiment.name,
                LABEL_MANAGED_BY: MANAGED_BY,
            },
            "ownerReferences": [build_owner(job)],
        },
        "spec": job.spec.varied(experiment).to_kubernetes(),
    }
