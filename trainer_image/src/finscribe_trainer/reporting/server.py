"""Serves /metrics (for Prometheus), /progress (for the operator) and /healthz (for the kubelet) over HTTP."""

import logging
import os
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from prometheus_client.exposition import choose_encoder

from finscribe_core.constants import ENV_HTTP_PORT
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.reporting.reporter import RunReporter

log = logging.getLogger(__name__)

_REQUEST_TIMEOUT = 10.0
"""Seconds after which an idle connection is closed."""


class _Server(ThreadingHTTPServer):
    """Logs errors of requests through `logging` rather than printing tracebacks to stderr."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log the error; a connection closed by the client only at debug level."""
        if isinstance(sys.exception(), ConnectionError):
            log.debug("%s closed the connection", client_address)
        else:
            log.exception("request from %s failed", client_address)


class ReportServer:
    """Serves a `RunReporter` from a daemon thread; binds to all addresses in a pod, else to 127.0.0.1.

    Args:
        reporter: the source of progress and metrics.
        port: the port to listen on; 0 for any free one.

    Attributes:
        address: the address it listens on.
        port: the port it listens on.

    Raises:
        UserError: InvalidConfig when the port can't be bound.
    """

    def __init__(self, reporter: RunReporter, port: int) -> None:
        # Every container of a pod has this variable, with or without a service account.
        host = "0.0.0.0" if "KUBERNETES_SERVICE_HOST" in os.environ else "127.0.0.1"  # noqa: S104 - see above
        try:
            self._server = _Server((host, port), _handler_for(reporter))
        except OSError as error:
            raise UserError(
                FailureReason.InvalidConfig,
                f"Can't listen on port {port} of {host}: {error}.",
                "Set FINSCRIBE_HTTP_PORT to another port, or unset it to disable the HTTP server.",
            ) from error
        self.address = host
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="report-server", daemon=True)
        self._thread.start()
        log.info("serving /metrics, /progress and /healthz on http://%s:%d", host, self.port)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def http_port() -> int | None:
    """The port in FINSCRIBE_HTTP_PORT; None if unset.

    Raises:
        UserError: InvalidConfig when it is not a port number.
    """
    text = os.environ.get(ENV_HTTP_PORT)
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) < 65536):
        raise UserError(
            FailureReason.InvalidConfig, f"{ENV_HTTP_PORT}={text!r} is not a port number.", "Use 1 to 65535."
        )
    return int(text)


def _handler_for(reporter: RunReporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_TIMEOUT

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                encode, content_type = choose_encoder(self.headers.get("Accept") or "")
                self._answer(HTTPStatus.OK, content_type, encode(reporter.prometheus.registry))
            elif path == "/progress":
                body = reporter.snapshot().model_dump_json(by_alias=True, exclude_none=True)
                self._answer(HTTPStatus.OK, "application/json", body.encode())
            elif path == "/healthz":
                hung = reporter.hung_activity()
                status = HTTPStatus.SERVICE_UNAVAILABLE if hung else HTTPStatus.OK
                self._answer(status, "text/plain", f"{hung or 'ok'}\n".encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"try /metrics, /progress or /healthz\n")

        def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Log requests at debug level: they come every few seconds."""
            log.debug(format, *args)

    return Handler
