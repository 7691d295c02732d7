"""Tables that must be complete: reasons, and metrics."""

import re

from prometheus_client import Metric

from finscribe_core.api.conditions import Reason
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase
from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store
from finscribe_trainer.reporting.metrics import RunMetrics
from tests.unit.docs.pages import ALL

BESIDE_A_GPU_ONLY = {"finscribe_gpu_memory_allocated_bytes", "finscribe_gpu_memory_peak_bytes"}


def rows(page: str, first: str) -> list[list[str]]:
    """The cells of table rows whose first cell matches."""
    lines = re.findall(rf"^\| `({first})` \|(.*)\|$", ALL[page].text, re.MULTILINE)
    return [[name, *(cell.strip() for cell in rest.split(" |"))] for name, rest in lines]


def test_troubleshooting_explains_every_reason_once():
    told = [row[0] for row in rows("docs/troubleshooting.md", r"\w+")]
    assert sorted(told) == sorted({*FailureReason, *Reason, *Phase})


def served() -> list[Metric]:
    registries = (RunMetrics("invoices", "invoices-1").registry, Metrics(Store()).registry)
    families = [family for registry in registries for family in registry.collect()]
    return [family for family in families if family.name.startswith("finscribe_")]


def test_monitoring_lists_every_metric_with_its_type_and_meaning():
    told = {row[0]: (row[1], row[3]) for row in rows("docs/monitoring.md", r"finscribe_\w+")}
    assert {name: told.pop(name, None) for name in BESIDE_A_GPU_ONLY}.keys() == BESIDE_A_GPU_ONLY
    assert told == {
        f"{family.name}_total" if family.type == "counter" else family.name: (
            family.type,
            family.documentation,
        )
        for family in served()
    }


def test_the_queries_of_monitoring_ask_for_metrics_of_its_tables():
    told = {row[0] for row in rows("docs/monitoring.md", r"finscribe_\w+")}
    asked = set(re.findall(r"finscribe_\w+", "".join(ALL["docs/monitoring.md"].blocks("promql"))))
    assert asked
    assert asked <= told
