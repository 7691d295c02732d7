"""The trainer's HTTP endpoints: /metrics, /progress and /healthz."""

import http.client
import json
import re
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from finscribe_core.constants import ENV_CAUSE
from finscribe_core.errors import UserError
from finscribe_core.report import Phase, ProgressReport
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.reporting.server import ReportServer

IDENTITY = {"finetunejob": "invoices", "run": "invoices-1a2b"}


@pytest.fixture
def reporter(clock, monkeypatch) -> RunReporter:
    monkeypatch.setenv(ENV_CAUSE, "Scheduled")
    return RunReporter("invoices-1a2b", "invoices", clock)


def get(server, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=5) as response:
        return response.read().decode()


def read_samples(server) -> dict[tuple[str, str], float]:
    """Samples that carry the run's identity, by name and the value of their other label."""
    samples = {}
    for family in text_string_to_metric_families(get(server, "/metrics")):
        for sample in family.samples:
            if sample.name.startswith("finscribe_"):
                assert sample.labels.items() >= IDENTITY.items()
                rest = [value for name, value in sorted(sample.labels.items()) if name not in IDENTITY]
                samples[sample.name, ",".join(rest)] = sample.value
    return samples


def test_every_reported_value_is_a_prometheus_metric(reporter, clock):
    reporter.set_run_info("PaddlePaddle/PaddleOCR-VL", "LoRA")
    reporter.set_phase(Phase.Training)
    reporter.record_step(0, 10, 0.0)
    clock.wait(2.0)
    reporter.record_step(1, 10, 0.5)
    reporter.record_metrics(
        train_loss=0.4, eval_loss=0.5, best_eval_loss=0.45, base_eval_loss=2.5, learning_rate=2e-5
    )
    reporter.record_metrics(tokens=100, samples=4)
    reporter.record_metrics(tokens=50, samples=2)
    reporter.transferred("download", 1234)
    reporter.retried()

    with ReportServer(reporter, 0) as server:
        samples = read_samples(server)

    expected = {
        ("finscribe_train_loss", ""): 0.4,
        ("finscribe_eval_loss", ""): 0.5,
        ("finscribe_best_eval_loss", ""): 0.45,
        ("finscribe_base_eval_loss", ""): 2.5,
        ("finscribe_learning_rate", ""): 2e-5,
        ("finscribe_train_step", ""): 1,
        ("finscribe_train_planned_steps", ""): 10,
        ("finscribe_epoch", ""): 0.5,
        ("finscribe_tokens_total", ""): 150,
        ("finscribe_samples_total", ""): 6,
        ("finscribe_step_duration_seconds_count", ""): 1,
        ("finscribe_step_duration_seconds_sum", ""): 2.0,
        ("finscribe_phase", "Training"): 1,
        ("finscribe_phase", "Starting"): 0,
        ("finscribe_storage_transferred_bytes_total", "download"): 1234,
        ("finscribe_storage_transferred_bytes_total", "upload"): 0,
        ("finscribe_storage_requests_retried_total", ""): 1,
        ("finscribe_run_info", "Scheduled,LoRA,PaddlePaddle/PaddleOCR-VL"): 1,
    }
    assert {key: samples.get(key) for key in expected} == expected


def test_a_metric_without_a_value_exports_no_sample(reporter):
    with ReportServer(reporter, 0) as server:
        assert ("finscribe_eval_loss", "") not in read_samples(server)


def test_process_metrics_are_exported(reporter):
    with ReportServer(reporter, 0) as server:
        assert re.search(r"^process_resident_memory_bytes \d", get(server, "/metrics"), re.MULTILINE)


def test_progress_is_camel_case_json_the_operator_reads_back(reporter):
    reporter.set_phase(Phase.Training)
    reporter.record_step(3, 10, 0.3)
    reporter.record_metrics(train_loss=0.4)

    with ReportServer(reporter, 0) as server:
        text = get(server, "/progress")

    assert json.loads(text)["progress"]["totalSteps"] == 10
    assert ProgressReport.model_validate_json(text) == reporter.snapshot()


def test_healthz_reports_a_hung_activity(reporter, clock):
    reporter.set_step_timeout(60)
    reporter.set_activity("batch 1 of step 7")
    with ReportServer(reporter, 0) as server:
        assert get(server, "/healthz") == "ok\n"
        clock.wait(60)
        with pytest.raises(urllib.error.HTTPError, match="503") as caught:
            get(server, "/healthz")
        assert caught.value.read().decode().startswith("batch 1 of step 7 has not ended in 60 s")
    reporter.set_activity(None)


def test_other_paths_are_not_found(reporter):
    with ReportServer(reporter, 0) as server, pytest.raises(urllib.error.HTTPError, match="404"):
        get(server, "/etc/passwd")


def test_a_client_that_disconnects_causes_no_traceback(reporter, capfd, monkeypatch):
    answered = threading.Event()

    def snapshot():
        answered.set()
        raise BrokenPipeError("as writing to it would")

    monkeypatch.setattr(reporter, "snapshot", snapshot)
    with ReportServer(reporter, 0) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            get(server, "/progress")
        assert answered.is_set()
    assert "Traceback" not in capfd.readouterr().err


def test_a_port_in_use_is_reported(reporter):
    with ReportServer(reporter, 0) as server, pytest.raises(UserError, match=str(server.port)):
        ReportServer(reporter, server.port)


@pytest.mark.parametrize(("in_pod", "address"), [(True, "0.0.0.0"), (False, "127.0.0.1")])
def test_only_in_a_pod_the_server_binds_to_all_addresses(in_pod, address, reporter, monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    if in_pod:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with ReportServer(reporter, 0) as server:
        assert server.address == address
