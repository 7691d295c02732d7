"""An HTTP server that answers every request as a test says, also with what no S3 server would send."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Answer:
    """A response. Content-Length is added unless `headers` has one; None as a value leaves it out."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str | None] = field(default_factory=dict)
    raw: bytes | None = None
    """Sent instead of all the above."""


@dataclass(frozen=True)
class Request:
    """What the client asked for."""

    method: str
    path: str
    headers: dict[str, str]


Respond = Callable[[Request], "Answer | Callable[[Callable[[bytes], object]], None]"]
"""Returns an Answer, or a function that is called with the socket's `sendall`."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    respond: Respond
    num_requests = 0

    def _answer(self) -> None:
        type(self).num_requests += 1
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.respond(
            Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()})
        )
        self.close_connection = True
        with contextlib.suppress(OSError):
            if not isinstance(answer, Answer):
                answer(self.connection.sendall)
            else:
                self.connection.sendall(answer.raw if answer.raw is not None else self._encoded(answer))

    def _encoded(self, answer: Answer) -> bytes:
        headers: dict[str, str | None] = {"Content-Length": str(len(answer.body)), **answer.headers}
        lines = [f"{name}: {value}" for name, value in headers.items() if value is not None]
        head = "\r\n".join([f"HTTP/1.1 {answer.status} Said", *lines, "Connection: close", "", ""])
        return head.encode() + (b"" if self.command == "HEAD" else answer.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - names of http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Print nothing."""


@dataclass
class HostileServer:
    """A running server."""

    endpoint: str
    handler: type[_Handler]

    @property
    def num_requests(self) -> int:
        """Requests so far."""
        return self.handler.num_requests


@contextmanager
def hostile_server(respond: Respond | Answer) -> Iterator[HostileServer]:
    """A server on a free port of 127.0.0.1 that answers with `respond`."""
    function: Respond = (lambda _: respond) if isinstance(respond, Answer) else respond
    handler = type("Handler", (_Handler,), {"respond": staticmethod(function), "num_requests": 0})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield HostileServer(f"http://127.0.0.1:{server.server_port}", handler)
    finally:
        server.shutdown()
        server.server_close()
