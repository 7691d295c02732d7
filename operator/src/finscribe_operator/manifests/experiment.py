"""Builds the FineTuneJob of an experiment: the job's spec with the experiment's overrides."""

from collections.abc import Mapping
from typing import Any

from finscribe_core.api.defaults import complete, defaults_of
from finscribe_core.api.v1alpha1 import ExperimentSpec, FineTuneJob, FineTuneJobSpec
from finscribe_core.constants import LABEL_EXPERIMENT, LABEL_EXPERIMENT_OF, LABEL_MANAGED_BY, MANAGED_BY
from finscribe_operator.manifests.metadata import build_owner
from finscribe_operator.objects import Object


def build_experiment(
    job: FineTuneJob, written: Object, defaults: Mapping[str, Any], experiment: ExperimentSpec
) -> Object:
    """The FineTuneJob, owned by the job it varies, whose `suspend` and other fields it copies.

    Args:
        job: the job that it varies.
        written: the spec of that job as it is written. What it leaves unset, the experiment leaves unset.
        defaults: those of the job's run. If they are not those of today, the experiment sets every field:
            it must differ from the job in its overrides only.
        experiment: the overrides.
    """
    spec = FineTuneJobSpec.model_validate(written).varied(experiment).as_written()
    if defaults != defaults_of(FineTuneJobSpec):
        spec = FineTuneJobSpec.model_validate(complete(FineTuneJobSpec, spec, defaults)).to_kubernetes()
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
        "spec": spec,
    }
