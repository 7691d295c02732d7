"""Reads and promotes results in the bucket with the user's own credentials, through the trainer's storage."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from finscribe_client.errors import ClientError, ClientReason
from finscribe_client.jobs import Job, Run
from finscribe_client.log_lines import LossPoint
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import LATEST_FILE, MANIFEST_FILE
from finscribe_core.errors import FailureReason
from finscribe_core.report import published_metrics
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.data.fetch import count_file, list_rows
from finscribe_trainer.runtime.output_layout import METRICS_FILE
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.manifest import Manifest, ManifestFile, damaged_files, read_manifest
from finscribe_trainer.storage.uri import local_path

_CONFIG_FILE = "config.yaml"
_NOT_FOUND = FailureReason.ResultNotFound


@dataclass(frozen=True)
class Downloaded:
    """What a download did."""

    folder: Path
    fetched: list[str]
    """Paths of the files that were downloaded."""
    present: list[str]
    """Paths of those that were there already."""
    num_bytes: int
    """Of the files that were downloaded."""


@dataclass(frozen=True)
class Result:
    """The result of a run in the bucket."""

    run: Run
    uri: str
    storage: Storage
    output_uri: str
    """The job's prefix, with latest.json."""

    @classmethod
    def of(cls, job: Job, run: Run, endpoint: str | None = None) -> "Result":
        """The result of a run.

        Args:
            job: the run's job.
            run: the run.
            endpoint: URL of the object storage, if another one is to be used from here than the job names.

        Raises:
            ClientError: WrongState, the run has no result.
        """
        if run.outputs.uri is None:
            message = f"The run {run.name} has no result: it is {run.outcome}."
            raise ClientError(ClientReason.WrongState, message, f"See `finscribe status {job.name}`.")
        written = job.raw["spec"].get("storage") or {}
        config = _endpoint(endpoint or written.get("endpoint"), written.get("region"))
        uri = job.raw["spec"]["output"]["uri"]
        return cls(run, run.outputs.uri.rstrip("/"), Storage.from_config(config), uri)

    def manifest(self) -> Manifest:
        """Every file of the result.

        Raises:
            ClientError: NotFound, it is not complete.
        """
        found = self.storage.read_json(f"{self.uri}/{MANIFEST_FILE}")
        if found is None:
            message = f"There is no complete result below {self.uri}."
            remedy = "It may have been deleted by spec.output.keepRuns; or pass another --endpoint."
            raise ClientError(ClientReason.NotFound, message, remedy)
        try:
            return Manifest.model_validate(found)
        except ValidationError as error:
            raise _damaged(f"{self.uri}/{MANIFEST_FILE} is no manifest.") from error

    def download(self, folder: Path, only: Collection[str] = ()) -> Downloaded:
        """Download the result into a folder, and verify each file; an interrupted download is resumed.

        Args:
            folder: files in it that the result has, too, must be the same.
            only: parts of the result, such as `adapter`; all of it when empty.

        Raises:
            ClientError: WouldOverwrite, NotFound or Damaged.
        """
        manifest = self.manifest()
        wanted = [file for file in manifest.files if not only or file.path.partition("/")[0] in only]
        if not wanted:
            parts = ", ".join(sorted({file.path.partition("/")[0] for file in manifest.files}))
            message = f"The result has no {', '.join(only)}."
            raise ClientError(ClientReason.NotFound, message, f"It has: {parts}.")
        paths = {file.path: local_path(folder, file.path) for file in wanted}
        there = [file for file in wanted if paths[file.path].exists()]
        if differing := damaged_files(folder, Manifest(files=there)):
            raise _would_overwrite(folder, differing)
        if (folder / MANIFEST_FILE).exists() and read_manifest(folder) != manifest:
            raise _would_overwrite(folder, [MANIFEST_FILE])
        missing = [file for file in wanted if file not in there]
        self._fetch(folder, missing)
        if not only:
            self.storage.fetch_file(f"{self.uri}/{MANIFEST_FILE}", folder / MANIFEST_FILE, missing=_NOT_FOUND)
        size = sum(file.size for file in missing)
        return Downloaded(folder, [file.path for file in missing], [file.path for file in there], size)

    def _fetch(self, folder: Path, files: list[ManifestFile]) -> None:
        pairs = [(f"{self.uri}/{file.path}", local_path(folder, file.path)) for file in files]
        self.storage.fetch_objects(pairs, missing=_NOT_FOUND)
        damaged = damaged_files(folder, Manifest(files=files))
        for path in damaged:
            local_path(folder, path).unlink(missing_ok=True)
        if damaged:
            raise _damaged(f"Other content than the manifest says, below {self.uri}: {', '.join(damaged)}.")

    def metrics(self) -> dict[str, Any]:
        """metrics.json; empty if there is none."""
        return self.storage.read_json(f"{self.uri}/{METRICS_FILE}") or {}

    def losses(self) -> list[LossPoint]:
        """The losses by step that metrics.json holds."""
        metrics = self.metrics()
        train = {entry["step"]: entry["loss"] for entry in metrics.get("train_history", ())}
        evaluated = {entry["step"]: entry["eval_loss"] for entry in metrics.get("eval_history", ())}
        steps = sorted(train.keys() | evaluated.keys())
        return [LossPoint(step, train.get(step), evaluated.get(step)) for step in steps]

    def settings(self, folder: Path) -> dict[str, Any]:
        """The settings of config.yaml, by dotted path; `folder` is for the downloaded file."""
        path = folder / f"{self.run.name}.yaml"
        self.storage.fetch_file(f"{self.uri}/{_CONFIG_FILE}", path, missing=_NOT_FOUND)
        return dict(_flat(yaml.safe_load(path.read_text(encoding="utf-8")) or {}))

    def promote(self, *, force: bool = False, dry_run: bool = False) -> bool:
        """Make latest.json name this run; False if it does already.

        Args:
            force: also if the run did not pass its gate.
            dry_run: only check.

        Raises:
            ClientError: NotFound, or WrongState for a run that did not pass its gate.
        """
        self.manifest()
        gate = self.run.evaluation.gate if self.run.evaluation else None
        if gate is not None and not gate.passed and not force:
            message = f"The run {self.run.name} did not pass its gate: {gate.message}"
            raise ClientError(ClientReason.WrongState, message, "To promote it nevertheless: --force")
        latest = self.storage.read_json(f"{self.output_uri.rstrip('/')}/{LATEST_FILE}") or {}
        if latest.get("run") == self.run.name:
            return False
        payload = {
            "run": self.run.name,
            "uri": self.uri,
            "manifest": f"{self.uri}/{MANIFEST_FILE}",
            "metrics": published_metrics(self.metrics()),
        }
        if not dry_run:
            self.storage.write_latest(self.output_uri, payload)
        return True


