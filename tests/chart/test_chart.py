import json
import os
import re
from collections.abc import Iterable
from typing import Any

import pytest
import yaml

from finscribe_core.api.crd import build_crd
from finscribe_core.constants import FIELD_MANAGER, HTTP_PORT_NAME
from finscribe_operator.config import OperatorConfig
from finscribe_operator.permissions import OWN_PERMISSIONS, PERMISSIONS
from tests.chart.conftest import CHART, KUBE_VERSION

pytestmark = pytest.mark.chart

DEFAULTS = CHART.parents[1] / "deploy" / "operator.yaml"
DIGEST = f"sha256:{'0' * 64}"


def find(objects: Iterable[dict[str, Any]], kind: str, name: str | None = None) -> list[dict[str, Any]]:
    return [found for found in objects if found["kind"] == kind and name in (None, found["metadata"]["name"])]


def granted_by(role: dict[str, Any]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [
        (group, resource, tuple(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    ]


def test_helm_lint_finds_nothing(helm):
    done = helm("lint", "--strict", "--kube-version", "1.36.3", str(CHART))

    assert done.returncode == 0, done.stdout


def test_the_default_values_render_as_expected(render_text):
    rendered = render_text("crds.enabled=false")
    if os.environ.get("UPDATE_GOLDEN"):
        DEFAULTS.write_text(rendered)

    assert rendered == DEFAULTS.read_text(), "if this is intended: make update-golden"


def test_the_crd_of_the_chart_is_the_crd(render):
    (crd,) = find(render(), "CustomResourceDefinition")

    assert crd["spec"] == build_crd()["spec"]
    assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_crd_can_be_omitted(render):
    assert find(render("crds.enabled=false"), "CustomResourceDefinition") == []


def test_the_crd_can_be_deleted_with_the_release(render):
    (crd,) = find(render("crds.keep=false"), "CustomResourceDefinition")

    assert "annotations" not in crd["metadata"]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("operator.replica=2", "additional properties 'replica' not allowed"),
        ("operator.replicas=-1", "minimum: got -1, want 0"),
        ('operator.config.logLevle="INFO"', "additional properties 'logLevle' not allowed"),
        ('operator.config.metricsPort="9090"', "got string, want integer"),
        ("operator.config.maxConcurrentReconciles=0", "minimum: got 0, want 1"),
        ("crd.enabled=false", "additional properties 'crd' not allowed"),
        ('operator.image.digest="latest"', "'latest' does not match pattern"),
    ],
)
def test_an_invalid_value_is_refused(helm, setting: str, message: str):
    done = helm("template", "finscribe", str(CHART), "--kube-version", "1.36.3", "--set-json", setting)

    assert done.returncode != 0
    assert message in done.stderr


def test_the_default_configuration_is_the_operators_own(render):
    (config_map,) = find(render(), "ConfigMap")

    assert (
        OperatorConfig.model_validate(yaml.safe_load(config_map["data"]["config.yaml"])) == OperatorConfig()
    )


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ((), "finscribe/operator:0.1.0"),
        (('operator.image.tag="2"',), "finscribe/operator:2"),
        (('operator.image.tag="2"', f'operator.image.digest="{DIGEST}"'), f"finscribe/operator@{DIGEST}"),
    ],
    ids=["the chart's version", "a tag", "a digest"],
)
def test_the_operators_image_is_chosen_by(render, settings: tuple[str, ...], image: str):
    (deployment,) = find(render(*settings), "Deployment")

    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image


def test_a_setting_reaches_the_operator_and_restarts_it(render):
    before, after = render(), render('operator.config.trainerImage="team/trainer:2"')
    (config_map,) = find(after, "ConfigMap")
    checksums = {
        find(objects, "Deployment")[0]["spec"]["template"]["metadata"]["annotations"][
            "finscribe.io/config-checksum"
        ]
        for objects in (before, after)
    }

    assert yaml.safe_load(config_map["data"]["config.yaml"])["trainerImage"] == "team/trainer:2"
    assert len(checksums) == 2


def test_the_cluster_role_holds_the_permissions_and_nothing_else(render):
    (role,) = find(render(), "ClusterRole", "finscribe-operator")

    granted = granted_by(role)

    assert granted == [(p.group, p.resource, p.verbs) for p in PERMISSIONS if not p.only_with]
    assert not any("secrets" in resource for _, resource, _ in granted)


