"""Prometheus's alerts: promtool's tests of charts/finscribe/alerts.yaml, and how the chart renders them."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.conftest import CHART

pytestmark = pytest.mark.chart

ALERTS = CHART / "alerts.yaml"
TESTS = Path(__file__).with_name("alerts.yaml")
RUNBOOKS = CHART.parents[1] / "docs" / "runbooks"


def written() -> list[dict]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def test_each_alert_fires_for_its_cause_and_for_nothing_else(promtool, tmp_path):
    # promtool compares annotations, too, where a test has an alert: they are compared here instead.
    rules = yaml.safe_load(ALERTS.read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        del rule["annotations"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    (tmp_path / "tests.yaml").write_text(TESTS.read_text().replace("RULES", str(tmp_path / "rules.yaml")))
    for command in (
        ["check", "rules", "--lint=all", str(ALERTS)],
        ["test", "rules", str(tmp_path / "tests.yaml")],
    ):
        done = subprocess.run([promtool, *command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested():
    tested = set(re.findall(r"alertname: (\w+)", TESTS.read_text()))
    assert tested == {rule["alert"] for rule in written()}


def test_each_alert_has_a_runbook_that_shows_its_expression():
    assert {path.stem for path in RUNBOOKS.glob("Finscribe*.md")} == {rule["alert"] for rule in written()}
    for rule in written():
        text = (RUNBOOKS / f"{rule['alert']}.md").read_text()
        shown = " ".join(re.search(r"```promql\n(.*?)```", text, re.DOTALL).group(1).split())
        assert shown == " ".join(rule["expr"].split()), rule["alert"]


def test_the_chart_renders_the_alerts_with_links_but_those_that_are_disabled(render):
    settings = {
        "metrics.rules.enabled": True,
        "metrics.rules.disabled": ["FinscribeGateFailed"],
        "metrics.rules.runbooks": "https://wiki.example.com/runbooks/",
    }
    objects = render(*(f"{name}={json.dumps(value)}" for name, value in settings.items()))
    (rendered,) = [found for found in objects if found["kind"] == "PrometheusRule"]

    expected = [rule for rule in written() if rule["alert"] != "FinscribeGateFailed"]
    for rule in expected:
        url = f"https://wiki.example.com/runbooks/{rule['alert']}.md"
        rule["annotations"]["runbook_url"] = url
    assert [rule for group in rendered["spec"]["groups"] for rule in group["rules"]] == expected
