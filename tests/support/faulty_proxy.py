"""A TCP proxy that fails on command: it cuts, stalls or refuses connections after a number of bytes."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

_BLOCK = 16 * 1024


class Fault(Enum):
    """What happens after the bytes were forwarded."""

    Cut = auto()
    """The connection is closed; later ones work."""
    Vanish = auto()
    """The connection is closed, and so is every later one."""
    Stall = auto()
    """The connection stays open without another byte; later ones work."""


class FaultyProxy:
    """Forwards 127.0.0.1:<port> to another port of 127.0.0.1, and counts the bytes.

    Attributes:
        port: the port it listens on.
        bytes_down: bytes forwarded from the server to clients.
        bytes_up: bytes forwarded from clients to the server.
        num_faults: faults so far.
        faulted: set by the first fault.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._direction = "down"
        self._bytes_left = self._every = 0
        self._times = 0
        self._lost_request: re.Pattern[bytes] | None = None
        self._gone = False
        self._closing = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.bytes_down = self.bytes_up = 0
        self.num_faults = 0
        self.faulted = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def endpoint(self) -> str:
        """URL of the proxy."""
        return f"http://127.0.0.1:{self.port}"

    def fail_after(self, num_bytes: int, fault: Fault, direction: str = "down", times: int = 1) -> None:
        """Fail each time `num_bytes` more were forwarded "down" to, or "up" from, clients; `times` times."""
        with self._lock:
            self._fault, self._direction, self._times = fault, direction, times
            self._bytes_left = self._every = num_bytes

    def lose_response(self, request: bytes) -> None:
        """Cut the connection instead of forwarding the response to the next request that matches a regex."""
        with self._lock:
            self._lost_request = re.compile(request)

    def heal(self) -> None:
        """Forward everything again."""
        with self._lock:
            self._fault, self._gone = None, False

    def close(self) -> None:
        """Stop listening; connections under way end."""
        self._closing.set()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._gone:
                client.close()
                continue
            server = socket.create_connection(("127.0.0.1", self._target_port))
            lost = threading.Event()
            for source, sink, direction in ((client, server, "up"), (server, client, "down")):
                arguments = (source, sink, direction, lost)
                threading.Thread(target=self._pump, args=arguments, daemon=True).start()

    def _pump(
        self, source: socket.socket, sink: socket.socket, direction: str, lost: threading.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BLOCK):
                if direction == "up" and self._is_lost_request(data):
                    lost.set()
                if direction == "down" and lost.is_set():
                    self._fault_happened()
                    break
                allowed, fault = self._admit(len(data), direction)
                sink.sendall(data[:allowed])
                if fault is Fault.Stall:
                    self._closing.wait()
                if fault is not None:
                    break
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _is_lost_request(self, data: bytes) -> bool:
        with self._lock:
            found = self._lost_request is not None and self._lost_request.match(data) is not None
            if found:
                self._lost_request = None
            return found

    def _fault_happened(self) -> None:
        self.num_faults += 1
        self.faulted.set()

    def _admit(self, num_bytes: int, direction: str) -> tuple[int, Fault | None]:
        """How many of these bytes are forwarded, and the fault after them."""
        with self._lock:
            fault = None
            if self._gone:
                return 0, Fault.Vanish
            if self._fault is not None and direction == self._direction:
                if num_bytes >= self._bytes_left:
                    num_bytes, fault = self._bytes_left, self._fault
                    self._fault_happened()
                    self._times -= 1
                    self._bytes_left = self._every
                    self._gone = fault is Fault.Vanish
                    if self._times == 0:
                        self._fault = None
                else:
                    self._bytes_left -= num_bytes
            if direction == "down":
                self.bytes_down += num_bytes
            else:
                self.bytes_up += num_bytes
            return num_bytes, fault


@contextmanager
def faulty_proxy(target_port: int) -> Iterator[FaultyProxy]:
    """A proxy to the server at `target_port`."""
    proxy = FaultyProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
