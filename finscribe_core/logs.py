"""Formats log records as JSON lines or text, the same for operator and trainer, with credentials removed.

A JSON line has `time`, `level`, `logger` and `message`, then `job` (`<namespace>/<name>` of the FineTuneJob)
and `run` where the record belongs to one, then the fields of the record's `extra`, then `exception`: one log
query finds what operator and trainer logged about a run.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from finscribe_core.constants import ENV_JOB, ENV_NAMESPACE, ENV_RUN
from finscribe_core.texts import redact_urls

_MIN_SECRET_LENGTHS = {
    "AWS_SECRET_ACCESS_KEY": 6,
    "AWS_SESSION_TOKEN": 6,
    "HF_TOKEN": 6,
    "WANDB_API_KEY": 6,
    # AWS's have 16 and more; on other servers it is often a word, such as the team's, that URIs contain, too.
    "AWS_ACCESS_KEY_ID": 16,
}
"""Environment variables that hold credentials, each with the length from which its value is redacted. A
shorter value ("test") is not a secret, and redacting it would garble every line."""
AS_PRINTED = {"as_printed": True}
"""The `extra` of a record that is text for the user: its text has no time, level and logger before it."""
_STANDARD_FIELDS = {*vars(logging.makeLogRecord({})), *AS_PRINTED, "message", "asctime", "taskName"}


class Redactor:
    """Replaces credentials in texts: the values of the environment, and what `redact_urls` finds."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        # Errors quote a line end at a value's end ("Invalid header value b'...\\n'") differently.
        values = {name: environ.get(name, "").strip() for name in _MIN_SECRET_LENGTHS}
        found = {value for name, value in values.items() if len(value) >= _MIN_SECRET_LENGTHS[name]}
        secrets = {form for value in found for form in _forms(value)}
        self._secrets = sorted(secrets, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """The text with every secret replaced."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        return redact_urls(text)


def _forms(value: str) -> tuple[str, ...]:
    """A value as it is, in JSON, and in URLs."""
    return value, json.dumps(value)[1:-1], quote(value), quote(value, safe="")


class JsonFormatter(logging.Formatter):
    """One JSON object per line.

    Args:
        redact: removes credentials from the line.
        fields: what every line carries, such as `run_fields` in a pod; a record's `extra` takes precedence.
    """

    def __init__(self, redact: Redactor, fields: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._redact = redact
        self._fields = dict(fields or {})

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        own = {**self._fields, **_extra(record)}
        line |= {name: own[name] for name in ("job", "run") if name in own}
        line |= {name: value for name, value in own.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return self._redact(json.dumps(line, default=str, ensure_ascii=False))


class TextFormatter(logging.Formatter):
    """`12:03:11 INFO    finscribe_operator.reconcile: message key=value`, a traceback below it.

    Args:
        redact: removes credentials from the text.
        show_extra: append the fields of the record's `extra` as `key=value`.
    """

    def __init__(self, redact: Redactor, *, show_extra: bool = False) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
        self._redact = redact
        self._show_extra = show_extra

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without a traceback."""
        if hasattr(record, "as_printed"):
            return record.getMessage()
        extra = _extra(record).items() if self._show_extra else ()
        return super().formatMessage(record) + "".join(f" {key}={value}" for key, value in extra)

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return self._redact(super().format(record))


def run_fields(environ: Mapping[str, str]) -> dict[str, str]:
    """The `job` and `run` of a pod's log lines, from the variables set by the operator; empty without them.

    >>> run_fields({ENV_JOB: "invoices", ENV_NAMESPACE: "team", ENV_RUN: "invoices-1a2b"})
    {'job': 'team/invoices', 'run': 'invoices-1a2b'}
    """
    job = "/".join(filter(None, [environ.get(ENV_NAMESPACE), environ.get(ENV_JOB)]))
    return {name: value for name, value in {"job": job, "run": environ.get(ENV_RUN, "")}.items() if value}


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD_FIELDS}
