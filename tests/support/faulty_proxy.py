"""A TCP proxy that fails on command: cuts, stalls or refuses connections after so many bytes."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

_BLOCK = 16 * 1024


class Fault(Enum):
    """What happens once the bytes have gone through."""

    Cut = auto()
    """The connection is closed; later ones work."""
    Vanish = auto()
    """The connection is closed, and so is every later one."""
    Stall = auto()
    """The connection stays open, silent; later ones work."""


class FaultyProxy:
    """Forwards 127.0.0.1:<port> to another port of 127.0.0.1, and counts the bytes.

    Attributes:
        port: where it listens.
        bytes_down: bytes that went from the server to clients.
        bytes_up: bytes that went from clients to the server.
        num_faults: faults that have happened.
        faulted: set by the first one.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._lock = threading.Lock()
        self._fault: Fault | None = None
        self._direction = "down"
        self._bytes_left = self._every = 0
        self._times = 0
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
        """Fail each time `num_bytes` more have gone "down" to, or "up" from, the client; `times` times."""
        with self._lock:
            self._fault, self._direction, self._times = fault, direction, times
            self._bytes_left = self._every = num_bytes

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
            for source, sink, direction in ((client, server, "up"), (server, client, "down")):
                threading.Thread(target=self._pump, args=(source, sink, direction), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_BLOCK):
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

    def _admit(self, num_bytes: int, direction: str) -> tuple[int, Fault | None]:
        """How many of these bytes may pass, and what happens after them."""
        with self._lock:
            fault = None
            if self._gone:
                return 0, Fault.Vanish
            if self._fault is not None and direction == self._direction:
                if num_bytes >= self._bytes_left:
                    num_bytes, fault = self._bytes_left, self._fault
                    self.num_faults += 1
                    self.faulted.set()
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
    """A proxy before the server at `target_port`."""
    proxy = FaultyProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
