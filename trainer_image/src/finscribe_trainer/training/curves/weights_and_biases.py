"""Sends training curves to Weights & Biases, configured by its own variables (WANDB_API_KEY, ...)."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # both are read at the import
os.environ.setdefault("WANDB_SILENT", "true")
import wandb

from finscribe_core.errors import FailureReason, UserError

log = logging.getLogger(__name__)

DEFAULT_PROJECT = "finscribe"
_NO_NETWORK = {"offline", "dryrun", "disabled"}
_START_SECONDS = 60
_FINISH_SECONDS = 60


def refuse_without_login() -> None:
    """Check for a login before the training, without a prompt.

    Raises:
        UserError: InvalidConfig.
    """
    if os.environ.get("WANDB_MODE") in _NO_NETWORK:
        return
    try:
        logged_in = wandb.login(prompt=False)
    except wandb.Error:
        return  # there is a key, but the service was not reached: `WeightsAndBiases` then works offline
    if not logged_in:
        raise UserError(
            FailureReason.InvalidConfig,
            "training.report_to names wandb, but there is no API key of Weights & Biases.",
            "Set WANDB_API_KEY (reporting.wandbSecretRef in a job), or WANDB_MODE=offline to keep the curves "
            "in files, or remove wandb from report_to.",
        )


class WeightsAndBiases:
    """A run of Weights & Biases; its files are below `folder`."""

    def __init__(self, folder: Path, name: str, config: dict[str, Any]) -> None:
        """Start the run, or resume it: an attempt under the same name continues the same W&B run.

        Args:
            folder: is created if missing.
            name: of the run; chosen by Weights & Biases when empty.
            config: the run's settings, shown next to its curves.
        """
        folder.mkdir(parents=True, exist_ok=True)
        options = {"dir": str(folder), "name": name or None, "id": name or None, "config": config}
        try:
            self._run = _start(options, os.environ.get("WANDB_MODE"))
        except wandb.Error as error:
            # No reason to end a training.
            reason = str(error).strip().splitlines()[0]
            log.warning(
                "Weights & Biases can't be used: %s. Curves are kept in %s (wandb sync).", reason, folder
            )
            wandb.teardown()  # the failed attempt still holds the run's name
            self._run = _start(options, "offline")
        self.needs_history = not self._run.resumed
        log.info("Weights & Biases: %s", folder if self._run.offline else self._run.url)

    def write(self, metrics: Mapping[str, float], step: int) -> None:
        """Add a point to each metric's curve."""
        self._run.log(dict(metrics), step=step)

    def close(self) -> None:
        """Send what is buffered, for at most a minute."""
        self._run.finish()


def _start(options: dict[str, Any], mode: Any) -> wandb.Run:
    """Only curves are sent: nothing about the machine, its user, the command line, code or console."""
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        disable_code=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        init_timeout=_START_SECONDS,
        finish_timeout=_FINISH_SECONDS,
    )
    project = os.environ.get("WANDB_PROJECT", DEFAULT_PROJECT)
    resume: Any = "allow" if options["id"] and mode not in _NO_NETWORK else None
    return wandb.init(project=project, mode=mode, resume=resume, settings=settings, **options)
