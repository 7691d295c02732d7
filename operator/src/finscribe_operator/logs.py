"""Sets up the operator's logging to stderr, in the format that operator and trainer share."""

import logging
import os

from finscribe_core.logs import JsonFormatter, Redactor, TextFormatter
from finscribe_operator.config import OperatorConfig


def configure_logging(config: OperatorConfig) -> None:
    """Send every log record to standard error in the configured format."""
    redact = Redactor(os.environ)
    as_json = config.log_format == "json"
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(redact) if as_json else TextFormatter(redact, show_extra=True))
    logging.basicConfig(level=config.log_level, handlers=[handler], force=True)
    # kopf logs every event of every object at INFO, aiohttp every probe of the kubelet.
    for name in ("kopf", "aiohttp.access"):
        logging.getLogger(name).setLevel(max(logging.getLevelName(config.log_level), logging.WARNING))
