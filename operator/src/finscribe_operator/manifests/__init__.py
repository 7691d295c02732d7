"""Builds the manifests of a FineTuneJob's children; pure functions, one file per kind.

A run `<run>` is a ConfigMap and a Job, both with that name and owned by the FineTuneJob; with several nodes
also a Service.
An experiment is another FineTuneJob that it owns.
"""

from finscribe_operator.manifests.config_map import build_config_map
from finscribe_operator.manifests.experiment import build_experiment
from finscribe_operator.manifests.job import build_job, build_mutable_fields, build_suspend_patch
from finscribe_operator.manifests.service import build_service
from finscribe_operator.manifests.task_jobs import (
    build_data_check_job,
    build_lookup_job,
    data_check_name,
    lookup_name,
)

__all__ = [
    "build_config_map",
    "build_data_check_job",
    "build_experiment",
    "build_job",
    "build_lookup_job",
    "build_mutable_fields",
    "build_service",
    "build_suspend_patch",
    "data_check_name",
    "lookup_name",
]
