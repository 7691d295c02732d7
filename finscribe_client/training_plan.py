"""Says at submit what a job's training will take; of its rows, if they can be counted in a few seconds."""

import math
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finscribe_core.api.described_training import describe_training
from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.errors import FinscribeError

SECONDS = 3.0
"""Longest time that rows are counted."""
_CREDENTIALS = (
    *("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    *("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"),
)
_FILES = ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"), ("AWS_CONFIG_FILE", "~/.aws/config")


def plan_lines(manifest: Mapping[str, Any], seconds: float = SECONDS) -> list[str]:
    """What a job's spec says, and its rows and steps, or why these are not known. Never raises."""
    try:
        spec = FineTuneJobSpec.model_validate(manifest["spec"])
    except ValidationError:
        return ["It has settings that this version of the command does not know."]
    counted: list[int | str] = []
    thread = threading.Thread(target=lambda: counted.append(_count(spec)), daemon=True)
    thread.start()
    thread.join(seconds)
    found = counted[0] if counted else f"that took more than {seconds:g} s"
    if isinstance(found, str):
        return [describe_training(spec), f"Its rows were not counted: {found}."]
    return [describe_training(spec), _steps(spec, found)]


def _steps(spec: FineTuneJobSpec, rows: int) -> str:
    """The steps, without rows that turn out to be too long, and before early stopping."""
    training, dataset = spec.training, spec.dataset
    split = 0.0 if dataset.validation else dataset.validation_split or 0.05
    step_rows = training.rows_per_step(spec.resources.num_processes)
    an_epoch = max(1, math.ceil(rows * (1 - split) / step_rows))
    steps = training.max_steps or math.ceil(an_epoch * training.num_train_epochs)
    return f"{rows:,} rows: about {an_epoch:,} steps an epoch, {steps:,} in all."


def _count(spec: FineTuneJobSpec) -> int | str:
    """The rows for training, or why they are not known."""
    if not _has_credentials():
        return "this machine has no credentials of the object storage (AWS_PROFILE, AWS_ACCESS_KEY_ID ...)"
    try:
        from finscribe_client.bucket import count_training_rows  # noqa: PLC0415 - slow, and not always there

        return count_training_rows(spec)
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed here"
    except FinscribeError as error:
        return error.message.partition("\n")[0].rstrip(".")
    except Exception as error:  # a plan must not fail a submit
        return f"{type(error).__name__}: {error}".partition("\n")[0].rstrip(".")


def _has_credentials() -> bool:
    """Whether there are credentials to try, so that none are asked for from the network."""
    files = (Path(os.environ.get(variable, name)).expanduser() for variable, name in _FILES)
    return any(map(os.environ.get, _CREDENTIALS)) or any(path.is_file() for path in files)
