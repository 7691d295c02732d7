"""What the pod of a run may use of its node, and as which user it runs."""

import yaml

from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_operator.attempts import explain_failure
from finscribe_operator.config import OperatorConfig
from finscribe_operator.manifests import build_job
from finscribe_operator.objects import Object
from tests.unit.operator.builders import a_job, a_pod

JOB = FineTuneJob.model_validate(
    a_job({"resources": {"scratch": "30Gi"}, "featureCache": {"persistentVolumeClaim": {"name": "features"}}})
)


def pod_of(config: OperatorConfig) -> Object:
    return dict(build_job(JOB, "run", config)["spec"]["template"]["spec"])


def test_local_storage_has_a_request_and_an_equal_limit():
    resources = pod_of(OperatorConfig())["containers"][0]["resources"]

    assert resources["requests"]["ephemeral-storage"] == "30Gi"
    assert resources["limits"]["ephemeral-storage"] == "30Gi"


def test_every_volume_on_the_nodes_disk_has_a_size_limit():
    volumes = [v for v in pod_of(OperatorConfig())["volumes"] if "emptyDir" in v]

    on_disk = [v for v in volumes if v["emptyDir"].get("medium") != "Memory"]
    assert {v["name"]: v["emptyDir"]["sizeLimit"] for v in on_disk} == {"work": "30Gi", "tmp": "4Gi"}


def test_the_group_of_a_shared_volume_is_changed_only_once():
    assert pod_of(OperatorConfig())["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


def test_no_user_is_named_where_the_platform_assigns_it():
    text = yaml.safe_dump(pod_of(OperatorConfig(fixed_user_id=False)))

    assert "65532" not in text
    assert not any(name in text for name in ("runAsUser", "runAsGroup", "fsGroup:"))
    assert "runAsNonRoot: true" in text


def test_a_full_tmp_is_not_blamed_on_the_scratch_volume():
    status = {"phase": "Failed", "reason": "Evicted"}
    tmp = a_pod("run", status | {"message": 'Usage of EmptyDir volume "tmp" exceeds the limit "4Gi".'})
    work = a_pod("run", status | {"message": 'Usage of EmptyDir volume "work" exceeds the limit "30Gi".'})

    assert [failure.remedy for pod in (tmp, work) if (failure := explain_failure(pod))] == [
        "",
        "Raise spec.resources.scratch.",
    ]
