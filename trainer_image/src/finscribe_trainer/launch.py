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
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from finscribe_core.constants import ENV_TERMINATION_LOG, EXIT_DONE, EXIT_RETRY

log = logging.getLogger(__name__)

_PATIENCE = 20.0
"""Seconds that the others have to end by themselves once a process has failed, and again once told to."""


def launch(num_processes: int, arguments: Sequence[str]) -> int:
    """Run `finscribe <arguments>` in so many processes, and end as they do.

    The first SIGTERM or Ctrl+C is passed on once, as SIGTERM; a second Ctrl+C ends everything at once.

    Returns:
        the exit code: see `outcome_of`.
    """
    with TemporaryDirectory(prefix="finscribe-") as folder:
        last_words = [Path(folder) / str(rank) for rank in range(num_processes)]
        children = _Children(_start(arguments, last_words))
        children.wait()
        if children.ended_at_once:
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


def _start(arguments: Sequence[str], last_words: Sequence[Path]) -> "list[subprocess.Popen[bytes]]":
    count = len(last_words)
    threads = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1)
    shared = {
        **os.environ,
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "OMP_NUM_THREADS": str(max(1, threads // count)),
    }
    # A terminal sends Ctrl+C to all of us; the children are to hear of it once, from here.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return [
            subprocess.Popen(  # noqa: S603 - this very program
                [sys.executable, "-m", "finscribe_trainer", *arguments],
                env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank), ENV_TERMINATION_LOG: str(file)},
            )
            for rank, file in enumerate(last_words)
        ]
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


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

    def __init__(self, processes: "list[subprocess.Popen[bytes]]") -> None:
        self.all = processes
        self.killed: int | None = None
        self.ended_at_once = False
        self._asked_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._pass_on)

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
            deadline = time.monotonic() + _PATIENCE
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
        killed = [rank for rank, process in enumerate(self.all) if (process.poll() or 0) < 0]
        return killed[0] if killed else None
