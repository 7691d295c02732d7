"""The chart's ValidatingAdmissionPolicy refuses what exceeds the limits of the operator, and nothing else."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
import yaml
from kubernetes import client

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import API_VERSION, GROUP, KIND, PLURAL, VERSION
from finscribe_operator.config import OperatorConfig
from finscribe_operator.limits import find_excesses
from finscribe_operator.objects import Object
from finscribe_operator.policies import find_policy
from finscribe_operator.runs import find_run
from tests.apiserver.eventually import eventually
from tests.apiserver.installation import ROOT
from tests.cases.limits import EXCESSES, LIMITS, NAMESPACE, WITHIN, with_changes
from tools.kube.apiserver import ApiServer
from tools.kube.binaries import provide
from tools.kube.catalogue import KUBERNETES_VERSION

OTHER = "team-of-a-policy"
LABELS = {"tier": "trusted"}
CONFIG: Object = {
    "limits": LIMITS.to_kubernetes(),
    "defaults": {"resources": {"cpu": "1"}},
    "policies": [
        {
            "namespaceSelector": LABELS,
            "limits": {"images": ["*"], "buckets": ["s3://*"], "gpus": 16, "gpusPerNamespace": 16},
            "defaults": {"activeDeadlineSeconds": 60, "resources": {"cpu": "1000"}},
        }
    ],
}


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
    namespaces = [{"metadata": {"name": NAMESPACE}}, {"metadata": {"name": OTHER, "labels": LABELS}}]
    for namespace in namespaces:
        client.CoreV1Api(api).create_namespace(namespace)
    rendered = yaml.safe_dump_all(render(CONFIG))
    server.kubectl("apply", "--filename=-", stdin=rendered)
    eventually(lambda: create(api, {"image": "a"}) != "", what="the policy is enforced")
    yield
    server.kubectl("delete", "--filename=-", stdin=rendered)
    for namespace in namespaces:
        client.CoreV1Api(api).delete_namespace(namespace["metadata"]["name"])


def a_job(change: Object, namespace: str) -> Object:
    metadata = {"name": "invoices", "namespace": namespace, "uid": "1"}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": with_changes(change)}


def refusal(call: Callable[[], object]) -> str:
    """Why the API server refuses a call; empty when it accepts it."""
    try:
        call()
    except client.ApiException as error:
        return json.loads(error.body)["message"]
    return ""


def create(api: client.ApiClient, change: Object, namespace: str = NAMESPACE) -> str:
    """Why the API server refuses the allowed job with a change; empty when it accepts it."""
    objects, job = client.CustomObjectsApi(api), a_job(change, namespace)
    target = (GROUP, VERSION, namespace, PLURAL)
    return refusal(lambda: objects.create_namespaced_custom_object(*target, job, dry_run="All"))


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


CHANGES = WITHIN | {name: change for name, (change, _) in EXCESSES.items()}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_in_the_namespace_of_a_policy_operator_and_api_server_agree(api: client.ApiClient, change: Object):
    policy = find_policy(OperatorConfig.model_validate(CONFIG), LABELS)
    job, _ = find_run(a_job(change, OTHER), FineTuneJobStatus(), defaults=policy.defaults)

    assert bool(create(api, change, OTHER)) == bool(find_excesses(job, policy.limits))


def test_a_policy_lifts_lowers_and_completes(api: client.ApiClient):
    changes: dict[str, Object] = {
        "images": {"image": "a/b:1"},
        "activeDeadlineSeconds": {"activeDeadlineSeconds": None},
        "gpus": {"resources": {"gpus": 9, "cpu": "1"}},
    }
    for limit, change in changes.items():
        assert f"limit {limit} (" in create(api, change)
        assert create(api, change, OTHER) == ""
    assert create(api, {"resources": {}}) == ""
    assert "spec.resources.cpu: 1000 is more than the limit cpu (32)" in create(api, {"resources": {}}, OTHER)


def test_a_job_that_is_older_than_a_limit_can_be_labelled_and_suspended_but_not_changed(
    api: client.ApiClient,
):
    objects, core = client.CustomObjectsApi(api), client.CoreV1Api(api)
    target = (GROUP, VERSION, OTHER, PLURAL)
    objects.create_namespaced_custom_object(*target, a_job({"image": "a/b:1"}, OTHER))
    core.patch_namespace(OTHER, {"metadata": {"labels": {"tier": None}}})

    def change(patch: Object) -> str:
        return refusal(lambda: objects.patch_namespaced_custom_object(*target, "invoices", patch))

    try:
        eventually(
            lambda: "limit images" in change({"spec": {"lora": {"r": 8}}}), what="the image is refused"
        )
        assert change({"metadata": {"labels": {"a": "b"}}}) == ""
        assert change({"spec": {"suspend": True}}) == ""
        assert "limit images" in change({"spec": {"suspend": False}})
        assert (
            change({"spec": {"suspend": False, "image": None, "lora": None}}) != ""
        )  # buckets are limited, too
    finally:
        core.patch_namespace(OTHER, {"metadata": {"labels": LABELS}})