def test_the_operator_may_write_its_own_lease_and_no_other(render):
    objects = render()
    (role,) = find(objects, "Role", "finscribe-operator-lease")
    (lease,) = find(objects, "Lease")
    (deployment,) = find(objects, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert granted_by(role) == [(p.group, p.resource, p.verbs) for p in OWN_PERMISSIONS]
    assert [(rule["verbs"], rule.get("resourceNames")) for rule in role["rules"]] == [
        (["get", "update"], [lease["metadata"]["name"]]),
        (["create"], None),  # it can't be limited to a name
    ]
    assert role["metadata"]["namespace"] == lease["metadata"]["namespace"] == "finscribe-system"
    assert container["args"] == ["--lease", "finscribe-system/finscribe-operator"]


def test_where_the_operator_runs_and_what_its_pods_are_labelled_with_can_be_set(render):
    given = {
        "affinity": {"nodeAffinity": {}},
        "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone"}],
        "priorityClassName": "system-cluster-critical",
    }
    settings = {**given, "replicas": 2, "podLabels": {"team": "ml"}, "podAnnotations": {"sidecar": "no"}}
    (deployment,) = find(
        render(*(f"operator.{name}={json.dumps(value)}" for name, value in settings.items())), "Deployment"
    )
    pod = deployment["spec"]["template"]

    assert {name: pod["spec"][name] for name in given} == given
    assert pod["metadata"]["labels"]["team"] == "ml"
    assert pod["metadata"]["annotations"]["sidecar"] == "no"
    assert "finscribe.io/config-checksum" in pod["metadata"]["annotations"]


@pytest.mark.parametrize("replicas", [1, 2])
def test_several_replicas_are_spread_over_nodes_and_drained_one_after_the_other(render, replicas: int):
    objects = render(f"operator.replicas={replicas}")
    (deployment,) = find(objects, "Deployment")
    budgets = find(objects, "PodDisruptionBudget")
    pod = deployment["spec"]["template"]
    spread = pod["spec"].get("topologySpreadConstraints", [])

    assert deployment["spec"]["replicas"] == replicas
    assert len(budgets) == len(spread) == (replicas > 1)
    for chosen in (*(b["spec"] for b in budgets), *(s["labelSelector"] for s in spread)):
        selector = chosen.get("selector", chosen)["matchLabels"]
        assert selector.items() <= pod["metadata"]["labels"].items()


@pytest.mark.parametrize("namespaces", [[], ["team-a"]], ids=["cluster", "listed namespaces"])
def test_namespaces_can_be_read_only_if_policies_select_them(render, namespaces: list[str]):
    policies = 'operator.config.policies=[{"namespaceSelector": {"team": "a"}}]'
    objects = render(policies, f"operator.config.namespaces={json.dumps(namespaces)}", "rbac.aggregate=false")

    (role,) = find(objects, "Role" if namespaces else "ClusterRole", "finscribe-operator")
    assert granted_by(role) == [(p.group, p.resource, p.verbs) for p in PERMISSIONS]


def test_listed_namespaces_get_roles_and_the_cluster_none(render):
    objects = render('operator.config.namespaces=["team-a", "team-b"]', "rbac.aggregate=false")

    for kind in ("Role", "RoleBinding"):
        found = find(objects, kind, "finscribe-operator")
        assert [role["metadata"]["namespace"] for role in found] == ["team-a", "team-b"]
    assert find(objects, "ClusterRole") == []
    assert find(objects, "ClusterRoleBinding") == []


