"""Loads a config file and applies the overrides of the command line."""

import logging
from pathlib import Path
from typing import Any

from finscribe_core.api.job_settings import build_trainer_config
from finscribe_core.api.v1alpha1 import FineTuneJob
from finscribe_core.constants import KIND, MODEL_DIR
from finscribe_core.errors import FailureReason, UserError
from finscribe_core.fields import find_setting
from finscribe_core.file_kinds import FileKind, read_document
from finscribe_core.overrides import apply_overrides, field_path, parse_assignment
from finscribe_core.parsing import parse_leniently, parse_strictly
from finscribe_core.trainer_config import TrainerConfig
from finscribe_core.yaml_files import Document, read_documents

log = logging.getLogger(__name__)

_FIELD_OF_FLAG = {
    "train_file": ("--train-file", "dataset_path"),
    "val_file": ("--val-file", "validation_path"),
    "output_dir": ("--output-dir", "output_dir"),
}

_OF_THE_POD = {"model_name", "cache_dir", "cache_max_size", "feature_cache_dir"}
"""Settings of a job that name what only its pod has."""

Flags = dict[str, tuple[str, Any]]
"""Settings that flags override, by dotted path: the flag and the value."""


def load_config(path: Path, overrides: dict[str, Any]) -> TrainerConfig:
    """Load a config file with overrides; unknown keys cause a warning, or an error if `strict`.

    Args:
        path: the YAML file.
        overrides: command line options by parameter name: `assignments` (--set), `strict`, and the flags
            that override a setting, such as `train_file`.

    Raises:
        UserError: InvalidConfig, naming file, line and field.
    """
    document = read_document(path, FileKind.Config, "Write one config to a file: docs/training-guide.md.")
    return _with_overrides(document, overrides)


def load_job(path: Path, overrides: dict[str, Any]) -> tuple[FineTuneJob, TrainerConfig] | None:
    """The FineTuneJob of a file and its config as for `load_config`, for this machine; None without a job.

    Folders of its pod are left out: caches, and a model from an image.

    Raises:
        UserError: InvalidConfig, naming file, line and field; also for several jobs.
    """
    documents = read_documents(path)
    jobs = [each for each in documents if isinstance(each.data, dict) and each.data.get("kind") == KIND]
    if not jobs:
        return None
    if len(jobs) > 1:
        raise UserError(
            FailureReason.InvalidConfig, f"{path} holds {len(jobs)} jobs.", "Write one to a file."
        )
    job = parse_strictly(FineTuneJob, jobs[0])
    values = build_trainer_config(job).model_dump(mode="json", exclude_none=True, exclude=_OF_THE_POD)
    config = _with_overrides(Document(jobs[0].source, values, {}), overrides)
    if config.model_name_or_path == MODEL_DIR:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{jobs[0].where(('spec', 'model', 'source'))}: a model in an image is not read here.",
            "Pass a folder or a name on the hub: --set model_name_or_path=...",
        )
    return job, config


def _with_overrides(document: Document, overrides: dict[str, Any]) -> TrainerConfig:
    flags = _settings_from_flags(overrides)
    assigned = dict(parse_assignment(text) for text in overrides.get("assignments", ()))
    config, unknown = parse_leniently(
        TrainerConfig, document, lambda data: _apply(data, flags, assigned), _sources(flags, assigned)
    )
    if unknown and overrides.get("strict"):
        raise UserError(FailureReason.InvalidConfig, "\n".join(unknown), "Remove them, or omit --strict.")
    for warning in unknown:
        log.warning("%s Ignored.", warning)
    return config


def _settings_from_flags(overrides: dict[str, Any]) -> Flags:
    """The settings that flags override; contradictions are found when the config is validated."""
    changes = {
        field: (flag, overrides[name])
        for name, (flag, field) in _FIELD_OF_FLAG.items()
        if overrides.get(name) is not None
    }
    if "validation_path" in changes:
        changes["validation_split"] = ("--val-file", None)
    if overrides.get("use_quantization"):
        changes["method"] = ("--use-quantization", "QLoRA")
    if schedule := overrides.get("difficulty_schedule"):
        changes["curriculum.enabled"] = ("--difficulty-schedule", True)
        changes["curriculum.difficulty_schedule"] = ("--difficulty-schedule", schedule)
    return changes


def _apply(data: dict[str, Any], flags: Flags, assigned: dict[str, Any]) -> dict[str, Any]:
    """The file's data with the overrides of flags and --set.

    Raises:
        UserError: InvalidConfig for an unknown path, or a --set that contradicts a flag.
    """
    values = {name: value for name, (_, value) in flags.items()}
    data = apply_overrides(TrainerConfig, data, values, "the command line's")
    data = apply_overrides(TrainerConfig, data, assigned, "--set")
    for name, (flag, value) in flags.items():
        found = find_setting(TrainerConfig, data, name)
        if found is None or found[1] != value:
            raise UserError(
                FailureReason.InvalidConfig, f"{flag} and --set contradict each other on {name}.", "Keep one."
            )
    return data


def _sources(flags: Flags, assigned: dict[str, Any]) -> dict[str, str]:
    """The command line option that overrides each setting, by dotted path, for error messages."""
    sources = {field_path(TrainerConfig, name): f"--set {name}" for name in assigned}
    sources |= {name: flag for name, (flag, _) in flags.items()}
    return sources | {place: sources[name] for name, place in TrainerConfig.same_settings if name in sources}
