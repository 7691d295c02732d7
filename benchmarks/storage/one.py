"""`python -m benchmarks.storage.one`: runs one transfer; prints its seconds and memory as JSON."""

import argparse
import json
import signal
import threading
import time
from pathlib import Path
from types import FrameType

from benchmarks.storage.clients import Settings, make_client


def main() -> None:
    """Create the client, transfer, print seconds and memory."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=("finscribe", "boto3", "crt"))
    parser.add_argument("direction", choices=("upload", "download"))
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--prefix", default="", help="where uploads go")
    parser.add_argument("--keys", type=Path, help="file with one key to download per line")
    parser.add_argument("--read-timeout", type=float, default=30.0)
    options = parser.parse_args()

    cancel = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        cancel.set()
        if options.client != "finscribe":  # the way in which the transfer managers are cancelled
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    settings = Settings(options.endpoint, options.bucket, options.read_timeout)
    client = make_client(options.client, settings, cancel)
    keys = options.keys.read_text().split() if options.keys else []
    memory_before = _memory_mib("VmRSS")
    started, cpu_before = time.monotonic(), time.process_time()
    if options.direction == "upload":
        client.upload(options.folder, options.prefix)
    else:
        client.download(keys, options.folder)
    measured = {
        "seconds": time.monotonic() - started,
        "cpu_seconds": time.process_time() - cpu_before,
        "peak_mib": _memory_mib("VmHWM") - memory_before,
    }
    print(json.dumps(measured), flush=True)


def _memory_mib(field: str) -> float:
    """A memory field of /proc/self/status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith(f"{field}:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
