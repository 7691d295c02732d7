"""The tutorial's changes of job and sample, as written; tests of the operator and e2e tests run its demo."""

import shutil

import pytest

from finscribe_operator.local.manifest_file import read_manifest
from tests.integration.docs.shell import run
from tests.unit.docs.pages import ALL, ROOT

RUN = [
    line
    for line in ALL["docs/tutorial.md"].tested_commands
    if line.startswith(("cp ", "sed ", "finscribe sample "))
]


def test_the_changes_of_the_tutorial_work_as_written(tmp_path):
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "finscribe-demo").mkdir()

    run(["finscribe sample --output-dir finscribe-demo/sample --rows 60 --test-rows 4", *RUN], tmp_path)

    assert [line.split()[0] for line in RUN] == ["cp", "sed", "finscribe"]
    job = read_manifest(tmp_path / "finscribe-demo/job.yaml").job
    assert job.spec.training.learning_rate == pytest.approx(1e-4)
    assert len((tmp_path / "finscribe-demo/sample/train.jsonl").read_text().splitlines()) == 50
