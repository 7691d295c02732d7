"""The web view of the chart: no rights, no token, and only the names and changes that the values permit."""

import pytest

from tests.chart.conftest import Render
from tests.chart.test_chart import DIGEST, find

pytestmark = pytest.mark.chart
ON, NAME = "ui.enabled=true", "finscribe-ui"


def test_the_web_view_has_an_account_without_rights_and_no_token(render: Render):
    objects = render(ON)
    (account,) = find(objects, "ServiceAccount", NAME)
    (deployment,) = find(objects, "Deployment", NAME)
    pod = deployment["spec"]["template"]["spec"]
    bindings = [*find(objects, "RoleBinding"), *find(objects, "ClusterRoleBinding")]

    assert pod["serviceAccountName"] == NAME
    assert (account["automountServiceAccountToken"], pod["automountServiceAccountToken"]) == (False, False)
    assert NAME not in [subject["name"] for made in bindings for subject in made["subjects"]]
    assert [next(iter({*volume} - {"name"})) for volume in pod["volumes"]] == ["configMap", "emptyDir"]
    assert "env" not in pod["containers"][0] and "envFrom" not in pod["containers"][0]


def test_without_the_setting_nothing_of_it_is_there(render: Render):
    assert [made for made in render() if made["metadata"]["name"] == NAME] == []


@pytest.mark.parametrize(
    ("settings", "arguments"),
    [
        ((), []),
        (('ui.hosts=["a.example.org"]',), ["--host=a.example.org"]),
        (("ui.allowChanges=true",), ["--allow-changes"]),
    ],
    ids=["the defaults", "a name", "changes"],
)
def test_names_and_changes_are_what_the_values_say(render: Render, settings, arguments):
    (deployment,) = find(render(ON, *settings), "Deployment", NAME)
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["args"] == ["--port=8080", *arguments]


def test_its_image_is_chosen_by_digest(render: Render):
    (deployment,) = find(render(ON, f'ui.image.digest="{DIGEST}"'), "Deployment", NAME)

    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == f"finscribe/ui@{DIGEST}"


def test_selectors_tell_the_web_view_from_the_operator(render: Render):
    objects = render(ON, "operator.replicas=2", "metrics.podMonitor.enabled=true")
    labels = {
        made["metadata"]["name"]: made["spec"]["template"]["metadata"]["labels"]
        for made in find(objects, "Deployment")
    }
    (service,) = find(objects, "Service", NAME)
    (budget,) = find(objects, "PodDisruptionBudget")
    selectors = {
        NAME: [service["spec"]["selector"]],
        "finscribe-operator": [
            budget["spec"]["selector"]["matchLabels"],
            find(objects, "PodMonitor", "finscribe-operator")[0]["spec"]["selector"]["matchLabels"],
        ],
    }
    for made in find(objects, "Deployment"):
        selectors[made["metadata"]["name"]].append(made["spec"]["selector"]["matchLabels"])

    for owner, chosen in selectors.items():
        for selector in chosen:
            assert [name for name in labels if selector.items() <= labels[name].items()] == [owner]
