"""The API server accepts every object of the chart, with all of its options on."""

import json

from tests.apiserver.installation import render_chart
from tools.kube.apiserver import ApiServer

OPTIONS = (
    *("operator.replicas=2", "admissionPolicy.enabled=true", "operator.config.limits.gpus=4"),
    *("networkPolicy.enabled=true", "networkPolicy.namespaces={default,kube-system}"),
    *("ui.enabled=true", "ui.hosts={finscribe.example.org}", "ui.allowChanges=true"),
    *("metrics.dashboard.enabled=true", "operator.config.policies[0].namespaceSelector.tier=small"),
)


def test_every_object_of_the_chart_is_accepted_as_it_is(server: ApiServer):
    objects = render_chart(*OPTIONS, namespace="default")
    kinds = {made["kind"] for made in objects}
    apply = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "--filename=-")

    assert kinds >= {"NetworkPolicy", "PodDisruptionBudget", "ValidatingAdmissionPolicy", "Deployment"}
    applied = server.kubectl(*apply, stdin="\n---\n".join(map(json.dumps, objects)))
    assert len(applied.splitlines()) == len(objects)
