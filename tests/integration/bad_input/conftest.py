"""A valid job, which each case makes invalid."""

from pathlib import Path

import pytest

from tests.integration.bad_input.valid_job import ValidJob
from tests.support.s3 import S3Server


@pytest.fixture
def job(s3_server: S3Server, tmp_path: Path, sample: Path) -> ValidJob:
    """A job that would succeed."""
    return ValidJob(s3_server, tmp_path, s3_server.create_bucket(), sample / "model")
