"""A good world for each case to spoil."""

from pathlib import Path

import pytest

from tests.integration.bad_input.world import World
from tests.support.s3 import S3Server


@pytest.fixture
def world(s3_server: S3Server, tmp_path: Path, sample: Path) -> World:
    """A job that would succeed."""
    return World(s3_server, tmp_path, s3_server.create_bucket(), sample / "model")
