"""The machines of a run: how their launchers find each other, and how each learns that another has ended.

Each launcher holds a connection to that of the first machine, from before its processes start until the run
has ended. The kernel closes it when the launcher ends, however it does, and reports it as broken within
half a minute when the machine is gone. So nothing depends on what torch notices, which may be in a
collective operation without a timeout.

A message is a line: `join <number of the machine>`, `start <port of torch's store>`, `stopping`, `failed`,
`following`, `done`.
"""

import contextlib
import logging
import math
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from finscribe_core.constants import (
    ENV_MASTER_ADDRESS,
    ENV_MASTER_PORT,
    ENV_NODE_RANK,
    ENV_NODES,
    EXIT_DONE,
    EXIT_PEER_LOST,
    EXIT_RETRY,
    EXIT_USER_ERROR,
    MASTER_PORT,
)
from finscribe_core.errors import FailureReason, UserError

log = logging.getLogger(__name__)

_POLL = 0.2
"""Seconds between two looks at a request to stop, while the machines wait for each other."""
_RETRY = 1.0
"""Seconds between two attempts to reach the first machine."""
_TIMEOUT = 10.0
"""Seconds for a connection, and for the first line of one."""
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
"""After 30 seconds without any answer of the other machine its connection is broken."""
_MAX_RECEIVED = 1024
"""Bytes that are kept of what comes in; the lines are short."""
LOOPBACK_ADDRESS = "127.0.0.1"


@dataclass(frozen=True)
class Place:
    """Which of a run's machines this is."""

    nodes: int = 1
    """Number of machines."""
    rank: int = 0
    """Number of this one, from 0."""
    address: str = ""
    """Host name or address of the first machine."""
    port: int = MASTER_PORT
    """Its port for the others."""

    @property
    def is_first(self) -> bool:
        """Whether this is the first machine, on which the first process runs."""
        return self.rank == 0


def read_place() -> Place:
    """This machine's place, by the environment variables with which torchrun can be configured, too.

    Raises:
        UserError: InvalidConfig when they contradict each other.
    """
    nodes = _number(ENV_NODES, 1, least=1)
    if nodes == 1:
        return Place()
    place = Place(
        nodes,
        _number(ENV_NODE_RANK, -1, least=0),
        os.environ.get(ENV_MASTER_ADDRESS, ""),
        _number(ENV_MASTER_PORT, MASTER_PORT, least=1),
    )
    if not 0 <= place.rank < nodes or not place.address:
        raise UserError(
            FailureReason.InvalidConfig,
            f"{ENV_NODES}={nodes} needs {ENV_NODE_RANK} from 0 to {nodes - 1}, and {ENV_MASTER_ADDRESS}, the "
            "address of the first machine.",
            f"Set them, or unset {ENV_NODES} to train on this machine alone.",
        )
    return place


def _number(variable: str, default: int, *, least: int) -> int:
    text = os.environ.get(variable, "") or str(default)
    if text != str(default) and not (text.isascii() and text.isdecimal() and int(text) >= least):
        raise UserError(
            FailureReason.InvalidConfig, f"{variable}={text!r} is not a number from {least}.", "Correct it."
        )
    return int(text)


