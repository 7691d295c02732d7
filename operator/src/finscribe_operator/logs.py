"""The operator's log: one JSON object a line for machines, or text for people."""

import json
import logging
from datetime import UTC, datetime

from finscribe_operator.config import OperatorConfig

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure_logging(config: OperatorConfig) -> None:
    """Send every log record to standard error in the configured format."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if config.log_format == "json" else TextFormatter())
    logging.basicConfig(level=config.log_level, handlers=[handler], force=True)
    # kopf logs every event of every object at INFO, aiohttp every probe of the kubelet.
    for name in ("kopf", "aiohttp.access"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(config.log_level), logging.WARNING))


class JsonFormatter(logging.Formatter):
    """One object a line; what a record carries in `extra` becomes its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """Time, level, message, then `key=value` for what a record carries in `extra`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s", datefmt="%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without a traceback."""
        fields = "".join(f" {key}={value}" for key, value in _extra(record).items())
        return super().formatMessage(record) + fields


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN}
