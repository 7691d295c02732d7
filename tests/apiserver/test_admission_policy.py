"""The chart's ValidatingAdmissionPolicy refuses what exceeds the limits of the operator, and nothing else."""

import json
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from kubernetes import client

from finscribe_core.constants import API_VERSION, GROUP, KIND, PLURAL, VERSION
from finscribe_operator.objects import Object
from tests.apiserver.eventually import eventually
from tests.apiserver.installation import ROOT
from tests.cases.limits import EXCESSES, LIMITS, NAMESPACE, WITHIN, with_changes
from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide
from tools.kube.catalogue import KUBERNETES_VERSION

OTHER = "team-within-a-policy"
CONFIG: Object = {"limits": LIMITS.to_kubernetes()}


def render(config: Object) -> list[Object]:
    values = {"admissionPolicy": {"enabled": True}, "operator": {"config": config}}
    command = [provide(["helm"])["helm"], "template", "finscribe", ROOT / "charts/finscribe", "--values=-"]
    command += [f"--kube-version={KUBERNETES_VERSION}"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [o for o in yaml.safe_load_all(done.stdout) if o and o["apiVersion"].startswith("admission")]
    assert len(found) == 2
    return found


@pytest.fixture(scope="module", autouse=True)
def policy(server: ApiServer, api: client.ApiClient) -> Iterator[None]:
    namespaces = [{"metadata": {"name": NAMESPACE}}]
    for namespace in namespaces:
        client.CoreV1Api(api).create_namespace(namespace)
    rendered = yaml.safe_dump_all(render(CONFIG))
    server.kubectl("apply", "--filename=-", stdin=rendered)
    eventually(lambda: create(api, {"image": "a"}) != "", what="the policy is enforced")
    yield
    server.kubectl("delete", "--filename=-", stdin=rendered)
    for namespace in namespaces:
        client.CoreV1Api(api).delete_namespace(namespace["metadata"]["name"])


def create(api: client.ApiClient, change: Object, namespace: str = NAMESPACE) -> str:
    """Why the API server refuses the allowed job with a change; empty when it accepts it."""
    job = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "invoices"}}
    job |= {"spec": with_changes(change)}
    objects = client.CustomObjectsApi(api)
    try:
        objects.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, job, dry_run="All")
    except client.ApiException as error:
        return json.loads(error.body)["message"]
    return ""


@pytest.mark.parametrize("change", WITHIN.values(), ids=WITHIN.keys())
def test_a_job_within_the_limits_is_admitted(api: client.ApiClient, change: Object):
    assert create(api, change) == ""


@pytest.mark.parametrize(("change", "words"), EXCESSES.values(), ids=EXCESSES.keys())
def test_an_excess_is_refused_with_field_value_and_limit(
    api: client.ApiClient, change: Object, words: list[str]
):
    message = create(api, change)

    assert "finscribe-limits" in message
    assert [word for word in words if word not in message] == []
