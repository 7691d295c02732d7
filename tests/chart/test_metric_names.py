"""The metrics of operator and trainer follow the naming rules that promtool checks."""

import subprocess
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from finscribe_operator.metrics import Metrics
from finscribe_operator.store import Store
from finscribe_trainer.reporting.metrics import RunMetrics
from tests.unit.operator.builders import a_job, run_name

pytestmark = pytest.mark.chart


def of_operator() -> CollectorRegistry:
    """With a job that has every figure of a run."""
    name = run_name(a_job())
    run = {"name": name, "attempts": 2, "gpuSeconds": {"training": 60, "total": 100}, "goodput": "0.5"}
    status = {
        "conditions": [{"type": "Running", "status": "False", "reason": "Unschedulable"}],
        "run": run,
        "evaluation": {"documents": 8, "gate": "Passed", "tuned": {"fieldAccuracy": "0.75"}},
    }
    store = Store()
    store.put(a_job(status=status))
    return Metrics(store).registry


def of_trainer() -> CollectorRegistry:
    metrics = RunMetrics("invoices", "invoices-12345678")
    metrics.set_info("finscribe/tiny-ocr-vl", "LoRA")
    return metrics.registry


def samples_of_all(registry: CollectorRegistry) -> bytes:
    """The served text, with a sample of each metric that has none yet: promtool ignores those without."""
    filled = CollectorRegistry()
    for metric in registry.collect():
        if not metric.samples:
            suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
            for suffix in suffixes.get(metric.type, [""]):
                metric.add_sample(metric.name + suffix, {"le": "+Inf"} if suffix == "_bucket" else {}, 1)
        filled.register(Fixed(metric))
    return generate_latest(filled)


@dataclass(frozen=True, eq=False)
class Fixed(Collector):
    """Serves one metric as it is."""

    metric: Metric

    def collect(self) -> list[Metric]:
        return [self.metric]


@pytest.mark.parametrize("registry", [of_operator, of_trainer])
def test_promtool_finds_no_fault_in_the_metrics(promtool, registry):
    served = samples_of_all(registry())
    assert served.count(b"# HELP") > 20

    done = subprocess.run(
        [promtool, "check", "metrics"], input=served, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
