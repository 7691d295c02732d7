"""Calls of a team that fine-tunes models: kubectl in its namespace, and its bucket."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from tests.apiserver.eventually import eventually
from tools.kube.cluster import Cluster
from tools.kube.services import S3Server

EXAMPLE = Path(__file__).parents[2] / "examples" / "finetunejob.yaml"
FEW_ROWS = "datasets/few"
"""Key prefix of rows for trainings that need not learn anything."""
RUN_SECONDS = 900.0
"""Timeout of a run on two busy cores, with the imports of torch."""


@dataclass
class Bucket:
    client: Any
    name: str
    server: S3Server
    sample: Path
    """The folder that was uploaded to `FEW_ROWS`."""
    example_sample: Path
    """The folder that was uploaded to where the example's rows are."""

    def upload(self, source: Path, prefix: str) -> None:
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        for path in files:
            key = prefix if source.is_file() else f"{prefix}/{path.relative_to(source)}"
            self.client.upload_file(str(path), self.name, key)

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def download(self, uri: str, folder: Path) -> Path:
        """Everything below an s3:// prefix."""
        prefix = uri.removeprefix(f"s3://{self.name}/")
        for key in self.keys(f"{prefix}/"):
            path = folder / key.removeprefix(f"{prefix}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            self.client.download_file(self.name, key, str(path))
        return folder

    def read_json(self, uri: str) -> Any:
        key = uri.removeprefix(f"s3://{self.name}/")
        return json.loads(self.client.get_object(Bucket=self.name, Key=key)["Body"].read())


@dataclass
class Team:
    cluster: Cluster
    namespace: str

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def apply(self, manifest: dict[str, Any]) -> None:
        self.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(manifest))

    def write_secret(self, name: str, server: S3Server, secret_key: str = "") -> None:
        values = {
            "AWS_ACCESS_KEY_ID": server.access_key,
            "AWS_SECRET_ACCESS_KEY": secret_key or server.secret_key,
            "AWS_ENDPOINT_URL": server.url,
        }
        metadata = {"name": name, "namespace": self.namespace}
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values})

    def submit(self, name: str, **changes: Any) -> None:
        """Apply the manifest of a job."""
        self.apply(self.manifest(name, **changes))

    def manifest(self, name: str, **changes: Any) -> dict[str, Any]:
        """The example under another name, with few rows and without evaluation; keyword arguments are merged
        into the sections of its spec.
        """
        job: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
        job["metadata"] = {"name": name, "namespace": self.namespace}
        job["spec"]["output"]["uri"] = f"s3://finscribe-demo/results/{name}"
        job["spec"]["output"]["formats"] = ["Adapter"]
        rows = f"s3://finscribe-demo/{FEW_ROWS}"
        job["spec"]["dataset"] = {"train": f"{rows}/train.jsonl", "validation": f"{rows}/val.jsonl"}
        job["spec"]["evaluation"] = {"enabled": False, "trainingDocuments": 0}
        for section, change in changes.items():
            old = job["spec"].get(section)
            job["spec"][section] = old | change if isinstance(old, dict) else change
        return job

    def status(self, name: str) -> FineTuneJobStatus:
        return FineTuneJobStatus.model_validate(
            json.loads(self.kubectl("get", "ftj", name, "--output=json")).get("status", {})
        )

    def await_condition(self, name: str, type_: str, reason: str = "") -> str:
        """Wait until a condition of a job is True; returns its message."""

        def message() -> str:
            conditions = self.status(name).conditions
            ended = {c.type: c for c in conditions if c.status == "True" and c.type in ("Complete", "Failed")}
            if ended and type_ in ("Complete", "Failed") and type_ not in ended:
                raise RuntimeError(f"{name} ended as {ended}\n{self.logs(name)}")
            holds = [c for c in conditions if c.type == type_ and c.status == "True"]
            assert holds, f"{name}: {[(c.type, c.status, c.reason) for c in conditions]}"
            assert not reason or holds[0].reason == reason, holds[0]
            return holds[0].message or "-"

        return eventually(message, within=RUN_SECONDS)

    def pods(self, name: str) -> list[dict[str, Any]]:
        selector = f"--selector=finscribe.io/finetunejob={name}"
        return json.loads(self.kubectl("get", "pods", selector, "--output=json"))["items"]

    def jobs(self, name: str) -> list[dict[str, Any]]:
        """The batch/v1 Jobs of a FineTuneJob."""
        selector = f"--selector=finscribe.io/finetunejob={name}"
        return json.loads(self.kubectl("get", "jobs", selector, "--output=json"))["items"]

    def logs(self, name: str) -> str:
        return self.kubectl("logs", f"--selector=finscribe.io/finetunejob={name}", "--tail=20")

    def table(self) -> list[list[str]]:
        """The lines of `kubectl get ftj`: name, state, progress, ETA, loss, age."""
        lines = self.kubectl("get", "ftj", "--no-headers").splitlines()
        return [line.split() for line in lines]
