"""Every query of the dashboard finds data in a real Prometheus during a real run."""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.apiserver.eventually import eventually
from tests.e2e.team import RUN_SECONDS, Team
from tools.kube.services import Prometheus

DASHBOARDS = Path(__file__).parents[2] / "charts" / "finscribe" / "dashboards"
VARIABLES = {"$namespace": ".*", "$finetunejob": ".*", "$__rate_interval": "30s"}
NEEDS_A_GPU = re.compile("finscribe_gpu_")


def dashboard_queries() -> list[str]:
    targets = [
        target["expr"]
        for path in sorted(DASHBOARDS.glob("*.json"))
        for panel in json.loads(path.read_text())["panels"]
        for target in panel.get("targets", [])
    ]
    return [query for query in targets if not NEEDS_A_GPU.search(query)]


@pytest.fixture(scope="module")
def training(team: Team) -> Iterator[str]:
    """A run that trains long enough for all queries, after one that failed: ended runs are counted, too."""
    team.submit("failed", dataset={"train": "s3://finscribe-demo/nowhere/train.jsonl"})
    team.await_condition("failed", "Failed")
    training = {"numTrainEpochs": 8, "evalSteps": 8}
    evaluation = {"trainingDocuments": 2}
    team.submit("watched", training=training, evaluation=evaluation, earlyStopping={"enabled": False})
    eventually(lambda: team.status("watched").progress.step >= 9, within=RUN_SECONDS)
    yield "watched"
    team.kubectl("delete", "ftj", "watched", "failed")


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("query", dashboard_queries())
def test_a_query_of_the_dashboard_finds_data(prometheus: Prometheus, query: str):
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    url = f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"

    def found() -> list:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.loads(answer.read())["data"]["result"]

    eventually(found, within=60, what=f"no data for {query}")
