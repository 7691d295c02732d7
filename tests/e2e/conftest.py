"""Fixtures: a real cluster with the chart installed, an S3 server, a Prometheus, and a team's namespace.

What the fixtures started is stopped afterwards, unless KEEP=1. IMAGES=keep uses the images that the cluster
already has instead of building them.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from tests.e2e.scrape_targets import serving_targets
from tests.e2e.team import FEW_ROWS, Bucket, Team
from tools.kube.binaries import provide
from tools.kube.cluster import Cluster, local_cluster
from tools.kube.images import TARGETS, image_name
from tools.kube.process import Processes, free_ports
from tools.kube.services import Prometheus, S3Server

ROOT = Path(__file__).parents[2]
RELEASE = "finscribe"
SYSTEM_NAMESPACE = "finscribe-system"
BUCKET = "finscribe-demo"
CREDENTIALS = ("finscribe", "only-for-this-test")
WATCH_SECONDS = 1.0
EXAMPLE_ROWS = 480
"""A fifth of the sample: enough to read some fields."""
POD_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    cluster = local_cluster()
    was_up = cluster.is_up
    try:
        cluster.up()
        if os.environ.get("IMAGES") != "keep":
            for target in TARGETS:
                cluster.provide_image(target)
        yield cluster
    finally:
        if not was_up and os.environ.get("KEEP") != "1":
            cluster.down()


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    """Programs outside the cluster, stopped after the tests."""
    processes = Processes(tmp_path_factory.mktemp("services"), die_with_parent=True)
    yield processes
    processes.stop("versitygw")


@pytest.fixture(scope="session")
def bucket(cluster: Cluster, services: Processes) -> Bucket:
    """An S3 server that pods can reach, with the rows of two samples in a bucket."""
    server = S3Server(cluster.host_address, 7070, services.folder / "s3", *CREDENTIALS)
    services.start(server.part())
    client = boto3.client(
        "s3",
        endpoint_url=server.url,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
    )
    client.create_bucket(Bucket=BUCKET)
    few, example = (
        _write_sample(services.folder / name, rows) for name, rows in (("few", 48), ("example", EXAMPLE_ROWS))
    )
    bucket = Bucket(client, BUCKET, server, few, example)
    for sample, prefix in ((few, FEW_ROWS), (example, "datasets/invoices")):
        for name in ("train.jsonl", "val.jsonl", "test.jsonl", "images"):
            bucket.upload(sample / name, f"{prefix}/{name}")
    return bucket


def _write_sample(folder: Path, rows: int) -> Path:
    counts = ("--rows", str(rows), "--validation-rows", "16", "--test-rows", "8")
    command = [sys.executable, "-m", "finscribe_trainer", "sample", "--output-dir", str(folder), *counts]
    subprocess.run(command, check=True)
    return folder


@dataclass(frozen=True)
class Helm:
    """Helm with the cluster's credentials, in the operator's namespace."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str) -> str:
        """Standard output of a command; the test fails with its message if it does."""
        command = [str(self.program), f"--kubeconfig={self.kubeconfig}", f"--namespace={SYSTEM_NAMESPACE}"]
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.fail(f"helm {arguments[0]}: {done.stderr}", pytrace=False)
        return done.stdout

    def upgrade(self, settings: Mapping[str, object], *options: str) -> None:
        """Install the chart of this checkout, or upgrade to it, and wait until its pods are ready."""
        values = [f"--set-json={key}={json.dumps(value)}" for key, value in settings.items()]
        chart = str(ROOT / "charts/finscribe")
        self("upgrade", "--install", RELEASE, chart, "--wait", "--timeout=3m", *options, *values)


@pytest.fixture(scope="session")
def release(cluster: Cluster) -> Helm:
    """Install the chart with helm, as a user does, with the images just built."""
    settings = {
        "operator.image.pullPolicy": "Never",
        "operator.config.trainerImage": image_name("trainer"),
        "operator.config.imagePullPolicy": "Never",
        "operator.config.progressIntervalSeconds": 1,
    }
    helm = Helm(provide(["helm"])["helm"], cluster.kubeconfig)
    try:
        helm.upgrade(settings, "--create-namespace")
    except pytest.fail.Exception as failure:
        pods = cluster.kubectl("describe", "pods", f"--namespace={SYSTEM_NAMESPACE}")
        pytest.fail(f"{failure}\n{pods[-3000:]}", pytrace=False)
    return helm


@pytest.fixture
def helm(release: Helm) -> Iterator[Helm]:
    """What a test makes of the release is undone afterwards."""
    before = json.loads(release("history", RELEASE, "--output=json"))[-1]["revision"]
    yield release
    release("rollback", RELEASE, str(before), "--wait", "--timeout=3m")


@pytest.fixture(scope="session")
def prometheus(cluster: Cluster, services: Processes, release: Helm) -> Iterator[Prometheus]:
    with serving_targets(cluster) as url:
        server = Prometheus(free_ports(1)[0], services.folder / "prometheus", url)
        services.start(server.part())
        yield server
        services.stop("prometheus")


@dataclass
class TableWatcher:
    """Reads `kubectl get ftj` every second during all tests."""

    team: Team
    rows_read: int = 0

    def __post_init__(self) -> None:
        self.incomplete_rows: list[str] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._end.wait(WATCH_SECONDS):
            for row in self.team.table():
                self.rows_read += 1
                if len(row) != 6 or "<none>" in row:
                    self.incomplete_rows.append(" ".join(row))


@pytest.fixture(scope="session")
def team(cluster: Cluster, bucket: Bucket, release: Helm, prometheus: Prometheus) -> Iterator[Team]:
    """A namespace that enforces Pod Security `restricted`, with the Secret of the bucket."""
    team = Team(cluster, "team-invoices")
    labels = {"name": team.namespace, "labels": POD_SECURITY}
    team.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": labels})
    team.write_secret("s3-credentials", bucket.server)
    watcher = TableWatcher(team)
    watcher.start()
    yield team
    watcher.stop()
    cluster.kubectl("delete", "namespace", team.namespace)
    assert watcher.rows_read > 0
    assert watcher.incomplete_rows == [], "every column of kubectl get ftj must always have a value"
