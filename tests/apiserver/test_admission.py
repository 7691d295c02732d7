"""The API server itself refuses invalid jobs, even without an operator."""

import pytest
from kubernetes import client

from finscribe_core.constants import GROUP, PLURAL, VERSION
from finscribe_operator.completed_specs import read_defaults
from tests.apiserver.eventually import eventually
from tests.apiserver.workspace import Workspace, build_job
from tests.cases.invalid_specs import VALID, InvalidSpec, load_invalid_specs


def test_a_valid_job_is_accepted_and_shows_a_state_before_it_is_reconciled(workspace: Workspace):
    workspace.apply(VALID)

    workspace.assert_table_is_full()


@pytest.mark.parametrize("case", load_invalid_specs(), ids=str)
def test_an_invalid_job_is_refused_with_a_message_that_names_the_field(
    api: client.ApiClient, case: InvalidSpec
):
    with pytest.raises(client.ApiException) as refused:
        client.CustomObjectsApi(api).create_namespaced_custom_object(
            GROUP, VERSION, "default", PLURAL, case.job, field_validation="Strict"
        )

    assert refused.value.status in (400, 422)
    assert case.field in refused.value.body
    assert case.message in refused.value.body


LONG = "x" * 63
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
UNUSUAL = {
    "learning-rate": {"training": {"learningRate": "auto"}},
    "quantities": {"resources": {"memory": "0.5Gi", "cpu": "0.001", "scratch": 1}},
    "quantities-with-zeros": {"resources": {"memory": "0016.50Gi", "cpu": "00500m", "scratch": "1.0P"}},
    "resource": {"resources": {"gpuResourceName": f"a-b.example.com/{LONG}"}},
    "labels": {"pod": {"labels": {f"{'a' * 61}.{'b' * 63}.{'c' * 63}.{'d' * 63}/{LONG}": LONG, "a": ""}}},
    "annotations": {"pod": {"annotations": {"Example.COM/Note_1.a": "any text\n"}}},
    "node-selector": {"pod": {"nodeSelector": {"a_b": "A.b_c-D", "kubernetes.io/arch": "amd64"}}},
    "tolerations": {
        "pod": {
            "tolerations": [
                {"operator": "Exists"},
                {"key": "example.com/GPU"},
                {"key": "a", "value": "A_b", "effect": "NoExecute", "tolerationSeconds": 0},
                {"key": "b", "operator": "Exists", "value": ""},
            ]
        }
    },
    "names": {
        "storage": {"serviceAccountName": "a.b-c"},
        "pod": {"priorityClassName": "p.1", "runtimeClassName": "r-1", "imagePullSecrets": [{"name": "0"}]},
    },
    "claim": {"featureCache": {"persistentVolumeClaim": {"name": "a.b"}}},
    "image": {"image": "registry.example.com:5000/a/b@sha256:0"},
    "seconds": {"activeDeadlineSeconds": 2**31 - 1, "pod": {"terminationGracePeriodSeconds": 3600}},
    "extended": {"resources": {"gpus": 0, "extended": {f"a.b/{LONG}": 1_000_000, "rdma/hca_1.a": 1}}},
    "nodes": {
        "pod": {
            "affinity": {
                "nodeAffinity": {
                    REQUIRED: {
                        "nodeSelectorTerms": [
                            {
                                "matchExpressions": [
                                    {"key": f"a.b/{LONG}", "operator": "In", "values": ["", "A_b.c"]},
                                    {"key": "a", "operator": "Exists", "values": []},
                                    {"key": "a", "operator": "Lt", "values": ["001"]},
                                ]
                            }
                        ]
                    },
                    PREFERRED: [],
                },
                "podAffinity": {},
                "podAntiAffinity": {
                    REQUIRED: [{"labelSelector": {}, "topologyKey": "a/b", "namespaces": []}]
                },
            },
            "topologySpreadConstraints": [
                {"maxSkew": 9, "topologyKey": "a", "whenUnsatisfiable": when, "labelSelector": {}}
                for when in ("DoNotSchedule", "ScheduleAnyway")
            ],
            "schedulerName": "a.b-c",
        }
    },
    "environment": {
        "pod": {
            "env": [
                {"name": "_", "value": ""},
                {"name": "https_proxy", "value": "$(_) $$\n"},
                {
                    "name": "A",
                    "valueFrom": {"secretKeyRef": {"name": "a.b", "key": ".a..b", "optional": False}},
                },
            ]
        }
    },
    "volumes": {
        "pod": {
            "volumes": [
                {"name": "0", "emptyDir": {"sizeLimit": 1}},
                {"name": "a-b", "image": {"reference": "a:5000/b@sha256:0"}},
            ],
            "volumeMounts": [
                {"name": "0", "mountPath": "/home/.cache/a_b..c", "subPath": "..a/b"},
                {"name": "0", "mountPath": "/etc/ssl/certs", "readOnly": False},
                {"name": "a-b", "mountPath": "/devices"},
            ],
        }
    },
    "network": {
        "pod": {
            "hostAliases": [
                {"ip": "::", "hostnames": ["a"]},
                {"ip": "1:2:3:4:5:6:7:8", "hostnames": ["b.c"]},
            ],
            "dnsPolicy": "Default",
            "dnsConfig": {
                "nameservers": ["fd00::1"],
                "searches": [],
                "options": [{"name": "a", "value": "%"}],
            },
        }
    },
}


@pytest.mark.usefixtures("operator")
def test_the_job_api_accepts_what_the_crd_accepts(workspace: Workspace):
    for name, spec in UNUSUAL.items():
        workspace.apply(build_job(name, suspend=True, **spec))

    for name in UNUSUAL:
        workspace.await_condition("Suspended", "True", name=name)
        assert workspace.batch_jobs(name), workspace.condition("Running", name)


@pytest.mark.usefixtures("operator")
def test_a_job_is_stored_as_it_is_written_and_its_status_shows_the_defaults(workspace: Workspace):
    workspace.apply(build_job())
    workspace.await_pod()

    run = eventually(lambda: workspace.status().run, what="a status")
    assert workspace.job()["spec"] == build_job()["spec"]
    assert read_defaults(run.defaults_json)["training"]["numTrainEpochs"] == 5


def test_kubectl_explain_shows_the_defaults(workspace: Workspace):
    assert "Default: 2e-05." in workspace.kubectl("explain", "finetunejob.spec.training.learningRate")
