"""Starts the processes of `--nproc-per-node` and combines their exit codes and termination messages.

With several machines each has its launcher; `nodes.py` says how they find each other.

torchrun could start them, but exits with 1 whatever their exit codes are, and kills a process that has not
saved its checkpoint within 30 seconds. Exit code and termination message of a pod are a contract with the
operator.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from finscribe_core.constants import ENV_TERMINATION_LOG, EXIT_DONE, EXIT_PEER_LOST, EXIT_RETRY
from finscribe_trainer.distributed.environment import ENV_STORE_SOCKET
from finscribe_trainer.distributed.nodes import LOOPBACK_ADDRESS, Peers, Place, listen

log = logging.getLogger(__name__)

_EXIT_TIMEOUT = 20.0
"""Seconds that the other processes have to exit once one has failed, and again after SIGTERM."""
_EXIT_TIMEOUT_AFTER_STOP = 5.0
"""The same after a stop was requested and a process has exited: all stop at the same step, except those that
can't handle signals, such as one that waits for the others in its rendezvous."""
_POLL = 0.1
_CHECKPOINT_TIMEOUT = 60.0
"""Seconds to finish the current step and save a checkpoint when the launcher is gone."""
_ENV_LAUNCHER_PIPE = "FINSCRIBE_LAUNCHER_PIPE"
"""In a child process: file descriptor of a pipe whose other end the launcher holds open."""
ALONE = Place()


def launch(
    num_processes: int,
    arguments: Sequence[str],
    place: Place = ALONE,
    answer_probes: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> int:
    """Run `finscribe <arguments>` in `num_processes` processes and wait for them.

    The first SIGTERM or Ctrl+C is forwarded to them as SIGTERM; a second Ctrl+C kills them. The termination
    message of the process that `combined_outcome` picks becomes that of the run.

    Args:
        num_processes: on this machine.
        arguments: of the command.
        place: which of the run's machines this is.
        answer_probes: answers the kubelet while there is no process that does.

    Returns:
        the exit code: see `combined_outcome` and `Peers.exit_code`.
    """
    with TemporaryDirectory(prefix="finscribe-") as folder:
        messages = [Path(folder) / str(rank) for rank in range(num_processes)]
        peers = Peers(place) if place.nodes > 1 else None
        children = _Children(peers)
        with _launcher_pipe() as pipe:
            with _store_socket(place) as store:  # the first process has it then, and alone
                own_port = int(store.getsockname()[1])
                with answer_probes():
                    at = peers.meet(own_port, children.is_stopping) if peers else (LOOPBACK_ADDRESS, own_port)
                if at is not None:
                    children.start(arguments, messages, pipe, store, at, place)
            children.wait()
        if children.killed_by_user or len(children.all) < num_processes:
            return EXIT_RETRY
        written = {rank: file.stat().st_mtime for rank, file in enumerate(messages) if file.exists()}
        code, reporting = combined_outcome(
            [child.returncode for child in children.all], written, children.killed
        )
        if children.killed is not None and reporting is None:
            log.error("process %d was ended by signal %d", children.killed, code - 128)
        termination_log = os.environ.get(ENV_TERMINATION_LOG)
        if termination_log and reporting is not None:
            # In place, not by renaming: the kubelet mounts this file itself.
            shutil.copyfile(messages[reporting], termination_log)
        if peers is None:
            return EXIT_RETRY if code == EXIT_PEER_LOST else code
        if code != EXIT_DONE:
            return peers.exit_code(code, stopped=children.is_stopping())
        peers.say("done")
        if place.is_first:
            return EXIT_DONE
        with answer_probes():
            return _wait_for_first_machine(peers, children.is_stopping)


def _wait_for_first_machine(peers: Peers, is_stopping: Callable[[], bool]) -> int:
    """Wait until the first machine has completed the run, whose last stages it has alone.

    If these fail, the run starts again and needs all machines, but Kubernetes starts none again that has
    succeeded.
    """
    while not is_stopping():
        has_ended = peers.have_ended()
        if peers.is_done:
            return EXIT_DONE
        if has_ended:
            return EXIT_PEER_LOST
        time.sleep(_POLL)
    return EXIT_RETRY


def combined_outcome(
    codes: Sequence[int], written: dict[int, float], killed: int | None
) -> tuple[int, int | None]:
    """The exit code of all processes together, and the rank whose termination message reports it.

    The first process publishes the result: if it succeeded, the run has. Otherwise the process that failed
    first has the cause. A process that was killed wrote no message, and those of the others only report that
    they lost it.

    Args:
        codes: each process's exit code, negative for the signal that ended it.
        written: modification time of each termination message, by rank.
        killed: rank of the process that a signal ended which the launcher had not sent.

    >>> combined_outcome([75, 78], {1: 10.0}, None)
    (78, 1)
    """
    if codes[0] == EXIT_DONE:
        return EXIT_DONE, 0 if 0 in written else None
    if killed is not None:
        return 128 - codes[killed], None
    failed = [rank for rank in written if codes[rank] > 0]
    if failed:
        first = min(failed, key=lambda rank: written[rank])
        return codes[first], first
    causes = (code for code in codes if code > 0 and code != EXIT_PEER_LOST)
    return next(causes, EXIT_PEER_LOST if EXIT_PEER_LOST in codes else EXIT_RETRY), None


def stop_when_launcher_exits() -> None:
    """In a process that `launch` started: request a stop when the launcher exits, also by SIGKILL.

    Otherwise the process would keep training on a GPU that seems to be free.
    """
    pipe = os.environ.pop(_ENV_LAUNCHER_PIPE, None)
    if pipe is not None:
        threading.Thread(
            target=_wait_for_launcher, args=(int(pipe),), name="launcher-pipe", daemon=True
        ).start()


def _wait_for_launcher(pipe: int) -> None:
    os.read(pipe, 1)  # nothing is ever written: returns when the launcher's end is closed
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_CHECKPOINT_TIMEOUT)
    os._exit(EXIT_RETRY)


