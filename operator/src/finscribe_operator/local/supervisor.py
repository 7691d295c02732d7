"""Runs a command in a process group and terminates the group when the parent process ends.

`python supervisor.py GRACE_SECONDS COMMAND...`: standard input is a pipe from the parent. When it closes (the
parent ended, even by SIGKILL) the group gets SIGTERM, so that a trainer saves its checkpoint, and SIGKILL
after the grace period. Exits as a container would: with the command's code, or 128 + the signal's number.
It runs as a script and imports only the standard library, so that it starts fast.
"""

import os
import select
import signal
import subprocess
import sys


def main(grace_seconds: float, command: list[str]) -> int:
    """Run the command until it ends or standard input closes."""
    # Signals to the group are meant for the command; this process stays to return its exit code.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - running it is the purpose
    while child.poll() is None:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 1024)
        elif not os.read(0, 1024):
            return _terminate(child, grace_seconds)
    return _exit_code(child.returncode)


def _terminate(child: "subprocess.Popen[bytes]", grace_seconds: float) -> int:
    os.killpg(0, signal.SIGTERM)
    try:
        child.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)
    return _exit_code(child.returncode)


def _exit_code(returncode: int) -> int:
    return 128 - returncode if returncode < 0 else returncode


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), sys.argv[2:]))
