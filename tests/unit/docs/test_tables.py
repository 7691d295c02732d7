"""The tables of reasons and of metrics are complete and equal to the code."""

import re

from prometheus_client import Metric

from finscribe_core.api.conditions import Reason
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase
from finscribe_operator.limits import Limits
from finscribe_operator.metrics import Metrics
from finscribe_operator.permissions import OWN_PERMISSIONS, PERMISSIONS
from finscribe_operator.store import Store
from finscribe_trainer.reporting.metrics import RunMetrics
from tests.support.gitops_states import GITOPS_STATES
from tests.unit.docs.pages import ALL

GPU_METRICS = {"finscribe_gpu_memory_allocated_bytes", "finscribe_gpu_memory_peak_bytes"}


def table_rows(page: str, first_cell: str) -> list[list[str]]:
    """The cells of the table rows whose first cell matches the pattern."""
    lines = re.findall(rf"^\| `({first_cell})` \|(.*)\|$", ALL[page].text, re.MULTILINE)
    return [[name, *(cell.strip() for cell in rest.split(" |"))] for name, rest in lines]


def test_troubleshooting_explains_every_reason_once():
    described = [row[0] for row in table_rows("docs/troubleshooting.md", r"\w+")]
    assert sorted(described) == sorted({*FailureReason, *Reason, *Phase})


def test_the_security_page_lists_the_operators_permissions():
    described = table_rows("docs/security.md", r"[a-z0-9./-]+")
    assert described == [
        [
            f"{p.group}/{p.resource}".lstrip("/"),
            ", ".join(p.verbs),
            f"{p.why} (only with `{p.only_with}`)" if p.only_with else p.why,
        ]
        for p in (*PERMISSIONS, *OWN_PERMISSIONS)
    ]


def test_the_security_page_names_every_limit():
    limits = {str(field.alias) for field in Limits.model_fields.values()}
    assert limits - set(ALL["docs/security.md"].inline) == {"imagePullSecrets", "gpuResourceNames", "env"}


def test_the_gitops_page_says_how_each_state_is_shown():
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| (\w+) \| (\w+) \|$", ALL["docs/gitops.md"].text, re.MULTILINE
    )
    shown = {state: (argo, kstatus) for states, argo, kstatus in rows for state in re.findall(r"\w+", states)}
    assert shown == GITOPS_STATES


def served_metrics() -> list[Metric]:
    registries = (RunMetrics("invoices", "invoices-1").registry, Metrics(Store()).registry)
    families = [family for registry in registries for family in registry.collect()]
    return [family for family in families if family.name.startswith("finscribe_")]


def test_monitoring_lists_every_metric_with_its_type_and_meaning():
    described = {row[0]: (row[1], row[3]) for row in table_rows("docs/monitoring.md", r"finscribe_\w+")}
    assert {name for name in GPU_METRICS if described.pop(name, None)} == GPU_METRICS
    assert described == {
        f"{family.name}_total" if family.type == "counter" else family.name: (
            family.type,
            family.documentation,
        )
        for family in served_metrics()
    }


def test_the_queries_of_the_alerts_use_listed_metrics():
    listed = {row[0] for row in table_rows("docs/monitoring.md", r"finscribe_\w+")}
    runbooks = [page for name, page in ALL.items() if name.startswith("docs/runbooks/")]
    queries = "".join(query for page in runbooks for query in page.blocks("promql"))
    queried = {name.removesuffix("_bucket") for name in re.findall(r"finscribe_\w+", queries)}
    assert queried
    assert queried <= listed
