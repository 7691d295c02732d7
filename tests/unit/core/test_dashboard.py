import json
import re
from collections.abc import Iterator

import pytest
from prometheus_client import Metric

from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store
from finscribe_trainer.reporting.metrics import RunMetrics
from tools.dashboards import dashboard_text

ON_A_GPU_ONLY = {"finscribe_gpu_memory_allocated_bytes"}


@pytest.fixture
def served() -> list[Metric]:
    """All metrics of trainer and operator, with label values for those that need them."""
    run, operator = RunMetrics("invoices", "invoices-1"), Metrics(Store())
    run.set_info("PaddlePaddle/PaddleOCR-VL", "LoRA")
    operator.reconciles.labels("success")
    operator.runs_finished.labels("Failed", "OOMKilled")
    return [*run.registry.collect(), *operator.registry.collect()]


def test_every_metric_of_the_dashboard_exists(served):
    asked = set(re.findall(r"finscribe_\w+", " ".join(_expressions())))
    names = {sample.name for family in served for sample in family.samples} | {
        family.name for family in served
    }

    assert asked - names == ON_A_GPU_ONLY


def test_every_label_in_a_legend_exists(served):
    used = set(re.findall(r"{{(\w+)}}", dashboard_text()))
    labels = {label for family in served for sample in family.samples for label in sample.labels}

    assert used - labels == {"device", "pod"}  # pod: of Prometheus itself


def test_panels_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard_text())["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells


def _expressions() -> Iterator[str]:
    for panel in json.loads(dashboard_text())["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
