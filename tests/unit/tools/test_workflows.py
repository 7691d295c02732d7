"""The workflows for GitHub call make targets that exist; `make lint-workflows` checks their syntax."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
TARGETS = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def jobs_of(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())["jobs"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_every_make_target_of_a_workflow_exists(path: Path):
    commands = [step["run"] for job in jobs_of(path).values() for step in job["steps"] if "run" in step]
    called = {target for command in commands for target in re.findall(r"\bmake ([a-z0-9-]+)", command)}
    assert called and called <= TARGETS


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.name)
def test_a_workflow_may_only_read_unless_a_job_says_more(path: Path):
    assert yaml.safe_load(path.read_text())["permissions"] == {"contents": "read"}


def test_the_oldest_python_that_is_tested_is_the_oldest_that_is_supported():
    tested = jobs_of(ROOT / ".github/workflows/tests.yaml")["test"]["strategy"]["matrix"]["python"]
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == f">={min(tested, key=lambda version: int(version.split('.')[1]))}"
