import json
import re
from collections.abc import Iterator

import pytest
from prometheus_client import Metric

from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store
from finscribe_trainer.reporting.metrics import RunMetrics
from tests.unit.operator.builders import a_job
from tools.dashboards.build import BOARDS, dashboard_text
from tools.dashboards.panels import Board

ON_A_GPU_ONLY = {"finscribe_gpu_memory_allocated_bytes"}


STATUS = {
    "run": {"name": "invoices-1", "goodput": {"ratio": "0.5"}},
    "conditions": [{"type": "Promoted", "status": "True", "reason": "GatePassed"}],
    "evaluation": {"base": {"fieldAccuracy": "0"}},
}


@pytest.fixture
def served() -> list[Metric]:
    """All metrics of trainer and operator, with label values for those that need them."""
    store = Store()
    store.put(a_job(status=STATUS))
    run, operator = RunMetrics("invoices", "invoices-1"), Metrics(store)
    run.set_info("PaddlePaddle/PaddleOCR-VL", "LoRA")
    operator.reconciles.labels("success")
    operator.runs_finished.labels("Failed", "OOMKilled")
    return [*run.registry.collect(), *operator.registry.collect()]


def test_every_metric_of_the_dashboards_exists(served):
    asked = set(re.findall(r"finscribe_\w+", " ".join(_expressions())))
    names = {sample.name for family in served for sample in family.samples} | {
        family.name for family in served
    }

    assert asked - names == ON_A_GPU_ONLY


def test_every_label_in_a_legend_exists(served):
    used = {label for board in BOARDS for label in re.findall(r"{{(\w+)}}", dashboard_text(board))}
    labels = {label for family in served for sample in family.samples for label in sample.labels}

    # pod: of Prometheus itself; gpu and exported_pod: of the DCGM exporter
    assert used - labels == {"device", "pod", "gpu", "exported_pod"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_have_a_description_and_do_not_overlap(board: Board):
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard_text(board))["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert panel["type"] == "row" or panel["description"], panel["title"]
        taken |= cells


def test_every_link_is_to_a_dashboard_with_the_variables_that_it_sets():
    boards = {board.uid: board for board in BOARDS}
    links = [link for board in BOARDS for link in re.findall(r"\"url\": \"/d/(.*?)\"", dashboard_text(board))]
    assert len(links) > len(BOARDS)
    for link in links:
        uid, _, query = link.partition("?")
        known = {variable.name for variable in boards[uid].variables}
        assert set(re.findall(r"var-(\w+)", query)) <= known, link


def _expressions() -> Iterator[str]:
    for board in BOARDS:
        for panel in json.loads(dashboard_text(board))["panels"]:
            yield from (target["expr"] for target in panel.get("targets", []))