class Peers:
    """The launchers of the other machines: for the first machine all of them, else the first one alone.

    Attributes:
        is_done: whether the first machine has completed the run.
    """

    def __init__(self, place: Place) -> None:
        self.place = place
        self.is_done = False
        self._have_ended = False
        self._is_cause_elsewhere = False
        self._connections: dict[int, _Connection] = {}
        self._finished: set[int] = set()
        self._said: set[str] = set()

    def meet(self, store_port: int, should_stop: Callable[[], bool]) -> tuple[str, int] | None:
        """Wait for all machines, without a timeout: one may still wait for a node, or pull its image.

        Args:
            store_port: the port of torch's store, if this is the first machine.
            should_stop: whether to give up.

        Returns:
            address and port of torch's store; None after a request to stop.
        """
        if self.place.is_first:
            return self._gather(store_port, should_stop)
        return self._join(should_stop)

    def have_ended(self) -> bool:
        """Whether another machine has ended before its processes had finished."""
        for rank, connection in list(self._connections.items()):
            for line in connection.read():
                self._note(rank, line)
            if connection.is_closed:
                del self._connections[rank]
                self._note_end(rank, connection.error)
        return self._have_ended

    def say(self, word: str) -> None:
        """Tell the other machines `stopping`, `failed`, `following` or `done`; each word once."""
        if word not in self._said:
            self._said.add(word)
            for connection in self._connections.values():
                connection.write(word)

    def exit_code(self, code: int, *, stopped: bool) -> int:
        """The exit code of this machine, such that a restart of all machines counts once as a failure.

        The machine that has ended for a reason of its own has its own code, all others have EXIT_PEER_LOST.
        Where none is known to be the cause, as after a failure of the network, the first one counts.

        Args:
            code: that of this machine's processes.
            stopped: whether this machine was told to stop.
        """
        if code in (EXIT_DONE, EXIT_USER_ERROR):
            return code
        if stopped:
            return EXIT_RETRY if code == EXIT_PEER_LOST else code
        if self.place.is_first and self._is_cause_elsewhere:
            return EXIT_PEER_LOST
        if "failed" in self._said:
            return code
        return EXIT_RETRY if self.place.is_first else EXIT_PEER_LOST

    def _gather(self, store_port: int, should_stop: Callable[[], bool]) -> tuple[str, int] | None:
        with listen(self.place.port) as server:
            server.settimeout(_POLL)
            while len(self._connections) < self.place.nodes - 1:
                if should_stop():
                    return None
                self._accept(server)
                # A machine that has ended meanwhile comes back: nothing has begun yet.
                waiting = {rank: each for rank, each in self._connections.items() if not each.has_ended()}
                self._connections = waiting
        for connection in self._connections.values():
            connection.write(f"start {store_port}")
        log.info("all %d machines have joined", self.place.nodes)
        return LOOPBACK_ADDRESS, store_port

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection = _Connection(server.accept()[0])
            word, _, number = connection.wait_for_line(lambda: False, _TIMEOUT).partition(" ")
            if word == "join" and number in map(str, range(1, self.place.nodes)):
                self._connections[int(number)] = connection
                log.info("machine %s of %d has joined", number, self.place.nodes)

    def _join(self, should_stop: Callable[[], bool]) -> tuple[str, int] | None:
        log.info("waiting for the first machine, %s", self.place.address)
        while not should_stop():
            with contextlib.suppress(OSError):
                address = (self.place.address, self.place.port)
                connection = _Connection(socket.create_connection(address, timeout=_TIMEOUT))
                connection.write(f"join {self.place.rank}")
                word, _, port = connection.wait_for_line(should_stop).partition(" ")
                if word == "start" and port.isdecimal():
                    self._connections[0] = connection
                    return connection.address, int(port)
            time.sleep(_RETRY)
        return None

    def _note(self, rank: int, line: str) -> None:
        if line in ("failed", "stopping"):
            self._is_cause_elsewhere = True
        if line in ("failed", "following") and not self._have_ended:
            log.error("machine %d has ended", rank)
            self._have_ended = True
        if line == "done":
            self._finished.add(rank)
            self.is_done = rank == 0

    def _note_end(self, rank: int, error: OSError | None) -> None:
        if self._have_ended or rank in self._finished:
            return
        self._have_ended = True
        if error is None:
            self._is_cause_elsewhere = True
            log.error("machine %d has ended without a message", rank)
        else:
            log.error("the connection to machine %d is broken: %s", rank, error)


class _Connection:
    """Lines to and from the launcher of another machine."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE.items():
            if hasattr(socket, option):  # not on macOS
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
        self.address = str(connected.getpeername()[0])
        self.is_closed = False
        self.error: OSError | None = None
        self._socket = connected
        self._received = b""

    def read(self) -> list[str]:
        """The lines that have come in; does not wait."""
        self._receive()
        *lines, self._received = self._received.split(b"\n")
        return [line.decode(errors="replace") for line in lines]

    def has_ended(self) -> bool:
        """Whether the other end has closed the connection."""
        self._receive()
        return self.is_closed

    def wait_for_line(self, should_stop: Callable[[], bool], timeout: float = math.inf) -> str:
        """The next line; empty after the timeout, a request to stop, or the end of the connection."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._received:
            if self.is_closed or should_stop() or time.monotonic() > deadline:
                return ""
            select.select([self._socket], [], [], _POLL)
            self._receive()
        line, _, self._received = self._received.partition(b"\n")
        return line.decode(errors="replace")

    def write(self, line: str) -> None:
        """Send a line. An error shows when reading."""
        with contextlib.suppress(OSError):
            self._socket.sendall(f"{line}\n".encode())

    def _receive(self) -> None:
        while not self.is_closed:
            try:
                data = self._socket.recv(_MAX_RECEIVED)
            except BlockingIOError:
                return
            except OSError as error:
                self.error, data = error, b""
            self._received += data
            if not data or len(self._received) > _MAX_RECEIVED:
                self.is_closed = True
                self._socket.close()


def listen(port: int) -> socket.socket:
    """A socket that other machines can reach, by IPv4 and, where there is it, IPv6; port 0: any free one."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", port))
