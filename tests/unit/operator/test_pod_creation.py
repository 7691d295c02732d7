"""Why a run's pod can't be created, in the API server's own messages."""

import pytest

from finscribe_operator.objects import Object
from finscribe_operator.pod_creation import explain_creation_failure, is_current, lacks_pod
from finscribe_operator.warning_events import WarningEvent
from tests.unit.operator.builders import EARLIER, NOW, a_batch_job, a_pod, ended, failed

FORBIDDEN = 'Error creating: pods "invoices-12345678-x7k2p" is forbidden: '

MESSAGES = {
    "no service account": (
        FORBIDDEN + 'error looking up service account team/x: serviceaccount "x" not found',
        "spec.storage.serviceAccountName",
    ),
    "no priority class": (
        FORBIDDEN + "no PriorityClass with name x was found",
        "spec.pod.priorityClassName",
    ),
    "no runtime class": (
        FORBIDDEN + 'pod rejected: RuntimeClass "x" not found',
        "spec.pod.runtimeClassName",
    ),
    "no GPU left in the quota": (
        FORBIDDEN + "exceeded quota: gpus, requested: requests.nvidia.com/gpu=1, used: 8, limited: 8",
        "ResourceQuota has room",
    ),
    "a quota that asks for a limit": (
        FORBIDDEN + "failed quota: compute: must specify limits.cpu for: trainer",
        "LimitRange",
    ),
    "Pod Security": (
        FORBIDDEN + 'violates PodSecurity "baseline:latest": hostPath volumes (volume "x")',
        "Pod Security level",
    ),
    "a LimitRange": (
        FORBIDDEN + "maximum memory usage per Container is 8Gi, but limit is 16Gi",
        "spec.resources",
    ),
    "a webhook that denies": (
        'Error creating: admission webhook "pods.example.com" denied the request: no cost centre',
        "the webhook names",
    ),
    "a webhook that does not answer": (
        'Error creating: Internal error occurred: failed calling webhook "pods.example.com": refused',
        "Service and pods",
    ),
    "a policy": (
        FORBIDDEN + "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no registry",
        "or the policy",
    ),
    "an invalid pod": (
        'Error creating: Pod "invoices-12345678-x7k2p" is invalid: spec.tolerations[0]: Invalid value',
        "spec.pod",
    ),
    "many events that were combined": (
        f"(combined from similar events): {FORBIDDEN}exceeded quota: gpus",
        "ResourceQuota has room",
    ),
}


def a_failure(message: str = "", time: str = NOW) -> WarningEvent:
    return WarningEvent("uid", "FailedCreate", message, time)


@pytest.mark.parametrize(("message", "remedy"), MESSAGES.values(), ids=MESSAGES.keys())
def test_the_message_has_the_cause_without_the_pods_random_name_and_a_remedy(message: str, remedy: str):
    text = explain_creation_failure(a_failure(message))

    assert remedy in text
    assert "x7k2p" not in text and "Error creating" not in text and "combined" not in text


def test_an_unknown_cause_is_shown_as_it_is():
    event = a_failure("Error creating: etcdserver: too many requests")

    assert explain_creation_failure(event) == "etcdserver: too many requests."


@pytest.mark.parametrize(
    "times",
    [
        {"lastTimestamp": "2026-05-01T12:00:00Z"},
        {"eventTime": "2026-05-01T12:00:00.123456Z", "lastTimestamp": None},
        {"eventTime": "2026-05-01T11:00:00.1Z", "series": {"lastObservedTime": "2026-05-01T12:00:00.1Z"}},
    ],
    ids=["the older API", "the newer API", "a repeated event of the newer API"],
)
def test_the_time_of_an_event_is_read(times: Object):
    event = {"involvedObject": {"uid": "uid"}, "reason": "FailedCreate", "message": "m", **times}

    assert WarningEvent.of(event) == a_failure("m")


def test_a_failure_is_past_once_a_pod_was_created_or_the_job_started_again():
    job, older, newer = a_batch_job("run-1"), a_failure(time="2026-05-01T10:59:59Z"), a_failure()
    pod = a_pod("run-1", failed(1))

    assert is_current(newer, job, None) and is_current(newer, job, pod)
    assert not is_current(older, job, None) and not is_current(older, job, pod)
    assert not is_current(a_failure(time=pod["metadata"]["creationTimestamp"]), job, pod)


@pytest.mark.parametrize(
    ("job", "pods", "lacks"),
    [
        (a_batch_job("run-1"), [], True),
        (a_batch_job("run-1"), [a_pod("run-1", failed(1))], True),
        (a_batch_job("run-1"), [a_pod("run-1")], False),
        (a_batch_job("run-1", spec={"suspend": True}), [], False),
        (a_batch_job("run-1", ended("Complete")), [], False),
        (a_batch_job("run-1", ended("Failed")), [], False),
        (a_batch_job("run-1") | {"metadata": {"deletionTimestamp": EARLIER}}, [], False),
    ],
    ids=["new", "retried", "running", "suspended", "complete", "failed", "being deleted"],
)
def test_a_job_lacks_a_pod_when_the_job_controller_should_create_one(job, pods, lacks):
    assert lacks_pod(job, pods) is lacks