def count_training_rows(spec: FineTuneJobSpec) -> int:
    """Rows of a job's training data; of .parquet files only their footers are read.

    Raises:
        FinscribeError: they can't be read with the user's credentials.
    """
    storage = Storage.from_config(_endpoint(spec.storage.endpoint, spec.storage.region))
    return sum(count_file(file, storage) for file in list_rows(spec.dataset.train, storage))


def _endpoint(url: str | None, region: str | None) -> StorageEndpoint:
    try:
        return StorageEndpoint(endpoint=url, region=region)
    except ValidationError as error:
        problem = f"The endpoint {url} can't be used: it must be a URL such as https://s3.example.org."
        raise ClientError(ClientReason.NotFound, problem, "Pass another --endpoint.") from error


def _flat(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(path, value)]
    return [pair for key, inner in value.items() for pair in _flat(inner, f"{path}.{key}".lstrip("."))]


def _would_overwrite(folder: Path, paths: list[str]) -> ClientError:
    message = f"{folder} has files with other content: {', '.join(paths)}."
    return ClientError(ClientReason.WouldOverwrite, message, "Choose another folder: --output-dir")


def _damaged(message: str) -> ClientError:
    return ClientError(
        ClientReason.Damaged, message, "Run the command again; if it is so still, train again."
    )
