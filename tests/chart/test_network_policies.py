"""Which connections the chart's NetworkPolicies allow, read as Kubernetes defines them."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import HTTP_PORT
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests.job import build_job as build_run
from finscribe_operator.manifests.task_jobs import build_data_check_job, build_lookup_job
from tests.apiserver.workspace import build_job
from tests.chart.conftest import CHART, KUBE_VERSION, Render
from tests.chart.test_chart import find

pytestmark = pytest.mark.chart

CONFIG = OperatorConfig()
METRICS, HEALTH, NCCL = CONFIG.metrics_port, CONFIG.health_port, 29500
ON = ("networkPolicy.enabled=true", 'networkPolicy.namespaces=["team-a", "team-b"]')
JOB = FineTuneJob.model_validate(build_job() | {"metadata": {"name": "invoices", "namespace": "team-a"}})
LABELS = build_run(JOB, "invoices-0123abcd", CONFIG)["spec"]["template"]["metadata"]["labels"]

End = tuple[str, dict[str, str]] | str
"""Namespace and labels of a pod, or an address outside the cluster's pods."""
ENDS: dict[str, End] = {
    "run": ("team-a", LABELS),
    "run elsewhere": ("team-b", LABELS),
    "notebook": ("team-a", {"app": "notebook"}),
    "monitor": ("monitoring", {"app": "prometheus"}),
    "name server": ("kube-system", {"k8s-app": "kube-dns"}),
    "bucket": "52.216.0.1",
    "metadata service": "169.254.169.254",
    "node": "10.0.0.7",
    "API server": "10.96.0.1",
    "Ingress": ("ingress", {"app": "nginx"}),
}
ALLOWED = {
    ("run", "name server", 53),
    ("run", "run", NCCL),
    ("run", "bucket", 443),
    ("operator", "run", HTTP_PORT),
    ("operator", "run elsewhere", HTTP_PORT),
    ("operator", "name server", 53),
    ("operator", "API server", 443),
    ("operator", "node", 6443),
    ("monitor", "run", HTTP_PORT),
    ("monitor", "operator", METRICS),
}
REFUSED = {
    ("run", "run elsewhere", NCCL),
    ("run", "name server", 443),
    ("run", "bucket", 80),
    ("run", "metadata service", 80),
    ("run", "metadata service", 443),
    ("run", "node", 443),
    ("run", "API server", 443),
    ("run", "notebook", 443),
    ("run", "operator", METRICS),
    ("run elsewhere", "run", HTTP_PORT),
    ("notebook", "run", HTTP_PORT),
    ("notebook", "operator", METRICS),
    ("monitor", "run", NCCL),
    ("monitor", "operator", HEALTH),
    ("operator", "run", NCCL),
    ("operator", "bucket", 80),
}
Allows = Callable[[str, str, int], bool]


def read(objects: list[dict[str, Any]]) -> Allows:
    """Whether the policies among these objects allow a connection from one end to another one's port."""
    own = {
        made["metadata"]["name"].removeprefix("finscribe-"): (
            made["metadata"]["namespace"],
            made["spec"]["template"]["metadata"]["labels"],
        )
        for made in find(objects, "Deployment")
    }
    ends = ENDS | own

    def policies(end: End, kind: str) -> list[dict[str, Any]]:
        found = [
            (policy["metadata"]["namespace"], policy["spec"])
            for policy in find(objects, "NetworkPolicy")
            if kind in policy["spec"]["policyTypes"]
        ]
        return [spec for name, spec in found if is_peer({"podSelector": spec["podSelector"]}, end, name)]

    def allows(source: str, target: str, port: int) -> bool:
        leaving, entering = policies(ends[source], "Egress"), policies(ends[target], "Ingress")
        return all(
            not found or any(has_rule(spec[way], key, ends[peer], port, ends[own]) for spec in found)
            for found, way, key, peer, own in (
                (leaving, "egress", "to", target, source),
                (entering, "ingress", "from", source, target),
            )
        )

    return allows


