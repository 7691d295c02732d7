"""Measures one case once and prints JSON: `python -m benchmarks.data.one NUMBER`, in a fresh process."""

import json
import os
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks.data.cases import CASES


def main() -> None:
    """Pin this process to one core, prepare and run the case, print CPU seconds, peak MiB and scores."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    case = CASES[int(sys.argv[1])]
    prepare = import_module(f"benchmarks.data.{case.module}").prepare
    with tempfile.TemporaryDirectory() as folder:
        work = prepare(case.items, Path(folder), *case.parameters)
        begin = time.process_time()
        scores = work()
        seconds = time.process_time() - begin
    print(json.dumps({"seconds": seconds, "peak_mib": _peak_mib(), "scores": scores}))


def _peak_mib() -> float:
    """The peak resident memory of this process (VmHWM)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in lines if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()