def test_the_operators_pod_is_admitted_by_pod_security_restricted(render):
    (deployment,) = find(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_on_openshift_no_manifest_names_a_user(render_text):
    text = render_text("operator.config.fixedUserId=false", "metrics.podMonitor.enabled=true")

    assert "65532" not in text
    assert not re.search("runAsUser:|runAsGroup:|fsGroup:", text)
    assert "fixedUserId: false" in text


def test_the_operators_local_storage_is_limited(render):
    (deployment,) = find(render(), "Deployment")
    pod = deployment["spec"]["template"]["spec"]

    assert pod["containers"][0]["resources"]["limits"]["ephemeral-storage"] == "512Mi"
    assert [v["emptyDir"] for v in pod["volumes"] if "emptyDir" in v] == [{"sizeLimit": "64Mi"}]


def test_ports_follow_the_configuration(render):
    (deployment,) = find(render("operator.config.healthPort=8000"), "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert {"name": "health", "containerPort": 8000} in container["ports"]
    assert container["livenessProbe"]["httpGet"]["port"] == "health"


def test_pod_monitors_select_the_operator_and_the_runs(render):
    objects = render("metrics.podMonitor.enabled=true")
    operator, runs = find(objects, "PodMonitor")
    (deployment,) = find(objects, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]

    assert operator["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert runs["spec"]["selector"]["matchLabels"]["app.kubernetes.io/managed-by"] == FIELD_MANAGER
    assert runs["spec"]["podMetricsEndpoints"][0]["port"] == HTTP_PORT_NAME
    assert runs["spec"]["namespaceSelector"] == {"any": True}


def test_samples_and_labels_are_limited_of_runs_and_only_the_operator_names_their_namespaces(render):
    operator, runs = find(
        render("metrics.podMonitor.enabled=true", "metrics.podMonitor.limits.sampleLimit=500"), "PodMonitor"
    )

    limits = [{n: v for n, v in found["spec"].items() if n.endswith("Limit")} for found in (operator, runs)]
    assert limits[0] == {}
    assert limits[1] == {
        "sampleLimit": 500,
        "labelLimit": 32,
        "labelNameLengthLimit": 128,
        "labelValueLengthLimit": 1024,
    }
    assert operator["spec"]["podMetricsEndpoints"][0]["honorLabels"] is True
    assert "honorLabels" not in runs["spec"]["podMetricsEndpoints"][0]


def test_the_dashboards_reach_grafana_unchanged(render):
    (config_map,) = find(render("metrics.dashboard.enabled=true"), "ConfigMap", "finscribe-dashboards")

    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert config_map["metadata"]["annotations"] == {"grafana_folder": "FinScribe"}
    files = {path.name: path.read_text().strip() for path in (CHART / "dashboards").iterdir()}
    assert {name: text.strip() for name, text in config_map["data"].items()} == files


def test_limits_reach_the_operator_and_a_misspelt_one_is_refused(render, helm):
    (config_map,) = find(
        render('operator.config.limits={"gpus": 4, "images": ["a/*"]}'), "ConfigMap", "finscribe-operator"
    )

    assert yaml.safe_load(config_map["data"]["config.yaml"])["limits"] == {"gpus": 4, "images": ["a/*"]}
    done = helm("template", "finscribe", str(CHART), "--set-json", 'operator.config.limits={"image": ["a"]}')
    assert "additional properties 'image' not allowed" in done.stderr


def test_the_recommended_limits_render(helm):
    values = CHART.parents[1] / "examples/operator-limits.yaml"
    done = helm("template", "finscribe", str(CHART), "--kube-version", KUBE_VERSION, "--values", str(values))
    assert done.returncode == 0, done.stderr
    objects = [found for found in yaml.safe_load_all(done.stdout) if found]
    (config_map,) = find(objects, "ConfigMap")
    config = OperatorConfig.model_validate(yaml.safe_load(config_map["data"]["config.yaml"]))
    unlimited = [name for name, limit in config.limits if limit is None]

    assert unlimited == []
    assert len(find(objects, "ValidatingAdmissionPolicy")) == 1


def test_the_admission_policy_has_the_limits_that_are_set(render):
    limits = 'operator.config.limits={"gpus": 4, "images": ["a/*"]}'
    (policy,) = find(render("admissionPolicy.enabled=true", limits), "ValidatingAdmissionPolicy")
    messages = [v["messageExpression"] for v in policy["spec"]["validations"]]

    assert [message.partition(":")[0] for message in messages] == [
        *("'spec.image", "'spec.pod.volumes", "'spec.resources.gpus"),
    ]
    assert find(render("admissionPolicy.enabled=true"), "ValidatingAdmissionPolicy") == []
    assert find(render(limits), "ValidatingAdmissionPolicy") == []
