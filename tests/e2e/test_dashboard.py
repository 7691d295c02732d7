"""Every query of the dashboards finds data in a real Prometheus: a run fails, another one is retried.

With BOARD_PICTURES=FOLDER the data of each dashboard are drawn, too.
"""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finscribe_core.constants import ANNOTATION_RETRY
from finscribe_core.errors import FailureReason
from tests.apiserver.eventually import eventually
from tests.e2e.board_pictures import draw
from tests.e2e.range_queries import Range
from tests.e2e.team import Bucket, Team
from tools.dashboards.build import BOARDS
from tools.dashboards.panels import Query
from tools.kube.services import INTERVAL_SECONDS, Prometheus

NEEDS_A_GPU = re.compile("finscribe_gpu_memory|DCGM_")
QUERIES = [query for board in BOARDS for panels in board.rows.values() for p in panels for query in p.queries]
ROWS = "datasets/watched"


@pytest.fixture(scope="module")
def watched(team: Team, bucket: Bucket, prometheus: Prometheus) -> Iterator[Range]:
    """The time of two jobs: one that fails, and one that fails at first, is retried, and succeeds."""
    began = time.time()
    # What was counted before the first scrape is no increase.
    eventually(lambda: Range(prometheus.url, began, time.time()).read("finscribe_operator_leader"), within=60)
    team.submit("failed", dataset={"train": "s3://finscribe-demo/nowhere/train.jsonl"})
    team.submit(
        "watched",
        dataset={"train": f"s3://finscribe-demo/{ROWS}/train.jsonl"},
        training={"numTrainEpochs": 3, "evalSteps": 8, "loggingSteps": 4},
        evaluation={
            "enabled": True,
            "trainingDocuments": 2,
            "maxDocuments": 2,
            "gate": {"metric": "field_accuracy", "minimum": 0},
        },
        earlyStopping={"enabled": False},
    )
    for name in ("failed", "watched"):
        team.await_condition(name, "Failed", FailureReason.DatasetNotFound)
    for name in ("train.jsonl", "images"):
        bucket.upload(bucket.sample / name, f"{ROWS}/{name}")
    team.kubectl("annotate", "ftj", "watched", f"{ANNOTATION_RETRY}=1")
    team.await_condition("watched", "Complete")
    time.sleep(2 * INTERVAL_SECONDS)  # the end is scraped
    yield Range(prometheus.url, began, time.time())
    team.kubectl("delete", "ftj", "watched", "failed")


@pytest.mark.parametrize(
    "query", [query for query in QUERIES if not NEEDS_A_GPU.search(query.expr)], ids=lambda query: query.expr
)
def test_a_query_of_the_dashboards_finds_data(watched: Range, query: Query):
    assert watched.read(query.expr)


@pytest.mark.skipif("BOARD_PICTURES" not in os.environ, reason="draws pictures for the documentation")
def test_the_data_of_each_dashboard_are_drawn(watched: Range):
    for board in BOARDS:
        assert draw(board, watched, Path(os.environ["BOARD_PICTURES"])).exists()