@contextlib.contextmanager
def _launcher_pipe() -> Iterator[int]:
    """A pipe's read end for the children; the write end closes with this context, or with this process."""
    for_children, held = os.pipe()
    try:
        yield for_children
    finally:
        os.close(for_children)
        os.close(held)


def _store_socket(place: Place) -> socket.socket:
    """A socket for the processes' store, which other machines can reach only if the run has several."""
    return listen(0) if place.nodes > 1 else socket.create_server((LOOPBACK_ADDRESS, 0))


def _loopback_interface() -> str:
    """Name of the loopback interface: `lo`, on macOS `lo0`."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


class _Children:
    """The child processes: starts them, forwards signals, waits for their exit.

    Attributes:
        all: the processes, by rank.
        killed: rank of the first process found to have ended by a signal that the launcher had not sent.
        killed_by_user: whether a second Ctrl+C killed them.
    """

    def __init__(self, peers: Peers | None) -> None:
        self.all: list[subprocess.Popen[bytes]] = []
        self.killed: int | None = None
        self.killed_by_user = False
        self._peers = peers
        self._stop_requested = False
        for number in (signal.SIGTERM, signal.SIGINT):  # before there is a child that could be orphaned
            signal.signal(number, self._forward)

    def is_stopping(self) -> bool:
        """Whether a stop was requested."""
        return self._stop_requested

    def start(
        self,
        arguments: Sequence[str],
        messages: Sequence[Path],
        pipe: int,
        store: socket.socket,
        store_at: tuple[str, int],
        place: Place,
    ) -> None:
        """Start one process for each termination message file, until a stop is requested."""
        count = len(messages)
        loopback = _loopback_interface()
        interfaces = {"NCCL_SOCKET_IFNAME": loopback, "GLOO_SOCKET_IFNAME": loopback}
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        shared = {
            **os.environ,
            **(interfaces if place.nodes == 1 else {}),
            "WORLD_SIZE": str(count * place.nodes),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": store_at[0],
            "MASTER_PORT": str(store_at[1]),
            ENV_STORE_SOCKET: "",
            "OMP_NUM_THREADS": str(max(1, threads // count)),
            _ENV_LAUNCHER_PIPE: str(pipe),
        }
        # A terminal sends Ctrl+C to the whole process group; the children get it once, from `_forward`.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for rank, file in enumerate(messages):
                own = {
                    "RANK": str(place.rank * count + rank),
                    "LOCAL_RANK": str(rank),
                    ENV_TERMINATION_LOG: str(file),
                }
                fds = [pipe]
                if rank == 0 and place.is_first:
                    own[ENV_STORE_SOCKET] = str(store.fileno())
                    fds.append(store.fileno())
                if not self._stop_requested:
                    self.all.append(
                        subprocess.Popen(  # noqa: S603 - runs this program itself
                            [sys.executable, "-m", "finscribe_trainer", *arguments],
                            env={**shared, **own},
                            pass_fds=fds,
                        )
                    )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if self._stop_requested:
            self._send(signal.SIGTERM)  # again: a signal may arrive before the last process is in the list

    def _forward(self, signum: int, _frame: FrameType | None) -> None:
        if not self._stop_requested:
            self._send(signal.SIGTERM)
        elif signum == signal.SIGINT:
            self.killed_by_user = True
            self._send(signal.SIGKILL)
        self._stop_requested = True

    def _send(self, signum: signal.Signals) -> None:
        for process in self.all:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signum)

    def wait(self) -> None:
        """Wait until all have exited; when one fails, end the others, by SIGTERM and then by SIGKILL.

        The same when another machine has ended.
        """
        while self._running() and not self._failed() and not self._peers_have_ended():
            time.sleep(_POLL)
        self._tell_peers()
        for signum in (signal.SIGTERM, signal.SIGKILL):
            timeout = _EXIT_TIMEOUT_AFTER_STOP if self._stop_requested else _EXIT_TIMEOUT
            deadline = time.monotonic() + timeout
            while self._running() and time.monotonic() < deadline:
                time.sleep(_POLL)
            self.killed = self._find_killed() if signum == signal.SIGTERM else self.killed
            if self._running():
                self._send(signum)
        for process in self.all:
            process.wait()

    def _peers_have_ended(self) -> bool:
        if self._peers is None:
            return False
        if self._stop_requested:
            self._peers.say("stopping")
        return self._peers.have_ended()

    def _tell_peers(self) -> None:
        """Tell the other machines that this one ends, unless its first process has finished."""
        codes = [process.poll() for process in self.all]
        if self._peers is not None and codes and codes[0] != EXIT_DONE:
            has_cause = any(code not in (None, EXIT_DONE, EXIT_PEER_LOST) for code in codes)
            self._peers.say("failed" if has_cause else "following")

    def _running(self) -> bool:
        return any(process.poll() is None for process in self.all)

    def _failed(self) -> bool:
        return any(process.poll() for process in self.all)

    def _find_killed(self) -> int | None:
        # A child that has not installed its signal handlers yet ends by the SIGTERM that was forwarded.
        sent = {-signal.SIGTERM} if self._stop_requested else set()
        codes = [process.poll() or 0 for process in self.all]
        return next((rank for rank, code in enumerate(codes) if code < 0 and code not in sent), None)
