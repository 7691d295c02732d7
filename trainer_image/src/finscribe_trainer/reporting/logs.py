"""Logging: JSON lines for machines, readable lines for a terminal, never a credential in either."""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from finscribe_core.constants import ENV_LOG_FORMAT, ENV_RUN

Format = Literal["json", "text"]

_SIGNATURE = re.compile(
    r"((?:X-Amz-(?:Signature|Credential|Security-Token)|Signature|Credential)=)[^&\s\"',]+"
)
_SHORTEST_SECRETS = {
    "AWS_SECRET_ACCESS_KEY": 6,
    "AWS_SESSION_TOKEN": 6,
    "HF_TOKEN": 6,
    "WANDB_API_KEY": 6,
    # AWS's have 16 and more; on other servers it is often a word, such as the team's, that URIs hold, too.
    "AWS_ACCESS_KEY_ID": 16,
}
"""Variables, and how long their values are at least. A shorter one ("test") is no secret, and striking it out
would garble every line."""
_NOISY = ("bitsandbytes.backends.cpu.ops", "transformers.modeling_rope_utils")
"""Loggers that warn at every start of what nobody need change: a faster kernel that is not there, and a key
of PaddleOCR-VL's own `rope_parameters`."""
_STANDARD_FIELDS = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}


class Redactor:
    """Strikes credentials out of texts: the environment's own values, and signatures in URLs and headers."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Errors quote a line end at a value's end ("Invalid header value b'...\\n'") in ways of their own.
        values = {name: environ.get(name, "").strip() for name in _SHORTEST_SECRETS}
        found = {value for name, value in values.items() if len(value) >= _SHORTEST_SECRETS[name]}
        secrets = {form for value in found for form in (value, json.dumps(value)[1:-1])}
        self._secrets = sorted(secrets, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return _SIGNATURE.sub(r"\1[redacted]", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: ts, level, logger, message, run, and whatever `extra` holds."""

    def __init__(self, run: str, redact: Redactor) -> None:
        super().__init__()
        self._run = run
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        line: dict[str, Any] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._run:
            line["run"] = self._run
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        extra = {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}
        return self._redact(json.dumps({**extra, **line}, default=str, ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """`12:03:11 INFO    recipe: message`."""

    def __init__(self, redact: Redactor) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, a traceback below it."""
        return self._redact(super().format(record))


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is now: a progress bar replaces it while it is drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def setup_logging(format: Format | None = None, level: int = logging.INFO) -> None:  # noqa: A002 - says it best
    """Let the root logger write to stderr, replacing what handlers it had; warnings are logged, too.

    Args:
        format: `json` or `text`; FINSCRIBE_LOG_FORMAT, else text in a terminal and json elsewhere, when None.
        level: of this program's own loggers; others are heard from warnings on.
    """
    default = "text" if sys.stderr.isatty() else "json"
    chosen = format or os.environ.get(ENV_LOG_FORMAT) or default
    redact = Redactor(os.environ)
    handler = _StderrHandler()
    run = os.environ.get(ENV_RUN, "")
    handler.setFormatter(JsonFormatter(run, redact) if chosen == "json" else TextFormatter(redact))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("finscribe_core", "finscribe_trainer"):
        logging.getLogger(name).setLevel(level)
    for name in _NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(capture=True)
