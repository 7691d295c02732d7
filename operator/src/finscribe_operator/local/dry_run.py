"""`finscribe run --dry-run`: lets the trainer check a job's storage, rows and model, without training."""

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import (
    CONFIG_FILE,
    ENV_JOB,
    ENV_LOG_FORMAT,
    ENV_NAMESPACE,
    ENV_RUN,
)
from finscribe_operator.config import OperatorConfig
from finscribe_operator.local.container import ENTRYPOINT, set_secrets
from finscribe_operator.local.manifest_file import Manifest
from finscribe_operator.manifests.config_map import build_config_map
from finscribe_operator.manifests.pod import build_pod_template
from finscribe_operator.runs import find_run


def check_job(manifest: Manifest, environ: Mapping[str, str]) -> int:
    """Start the trainer with the job's config and credentials; returns its exit code.

    Args:
        manifest: the job and its Secrets.
        environ: environment variables that the trainer inherits.
    """
    job = manifest.job
    _, desired = find_run({**job.to_kubernetes(), "spec": job.spec.as_written()}, FineTuneJobStatus())
    run = desired.name
    environment = dict(environ) | {
        ENV_JOB: job.metadata.name,
        ENV_NAMESPACE: job.metadata.namespace,
        ENV_RUN: run,
        ENV_LOG_FORMAT: "text",
    }
    set_secrets(environment, build_pod_template(job, run, OperatorConfig()), manifest.secrets)
    with tempfile.TemporaryDirectory(prefix="finscribe-dry-run-") as folder:
        config = Path(folder) / CONFIG_FILE
        config.write_text(build_config_map(job, run)["data"][CONFIG_FILE], encoding="utf-8")
        options = ["--config", str(config), "--output-dir", str(Path(folder) / "output"), "--dry-run"]
        done = subprocess.run([*ENTRYPOINT, "train", *options], env=environment, check=False)  # noqa: S603 - our own program
    return done.returncode
