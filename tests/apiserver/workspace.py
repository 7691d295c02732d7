"""A namespace for one test, with the calls and views of a user."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from subprocess import CompletedProcess
from typing import Any

from kubernetes import client

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import API_VERSION, GROUP, KIND, LABEL_JOB, PLURAL, VERSION
from tests.apiserver.eventually import eventually
from tests.apiserver.fake_kubelet import FakeKubelet
from tools.kube.apiserver import ApiServer

SPEC: dict[str, Any] = {
    "model": {"source": "hf://PaddlePaddle/PaddleOCR-VL"},
    "dataset": {"train": "s3://team-docs/invoices/train.jsonl"},
    "output": {"uri": "s3://team-models/invoices"},
    "storage": {"credentialsSecretRef": {"name": "s3-credentials"}},
}


def build_job(name: str = "invoices", **spec: Any) -> dict[str, Any]:
    """A FineTuneJob; keyword arguments replace sections of its spec."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": deepcopy(SPEC) | spec,
    }


@dataclass
class Workspace:
    server: ApiServer
    namespace: str
    api: client.ApiClient

    def __post_init__(self) -> None:
        self.custom = client.CustomObjectsApi(self.api)
        self.batch = client.BatchV1Api(self.api)
        self.core = client.CoreV1Api(self.api)
        self.kubelet = FakeKubelet(self.core, self.namespace)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self.server.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def try_kubectl(self, *arguments: str, stdin: str = "") -> CompletedProcess[str]:
        """Run kubectl in the namespace; the caller checks the exit code."""
        return self.server.try_kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def apply(self, job: dict[str, Any]) -> None:
        self.kubectl("apply", "--filename=-", stdin=json.dumps(job))

    def change(self, patch: dict[str, Any], name: str = "invoices") -> None:
        """A merge patch of the job."""
        self.custom.patch_namespaced_custom_object(
            GROUP, VERSION, self.namespace, PLURAL, name, patch, _content_type="application/merge-patch+json"
        )

    def delete(self, name: str = "invoices") -> None:
        self.custom.delete_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def job(self, name: str = "invoices") -> dict[str, Any]:
        return self.custom.get_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL, name)

    def jobs(self) -> list[dict[str, Any]]:
        return self.custom.list_namespaced_custom_object(GROUP, VERSION, self.namespace, PLURAL)["items"]

    def status(self, name: str = "invoices") -> FineTuneJobStatus:
        return FineTuneJobStatus.model_validate(self.job(name).get("status", {}))

    def condition(self, type_: str, name: str = "invoices") -> tuple[str, str, str]:
        """Status, reason and message; empty texts without the condition."""
        found = next((c for c in self.status(name).conditions if c.type == type_), None)
        return (found.status, found.reason, found.message) if found else ("", "", "")

    def await_condition(self, type_: str, status: str, reason: str = "", name: str = "invoices") -> str:
        """Wait until a condition has this status and reason; returns its message."""

        def holds() -> bool:
            actual = self.condition(type_, name)
            assert actual[0] == status and (not reason or actual[1] == reason), f"{type_} is {actual}"
            return True

        eventually(holds)
        return self.condition(type_, name)[2]

    def batch_jobs(self, name: str = "invoices") -> list[client.V1Job]:
        selector = f"{LABEL_JOB}={name}"
        return self.batch.list_namespaced_job(self.namespace, label_selector=selector).items

    def pods(self, name: str = "invoices") -> list[client.V1Pod]:
        """The job's pods that are not being deleted, oldest first."""
        found = self.core.list_namespaced_pod(self.namespace, label_selector=f"{LABEL_JOB}={name}").items
        alive = [pod for pod in found if pod.metadata.deletion_timestamp is None]
        return sorted(alive, key=lambda pod: pod.metadata.creation_timestamp)

    def await_pod(self, name: str = "invoices", other_than: str = "") -> str:
        """Wait for a pod of the job that has not ended; returns its name."""

        def found() -> str:
            names = [
                pod.metadata.name
                for pod in self.pods(name)
                if pod.status.phase in ("Pending", "Running") and pod.metadata.name != other_than
            ]
            return names[-1] if names else ""

        return eventually(found, what=f"a pod of {name}")

    def table(self) -> list[list[str]]:
        """What `kubectl get ftj` prints: State, Progress, ETA, Loss and Age of each job."""
        lines = self.kubectl("get", "ftj", "--no-headers").splitlines()
        return [line.split()[1:] for line in lines]

    def assert_table_is_full(self) -> None:
        """Every column of every job has a value."""
        for row in self.table():
            assert len(row) == 5 and "<none>" not in row and "<unknown>" not in row, row


@contextmanager
def open_workspace(server: ApiServer, api: client.ApiClient, name: str = "") -> Iterator[Workspace]:
    """A new namespace, which is deleted afterwards."""
    core = client.CoreV1Api(api)
    metadata = {"name": name} if name else {"generateName": "test-"}
    namespace = core.create_namespace({"metadata": metadata}).metadata.name
    eventually(
        lambda: core.list_namespaced_service_account(namespace).items, what="the default service account"
    )
    yield Workspace(server, namespace, api)
    core.delete_namespace(namespace)
