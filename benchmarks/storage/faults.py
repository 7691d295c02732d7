"""Measures each client when the server stalls, cuts connections or becomes unreachable during a transfer."""

import filecmp
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.storage.processes import Running, Transfer
from benchmarks.storage.server import BUCKET, Server
from tests.support.faulty_proxy import Fault, FaultyProxy, faulty_proxy

MIB = 1024 * 1024
SIZE = 256 * MIB
READ_TIMEOUT = 5.0
"""Seconds, instead of the 30 of a run, so that the table is there sooner."""
LIMIT = 150.0
"""Seconds after which a transfer is killed, and counted as one that never ends."""
_KEY = "in/faults/weights"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one faulty transfer."""

    seconds: float
    """From the start of the process to its end, or in cancellations from the signal to the end."""
    mib_again: float | None
    """MiB moved beyond the size of the file; None where that is not the point."""
    result: str


class Bench:
    """One client behind one proxy, with fresh folders for every case."""

    def __init__(self, client: str, server: Server, proxy: FaultyProxy, folder: Path, source: Path) -> None:
        self.client = client
        self.server = server
        self.proxy = proxy
        self.source = source
        self.target = folder / "down"
        self._prefix = f"out/{folder.name}"

    def run(self, direction: str) -> Running:
        """Start the transfer through the proxy."""
        folder = self.target if direction == "download" else self.source.parent
        keys = (_KEY,) if direction == "download" else ()
        transfer = Transfer(self.client, direction, folder, self._prefix, keys)
        return Running(transfer, self.server, self.proxy.endpoint, READ_TIMEOUT)

    def result(self, direction: str, error: str) -> str:
        """`right`, `WRONG`, or the error."""
        moved = (
            self.target / "weights"
            if direction == "download"
            else self.server.path(f"{self._prefix}/weights")
        )
        if error:
            return f"failed: {error}"
        return "right" if filecmp.cmp(self.source, moved, shallow=False) else "WRONG"

    def num_unfinished_uploads(self) -> int:
        """Incomplete multipart uploads in the bucket."""
        uploads = self.server.client().list_multipart_uploads(Bucket=BUCKET, Prefix=self._prefix)
        return len(uploads.get("Uploads", []))


def _disturbed(direction: str, fault: Fault, after: int, times: int = 1) -> Callable[[Bench], Outcome]:
    """A transfer with `times` faults, each after the same number of bytes."""

    def case(bench: Bench) -> Outcome:
        proxied = "down" if direction == "download" else "up"
        bench.proxy.fail_after(after, fault, direction=proxied, times=times)
        running = bench.run(direction)
        succeeded, text = running.wait(LIMIT)
        seconds = time.monotonic() - running.started
        moved = bench.proxy.bytes_down if direction == "download" else bench.proxy.bytes_up
        result = bench.result(direction, "" if succeeded else text)
        if direction == "upload" and not succeeded:
            result += f"; {bench.num_unfinished_uploads()} unfinished uploads left in the bucket"
        return Outcome(seconds, (moved - SIZE) / MIB, result)

    return case


def _killed(bench: Bench) -> Outcome:
    """The process is killed at 90 %; counts what the next process downloads again."""
    bench.proxy.fail_after(int(SIZE * 0.9), Fault.Stall)
    first = bench.run("download")
    bench.proxy.faulted.wait(LIMIT)
    first.signal(signal.SIGKILL)
    first.wait(LIMIT)
    return _second_process(bench)


def _vanished(bench: Bench) -> Outcome:
    """The server is unreachable from 50 % until the process gives up; the next process resumes."""
    bench.proxy.fail_after(SIZE // 2, Fault.Vanish)
    first = bench.run("download")
    succeeded, _ = first.wait(LIMIT)
    gave_up = time.monotonic() - first.started
    bench.proxy.heal()
    second = _second_process(bench)
    ending = "never noticed" if succeeded else f"given up after {gave_up:.0f} s, then "
    return Outcome(second.seconds, second.mib_again, ending + second.result)


def _second_process(bench: Bench) -> Outcome:
    second = bench.run("download")
    succeeded, text = second.wait(LIMIT)
    seconds = time.monotonic() - second.started
    again = (bench.proxy.bytes_down - SIZE) / MIB
    return Outcome(seconds, again, bench.result("download", "" if succeeded else text))


def _replaced(bench: Bench) -> Outcome:
    """The object is replaced while it is downloaded."""
    other = bench.source.parents[1] / "other"
    bench.proxy.fail_after(SIZE // 2, Fault.Stall, times=1)
    running = bench.run("download")
    bench.proxy.faulted.wait(LIMIT)
    bench.server.put(other, _KEY)
    succeeded, text = running.wait(LIMIT)
    seconds = time.monotonic() - running.started
    if not succeeded:
        result = f"failed: {text[:110]}"
    else:
        moved = bench.target / "weights"
        same = [filecmp.cmp(file, moved, shallow=False) for file in (bench.source, other)]
        result = "the old object" if same[0] else "the new object" if same[1] else "WRONG: a mixture"
    bench.server.put(bench.source, _KEY)
    return Outcome(seconds, None, result)


def _cancelled(direction: str) -> Callable[[Bench], Outcome]:
    """SIGTERM while every connection is stalled: seconds until the process has ended."""

    def case(bench: Bench) -> Outcome:
        proxied = "down" if direction == "download" else "up"
        bench.proxy.fail_after(SIZE // 2, Fault.Stall, direction=proxied, times=1)
        running = bench.run(direction)
        bench.proxy.faulted.wait(LIMIT)
        bench.proxy.fail_after(1, Fault.Stall, direction=proxied, times=10**9)
        time.sleep(1.0)
        signalled = time.monotonic()
        running.signal(signal.SIGTERM)
        running.wait(LIMIT)
        return Outcome(time.monotonic() - signalled, None, "ended")

    return case


CASES: dict[str, Callable[[Bench], Outcome]] = {
    "download, one connection cut at 50 %": _disturbed("download", Fault.Cut, SIZE // 2),
    "download, one connection stalls at 50 %": _disturbed("download", Fault.Stall, SIZE // 2),
    "download, a connection is cut every 16 MiB": _disturbed("download", Fault.Cut, 16 * MIB, times=10**9),
    "download, server gone at 50 %, next process": _vanished,
    "download, killed at 90 %, next process": _killed,
    "download, object replaced at 50 %": _replaced,
    "download, SIGTERM while all stalls": _cancelled("download"),
    "upload, one connection cut at 50 %": _disturbed("upload", Fault.Cut, SIZE // 2),
    "upload, one connection stalls at 50 %": _disturbed("upload", Fault.Stall, SIZE // 2),
    "upload, a connection is cut every 20 MiB": _disturbed("upload", Fault.Cut, 20 * MIB, times=10**9),
    "upload, a connection is cut every 4 MiB": _disturbed("upload", Fault.Cut, 4 * MIB, times=10**9),
    "upload, SIGTERM while all stalls": _cancelled("upload"),
}


def run_case(name: str, client: str, server: Server, folder: Path) -> Outcome:
    """One case of one client, in a fresh subfolder of `folder`."""
    own = folder / f"{len(list(folder.iterdir()))}-{client}"
    own.mkdir()
    with faulty_proxy(server.port) as proxy:
        return CASES[name](Bench(client, server, proxy, own, prepare(server, folder.parent)))


def prepare(server: Server, folder: Path) -> Path:
    """The file that is transferred, which the server holds, too."""
    source = folder / "faulty" / "up" / "weights"
    if not source.exists():
        source.parent.mkdir(parents=True)
        (source.parents[1] / "other").write_bytes(os.urandom(SIZE))
        source.write_bytes(os.urandom(SIZE))
        server.put(source, _KEY)
    return source
