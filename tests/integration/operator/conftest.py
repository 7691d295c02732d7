"""Fixtures for `finscribe run`: started as a process, with a real S3 server."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.s3 import S3Server

TIMEOUT_SECONDS = 240
"""Loading torch alone takes half a minute on a busy machine."""


class LocalProject:
    """A working directory with a job file, and a bucket with the job's data and model."""

    def __init__(self, server: S3Server, directory: Path, sample: Path) -> None:
        self.server = server
        self.directory = directory
        self.bucket = server.create_bucket()
        self.job = directory / "job.yaml"
        self._upload(sample)

    def write_job(self, epochs: int = 1, **training: object) -> None:
        """Write a job that trains the tiny model on the CPU, and its Secret, to one file."""
        spec = {
            "model": {"source": f"s3://{self.bucket}/model"},
            "dataset": {
                "train": f"s3://{self.bucket}/train.jsonl",
                "validation": f"s3://{self.bucket}/val.jsonl",
            },
            "training": {
                "numTrainEpochs": epochs,
                "perDeviceTrainBatchSize": 4,
                "gradientAccumulationSteps": 1,
                "maxSequenceLength": 1024,
                "dataloaderNumWorkers": 0,
                **training,
            },
            "evaluation": {"trainingDocuments": 0, "maxDocuments": 2, "maxNewTokens": 16},
            "output": {"uri": f"s3://{self.bucket}/results"},
            "storage": {"credentialsSecretRef": {"name": "s3"}},
            "resources": {"gpus": 0},
        }
        job = {"apiVersion": "finscribe.io/v1alpha1", "kind": "FineTuneJob", "metadata": {"name": "invoices"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}}
        values = {k: v for k, v in self.server.env.items() if k != "AWS_EC2_METADATA_DISABLED"}
        documents = [{**job, "spec": spec}, {**secret, "stringData": values}]
        self.job.write_text(yaml.safe_dump_all(documents, sort_keys=False))

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start `finscribe run`."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "finscribe_core.cli", "run", "job.yaml", *arguments),
            cwd=self.directory,
            env={k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run `finscribe run` to its end; returns exit code and output."""
        return await self.finish(await self.start(*arguments))

    @staticmethod
    async def finish(process: asyncio.subprocess.Process) -> tuple[int, str]:
        """Wait for the end; returns exit code and output."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def until(self, condition: Callable[[], bool], process: asyncio.subprocess.Process) -> None:
        """Wait until the condition is true, while the process runs."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not condition():
                assert process.returncode is None, await self.finish(process)
                await asyncio.sleep(0.1)

    def keys(self, ending: str) -> list[str]:
        """The bucket's keys with this ending."""
        return [key for key in self.server.keys(self.bucket) if key.endswith(ending)]

    @property
    def status(self) -> dict[str, object]:
        """The job's status, from the state directory."""
        path = self.directory / ".finscribe/objects/FineTuneJob/default/invoices.json"
        status: dict[str, object] = json.loads(path.read_text())["status"]
        return status

    def _upload(self, folder: Path) -> None:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            self.server.client().upload_file(str(path), self.bucket, path.relative_to(folder).as_posix())


@pytest.fixture
def project(s3_server: S3Server, tmp_path: Path, sample: Path) -> LocalProject:
    """A project with a job file."""
    project = LocalProject(s3_server, tmp_path, sample)
    project.write_job()
    return project
