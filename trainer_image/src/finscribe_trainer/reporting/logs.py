"""Sets up the trainer's logging to stderr: JSON lines, or text in a terminal, with credentials removed."""

import logging
import os
import sys
from typing import Literal, TextIO

from finscribe_core.constants import ENV_LOG_FORMAT
from finscribe_core.logs import JsonFormatter, Redactor, TextFormatter, run_fields

Format = Literal["json", "text"]

_NOISY = ("bitsandbytes.backends.cpu.ops", "transformers.modeling_rope_utils")
"""Loggers that warn at every start of what needs no action: a faster kernel that is missing, and a key of
PaddleOCR-VL's own `rope_parameters`."""


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the present `sys.stderr`: a progress bar replaces it while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def setup_logging(format: Format | None = None, level: int = logging.INFO) -> None:  # noqa: A002 - its usual name
    """Make the root logger write to stderr, replacing its handlers; Python warnings are logged, too.

    Args:
        format: `json` or `text`; when None FINSCRIBE_LOG_FORMAT, else text in a terminal and json elsewhere.
        level: least severity of this program's own loggers; that of all others is WARNING.
    """
    default = "text" if sys.stderr.isatty() else "json"
    chosen = format or os.environ.get(ENV_LOG_FORMAT) or default
    redact = Redactor(os.environ)
    handler = _StderrHandler()
    as_json = chosen == "json"
    handler.setFormatter(JsonFormatter(redact, run_fields(os.environ)) if as_json else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("finscribe_core", "finscribe_trainer"):
        logging.getLogger(name).setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
