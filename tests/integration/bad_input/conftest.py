"""A good world for each case to spoil."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.bad_input.world import World
from tests.support.s3 import S3Server


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny PaddleOCR-VL that `finscribe sample` makes."""
    directory = tmp_path_factory.mktemp("sample")
    arguments = ["sample", "--output-dir", str(directory), "--rows", "4", "--validation-rows", "2"]
    subprocess.run([sys.executable, "-m", "finscribe_core.cli", *arguments], check=True, capture_output=True)
    return directory / "model"


@pytest.fixture
def world(s3_server: S3Server, tmp_path: Path, tiny_model: Path) -> World:
    """A job that would succeed."""
    return World(s3_server, tmp_path, s3_server.create_bucket(), tiny_model)
