"""Writes the pod's termination message: the run's result as JSON."""

import logging
import os
from pathlib import Path

from finscribe_core.constants import ENV_TERMINATION_LOG
from finscribe_core.logs import Redactor
from finscribe_core.report import RunResult

log = logging.getLogger(__name__)


def write_termination(result: RunResult) -> None:
    """Write the result, in at most 4096 bytes, to the file in FINSCRIBE_TERMINATION_LOG, if it is set.

    A file that can't be written only causes a warning: the exit code still reports how the run ended.
    """
    path = os.environ.get(ENV_TERMINATION_LOG)
    if not path:
        return
    redact = Redactor(os.environ)  # status and events show the message to people who may not read the log
    clean = {"message": redact(result.message), "remedy": redact(result.remedy)}
    text = result.model_copy(update=clean).to_termination_message()
    try:
        # In place, not by renaming: the kubelet mounts this file itself.
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        log.warning("the termination message could not be written to %s: %s", path, error)