def has_rule(rules: list[dict[str, Any]], key: str, peer: End, port: int, own: End) -> bool:
    """Whether a rule allows a connection with the peer; no peers or no ports in a rule mean all of them."""
    return any(
        (not rule.get(key) or any(is_peer(wanted, peer, own[0]) for wanted in rule[key]))
        and (not rule.get("ports") or port in [allowed["port"] for allowed in rule["ports"]])
        for rule in rules
    )


def is_peer(wanted: dict[str, Any], end: End, own_namespace: str) -> bool:
    if "ipBlock" in wanted or isinstance(end, str):
        block = wanted.get("ipBlock")
        if not block or not isinstance(end, str):
            return False
        inside = [ip_address(end) in ip_network(net) for net in (block["cidr"], *block.get("except", []))]
        return inside[0] and not any(inside[1:])
    namespace, labels = end
    where = wanted.get("namespaceSelector", {"matchLabels": {"kubernetes.io/metadata.name": own_namespace}})
    return where["matchLabels"] == {"kubernetes.io/metadata.name": namespace} and (
        wanted.get("podSelector", {}).get("matchLabels", {}).items() <= labels.items()
    )


def test_operator_and_runs_may_open_these_connections_and_no_others(render: Render):
    allows = read(render(*ON))

    assert {c for c in ALLOWED | REFUSED if allows(*c)} == ALLOWED


def test_without_the_setting_all_connections_are_allowed(render: Render):
    allows = read(render())

    assert all(allows(*connection) for connection in ALLOWED | REFUSED)


def test_without_monitors_nobody_reads_the_operators_metrics_and_only_the_operator_those_of_runs(
    render: Render,
):
    allows = read(render(*ON, "networkPolicy.monitors=[]"))

    assert {c for c in ALLOWED if not allows(*c)} == {c for c in ALLOWED if c[0] == "monitor"}


@pytest.mark.parametrize("visitors", [[], ["Ingress"]], ids=["nobody", "the Ingress"])
def test_the_web_view_reaches_the_api_server_only_and_is_open_to_its_visitors_only(
    render: Render, visitors: list[str]
):
    peer = '[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]'
    settings = [f"networkPolicy.visitors={peer}"] if visitors else []
    allows = read(render(*ON, "ui.enabled=true", *settings))
    others = {*ENDS, "operator"}

    assert {name for name in others if allows(name, "ui", 8080)} == set(visitors)
    assert {name for name in others for port in (53, 80, 8080) if allows("ui", name, port)} == set()
    assert allows("ui", "API server", 443) and allows("ui", "node", 6443)
    assert {c for c in ALLOWED | REFUSED if allows(*c)} == ALLOWED


def test_a_rule_of_the_platform_opens_its_own_storage(render: Render):
    rule = '{"to": [{"ipBlock": {"cidr": "10.0.0.7/32"}}], "ports": [{"port": 9000}]}'
    allows = read(render(*ON, f"networkPolicy.storageAndHub=[{rule}]"))

    assert allows("run", "node", 9000) and not allows("run", "bucket", 443)


def test_the_pods_of_all_tasks_have_the_labels_that_the_policies_select():
    for task in (
        build_lookup_job(JOB, "r-0123abcd", CONFIG),
        build_data_check_job(JOB, "r-0123abcd", 1, "", CONFIG),
    ):
        labels = task["spec"]["template"]["metadata"]["labels"]
        assert labels.items() >= {(k, v) for k, v in LABELS.items() if k.startswith("app.kubernetes.io/")}


def test_the_namespaces_with_runs_must_be_known(render: Render, helm):
    command = ("template", "finscribe", str(CHART), "--kube-version", KUBE_VERSION)
    done = helm(*command, "--set-json", "networkPolicy.enabled=true")
    assert "networkPolicy.namespaces must list the namespaces with runs" in done.stderr

    listed = render("networkPolicy.enabled=true", 'operator.config.namespaces=["team-a"]')
    assert [p["metadata"]["namespace"] for p in find(listed, "NetworkPolicy", "finscribe-runs")] == ["team-a"]
