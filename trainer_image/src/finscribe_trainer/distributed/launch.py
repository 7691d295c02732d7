"""`--nproc-per-node`: a run's processes on this machine, and how they end as one.

torchrun could start them, but ends with 1 whatever they ended with, and kills whoever has not saved its
checkpoint within 30 seconds. How a pod ends is a contract with the operator.
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
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from finscribe_core.constants import ENV_TERMINATION_LOG, EXIT_DONE, EXIT_RETRY

log = logging.getLogger(__name__)

_PATIENCE = 20.0
"""Seconds that the others have to end by themselves once a process has failed, and again once told to."""
_SHORT_PATIENCE = 5.0
"""The same once all were asked to stop and one has: they stop together, but for those deaf to signals, as one
is that waits for the others to come."""
_GRACE = 60.0
"""Seconds for the step under way and its checkpoint when the launcher is gone."""
_ENV_LIFELINE = "FINSCRIBE_LIFELINE"
"""In a child: the file descriptor of a pipe whose other end the launcher holds open."""


def launch(num_processes: int, arguments: Sequence[str]) -> int:
    """Run `finscribe <arguments>` in so many processes, and end as they do.

    The first SIGTERM or Ctrl+C is passed on once, as SIGTERM; a second Ctrl+C ends everything at once.

    Returns:
        the exit code: see `outcome_of`.
    """
    with TemporaryDirectory(prefix="finscribe-") as folder:
        last_words = [Path(folder) / str(rank) for rank in range(num_processes)]
        children = _Children()
        with _lifeline() as lifeline:
            children.start(arguments, last_words, lifeline)
            children.wait()
        if children.ended_at_once or len(children.all) < num_processes:
            return EXIT_RETRY
        spoken = {rank: file.stat().st_mtime for rank, file in enumerate(last_words) if file.exists()}
        code, speaker = outcome_of([child.returncode for child in children.all], spoken, children.killed)
        if children.killed is not None and speaker is None:
            log.error("process %d was ended by signal %d", children.killed, code - 128)
        told = os.environ.get(ENV_TERMINATION_LOG)
        if told and speaker is not None:
            shutil.copyfile(last_words[speaker], told)  # in place: the kubelet mounts this very file
        return code


def outcome_of(codes: Sequence[int], spoken: dict[int, float], killed: int | None) -> tuple[int, int | None]:
    """How the processes ended as a whole: the exit code, and the process whose last words tell of it.

    The first process publishes: once it is done, so is the run. Else the one that failed first tells why: one
    that was killed says nothing, and the others have only lost it.

    Args:
        codes: each process's exit code, negative for the signal that ended it.
        spoken: when a process wrote its last words, by its number.
        killed: the process that ended by a signal which was not ours.

    >>> outcome_of([75, 78], {1: 10.0}, None)
    (78, 1)
    """
    if codes[0] == EXIT_DONE:
        return EXIT_DONE, 0 if 0 in spoken else None
    if killed is not None:
        return 128 - codes[killed], None
    failed = [rank for rank in spoken if codes[rank] > 0]
    if failed:
        first = min(failed, key=lambda rank: spoken[rank])
        return codes[first], first
    return next((code for code in codes if code > 0), EXIT_RETRY), None


def end_with_launcher() -> None:
    """In a process that `launch` started: stop as if asked to once the launcher is gone, be it by SIGKILL.

    Else the processes would train on, on GPUs that nobody knows to be taken.
    """
    lifeline = os.environ.pop(_ENV_LIFELINE, None)
    if lifeline is not None:
        threading.Thread(target=_watch, args=(int(lifeline),), name="lifeline", daemon=True).start()


def _watch(lifeline: int) -> None:
    os.read(lifeline, 1)  # nothing is ever written: this returns at the other end's end
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE)
    os._exit(EXIT_RETRY)


@contextlib.contextmanager
def _lifeline() -> Iterator[int]:
    """A pipe's end for the children; the other end closes with this context, or with this process."""
    for_children, held = os.pipe()
    try:
        yield for_children
    finally:
        os.close(for_children)
        os.close(held)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class _Children:
    """The processes, and what became of them.

    Attributes:
        killed: the first one seen to have ended by a signal that was not ours.
        ended_at_once: whether a second Ctrl+C ended them.
    """

    def __init__(self) -> None:
        self.all: list[subprocess.Popen[bytes]] = []
        self.killed: int | None = None
        self.ended_at_once = False
        self._asked_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT):  # before there is a child that could be left behind
            signal.signal(number, self._pass_on)

    def start(self, arguments: Sequence[str], last_words: Sequence[Path], lifeline: int) -> None:
        """Start one for each file of last words; once asked to stop, no more."""
        count = len(last_words)
        threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
        shared = {
            **os.environ,
            "WORLD_SIZE": str(count),
            "LOCAL_WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(_free_port()),
            "OMP_NUM_THREADS": str(max(1, threads // count)),
            _ENV_LIFELINE: str(lifeline),
        }
        # A terminal sends Ctrl+C to all of us; the children are to hear of it once, from here.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for rank, file in enumerate(last_words):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank), ENV_TERMINATION_LOG: str(file)}
                if not self._asked_to_stop:
                    self.all.append(
                        subprocess.Popen(  # noqa: S603 - this very program
                            [sys.executable, "-m", "finscribe_trainer", *arguments],
                            env={**shared, **own},
                            pass_fds=[lifeline],
                        )
                    )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        if self._asked_to_stop:
            self._tell(signal.SIGTERM)  # again: the signal may have come before the last one was in the list

    def _pass_on(self, signum: int, _frame: FrameType | None) -> None:
        if not self._asked_to_stop:
            self._tell(signal.SIGTERM)
        elif signum == signal.SIGINT:
            self.ended_at_once = True
            self._tell(signal.SIGKILL)
        self._asked_to_stop = True

    def _tell(self, signum: signal.Signals) -> None:
        for process in self.all:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signum)

    def wait(self) -> None:
        """Until all have ended; once one has failed the others must, too."""
        while self._running() and not self._failed():
            time.sleep(0.1)
        for signum in (signal.SIGTERM, signal.SIGKILL):
            patience = _SHORT_PATIENCE if self._asked_to_stop else _PATIENCE
            deadline = time.monotonic() + patience
            while self._running() and time.monotonic() < deadline:
                time.sleep(0.1)
            self.killed = self._find_killed() if signum == signal.SIGTERM else self.killed
            if self._running():
                self._tell(signum)
        for process in self.all:
            process.wait()

    def _running(self) -> bool:
        return any(process.poll() is None for process in self.all)

    def _failed(self) -> bool:
        return any(process.poll() for process in self.all)

    def _find_killed(self) -> int | None:
        ours = {-signal.SIGTERM} if self._asked_to_stop else set()  # it had not even begun to listen
        codes = [process.poll() or 0 for process in self.all]
        return next((rank for rank, code in enumerate(codes) if code < 0 and code not in ours), None)
