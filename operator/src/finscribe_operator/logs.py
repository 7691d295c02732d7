"""Sets up the operator's logging to stderr, in the format that operator and trainer share."""

import asyncio
import logging
import os
from typing import Any

from finscribe_core.logs import JsonFormatter, Redactor, TextFormatter
from finscribe_operator.config import OperatorConfig

logger = logging.getLogger(__name__)


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


def log_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler that says in one line that a connection was closed.

    uvloop reports a write to a connection that has just been closed as an error of its own. The request on it
    fails, too, and is repeated.
    """
    error = context.get("exception")
    if isinstance(error, RuntimeError) and "the handler is closed" in str(error):
        logger.info("A connection was closed during a write", extra={"error": str(error)})
    else:
        loop.default_exception_handler(context)
