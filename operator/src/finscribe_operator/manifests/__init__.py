"""What the children of a FineTuneJob look like: pure builders, one file per child.

A run `<run>` is a ConfigMap, a headless Service and a Job, all of that name and all owned by the FineTuneJob.
An experiment is another FineTuneJob, owned likewise.
"""

from finscribe_operator.manifests.config_map import build_config_map
from finscribe_operator.manifests.experiment import build_experiment
from finscribe_operator.manifests.job import build_job, build_mutable_fields
from finscribe_operator.manifests.service import build_service

__all__ = ["build_config_map", "build_experiment", "build_job", "build_mutable_fields", "build_service"]
