"""The commands of docs/cluster-tutorial.md, as they are, lead from a cluster to a job on the board."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import RELEASE, ROOT, SYSTEM_NAMESPACE
from tests.e2e.range_queries import Range
from tests.e2e.shell import open_shell
from tests.e2e.team import Bucket
from tests.support.page_script import script_of
from tests.unit.docs.pages import ALL
from tools.kube.cluster import Cluster
from tools.kube.images import image_name
from tools.kube.services import INTERVAL_SECONDS, Prometheus

PAGE = ALL["docs/cluster-tutorial.md"]
NAMESPACE = "first-job"
RUN = PAGE.tested_commands


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The one that the page makes, deleted afterwards."""
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout, as far as the page needs it."""
    for name in ("charts", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.usefixtures("helm")
@pytest.mark.skipif(shutil.which("aws") is None, reason="the page uploads rows with the aws command")
def test_the_commands_of_the_page_lead_to_a_job_on_the_board_and_to_its_result(
    cluster: Cluster, bucket: Bucket, prometheus: Prometheus, namespace: str, folder: Path
):
    values = {
        "REGISTRY": image_name("operator").partition("/")[0],
        "ENDPOINT": bucket.server.url,
        "BUCKET": "first-bucket",
        "YOUR_KEY_ID": bucket.server.access_key,
        "YOUR_SECRET_KEY": bucket.server.secret_key,
    }
    began = time.time()

    open_shell(cluster, folder, "default").run(script_of(PAGE, values))

    time.sleep(2 * INTERVAL_SECONDS)  # the end is scraped
    found = Range(prometheus.url, began, time.time())
    for query in queries_of_the_board(cluster, "Loss"):
        labels = [series.labels for series in found.read(query)]
        drawn = [one for one in labels if (one["namespace"], one["finetunejob"]) == (namespace, "invoices")]
        assert drawn, f"the board draws nothing for {query}: {labels}"
    assert (folder / "result/adapter/adapter_model.safetensors").exists()
    assert (folder / "result/evaluation/report.html").exists()


def queries_of_the_board(cluster: Cluster, panel: str) -> list[str]:
    """The queries of a panel of the dashboard Run, as the cluster has it for Grafana."""
    name = ("configmap", f"{RELEASE}-dashboards", f"--namespace={SYSTEM_NAMESPACE}", "--output=json")
    board = json.loads(json.loads(cluster.kubectl("get", *name))["data"]["finscribe-run.json"])
    return [q["expr"] for one in board["panels"] if one["title"] == panel for q in one["targets"]]
