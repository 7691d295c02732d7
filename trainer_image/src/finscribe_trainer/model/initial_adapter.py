"""Finds and downloads the adapter whose weights a training starts from."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finscribe_core.constants import ADAPTER_PREFIX, MANIFEST_FILE, RUNS_PREFIX
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.report import ADAPTER_LOCATION_LIMIT
from finscribe_core.trainer_config import AdapterPolicy, TrainerConfig
from finscribe_trainer.model.source import ADAPTER_CONFIG, ADAPTER_WEIGHTS
from finscribe_trainer.runtime.output_layout import RUN_NAME
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.manifest import Manifest, sha256_of
from finscribe_trainer.storage.uri import is_s3_uri

log = logging.getLogger(__name__)

ADAPTER_FILES = (ADAPTER_CONFIG, ADAPTER_WEIGHTS)


@dataclass(frozen=True)
class InitialAdapter:
    """The adapter that a training starts from."""

    location: str
    """Its folder, or its s3:// prefix: that of one run, also where latest.json named it."""
    folder: Path
    """Its files on this machine."""


def fetch_initial_adapter(config: TrainerConfig, folder: Path, storage: Storage) -> InitialAdapter | None:
    """The adapter that the config names; None when it names none, or an optional one that does not exist.

    Args:
        config: the run's config.
        folder: where to download files from S3 to.
        storage: where to download them from.

    Raises:
        UserError: ModelNotFound when it does not exist, is incomplete, or differs from its run's manifest.
    """
    name = config.adapter_name_or_path
    if name is None:
        return None
    found = _in_bucket(name, folder, storage) if is_s3_uri(name) else _on_disk(name)
    if found is None and config.adapter_policy is AdapterPolicy.Optional:
        log.warning("%s: there is no adapter; the training starts from the base model", name)
    elif found is None:
        raise UserError(
            FailureReason.ModelNotFound,
            f"{name}: there is no adapter to start from.",
            "Name the folder or the s3:// prefix of an adapter, or a latest.json. The policy Optional starts "
            "from the base model instead.",
        )
    elif len(found.location) > ADAPTER_LOCATION_LIMIT:
        raise UserError(
            FailureReason.InvalidConfig,
            f"The location of the adapter to start from has more than {ADAPTER_LOCATION_LIMIT} characters: "
            f"{found.location}.",
            "Copy the adapter to a shorter one.",
        )
    return found


def _on_disk(name: str) -> InitialAdapter | None:
    folder = Path(name)
    if not folder.is_dir():
        return None
    _check_complete(name, [path.name for path in folder.iterdir()])
    return InitialAdapter(name, folder)


def _in_bucket(name: str, folder: Path, storage: Storage) -> InitialAdapter | None:
    is_promoted = name.endswith(".json")
    location = promoted_adapter(name, storage) if is_promoted else name.rstrip("/")
    if location is None:
        return None
    run, _, prefix = location.rpartition("/")
    manifest = read_run_manifest(run, storage)
    names = storage.names(location, FailureReason.ModelNotFound)
    if not names or (is_promoted and manifest is None):  # a run without manifest was deleted
        return None
    _check_complete(location, names)
    storage.fetch_objects(
        [(f"{location}/{file}", folder / file) for file in ADAPTER_FILES], missing=FailureReason.ModelNotFound
    )
    if manifest is None:
        log.info("%s is not verified: there is no manifest beside it", location)
    else:
        verify_files(location, folder, {file: f"{prefix}/{file}" for file in ADAPTER_FILES}, manifest)
    return InitialAdapter(location, folder)


def promoted_adapter(uri: str, storage: Storage) -> str | None:
    """The prefix of the adapter of the run that a latest.json names, which is below the same prefix.

    Returns:
        None when there is no such file.

    Raises:
        UserError: ModelNotFound when the file names no run.
    """
    latest = storage.read_json(uri)
    if latest is None and not storage.exists(uri):
        return None
    run: Any = (latest or {}).get("run")
    if not isinstance(run, str) or not RUN_NAME.fullmatch(run):
        raise UserError(
            FailureReason.ModelNotFound,
            f"{uri} names no run.",
            "Name the latest.json that a run has written, or the prefix of an adapter.",
        )
    return f"{uri.rpartition('/')[0]}/{RUNS_PREFIX}/{run}/{ADAPTER_PREFIX}"


def _check_complete(location: str, names: list[str]) -> None:
    if missing := [file for file in ADAPTER_FILES if file not in names]:
        raise UserError(
            FailureReason.ModelNotFound,
            f"{location} is no complete adapter: {' and '.join(missing)} is missing.",
            "Name the folder or prefix that directly contains them; pickled weights are not supported.",
        )


def read_run_manifest(run: str, storage: Storage) -> Manifest | None:
    """The manifest below a run's prefix; None when there is none, as of a run that was deleted."""
    try:
        return Manifest.model_validate(storage.read_json(f"{run}/{MANIFEST_FILE}"))
    except ValidationError:
        return None


def verify_files(location: str, folder: Path, paths: dict[str, str], manifest: Manifest) -> None:
    """Check the files in `folder` against the manifest, which lists them by the values of `paths`.

    Raises:
        UserError: ModelNotFound, naming the files that differ.
    """
    expected = {entry.path: entry.sha256 for entry in manifest.files}
    if damaged := [file for file, path in paths.items() if expected.get(path) != sha256_of(folder / file)]:
        raise UserError(
            FailureReason.ModelNotFound,
            f"{location} differs from the manifest of its run: {', '.join(damaged)}.",
            "Restore these files, or name another adapter.",
        )
