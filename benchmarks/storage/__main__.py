"""`python -m benchmarks.storage`: compares FinScribe's S3 transfers with boto3's, and prints two tables.

Every transfer is a process of its own, and the clients take turns: other programs on the machine then disturb
all of them alike.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks.storage.faults import CASES, Outcome, run_case
from benchmarks.storage.processes import CLIENTS, ROOT, Measured, Transfer, measure
from benchmarks.storage.server import Server, run_server
from benchmarks.storage.table import fault_table, heading, speed_table
from finscribe_trainer.runtime.progress import progress

RESULTS = Path(__file__).with_name("RESULTS.md")
MIB = 1024 * 1024
SMALL_FILE_BYTES = 100_000

Sizes = dict[str, list[int]]
"""Sizes of the files of each case, in bytes."""


def main() -> None:
    """Measure, print, and optionally write the results."""
    options = _options()
    sizes = {
        f"1 file of {options.large_mib} MiB": [options.large_mib * MIB],
        f"{options.small_files} files of 100 kB": [SMALL_FILE_BYTES] * options.small_files,
    }
    options.folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=options.folder, prefix="finscribe-bench-storage-") as name,
        run_server(Path(name)) as server,
    ):
        folder = Path(name)
        speeds = _speeds(server, folder, sizes, options.repeat)
        faults = _faults(server, folder, options.repeat_faults)
    text = "\n".join([*heading(), "", *speed_table(speeds), "", *fault_table(faults)])
    print(text)
    if options.write:
        RESULTS.write_text(f"{text}\n", encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench-storage",
        description="Compare FinScribe's S3 transfers with boto3's transfer managers on a local S3 server.",
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="rounds of the transfers (3)")
    parser.add_argument(
        "--repeat-faults", type=int, default=2, metavar="N", help="rounds of the faulty transfers (2)"
    )
    parser.add_argument("--large-mib", type=int, default=2048, metavar="MIB", help="size of the large file")
    parser.add_argument("--small-files", type=int, default=5000, metavar="N", help="files of 100 kB (5000)")
    parser.add_argument(
        "--folder", type=Path, default=Path(tempfile.gettempdir()), help="where files and objects are kept"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"also write the tables to {RESULTS.relative_to(ROOT)}"
    )
    return parser.parse_args()


def _speeds(
    server: Server, folder: Path, sizes: Sizes, repeat: int
) -> dict[tuple[str, str], dict[str, list[Measured]]]:
    """Measurements of undisturbed transfers, by (direction, case) and client."""
    found: dict[tuple[str, str], dict[str, list[Measured]]] = defaultdict(lambda: defaultdict(list))
    turns = [
        (case, direction, round_number)
        for case in sizes
        for direction in ("upload", "download")
        for round_number in range(repeat)
    ]
    for case, direction, round_number in progress(turns, "Benchmark", unit="rounds"):
        source = _source(folder, sizes[case])
        # The first client finds colder caches, so the order changes from round to round.
        for client in _rotated(CLIENTS, round_number):
            target = folder / "moved"
            prefix = f"out/{source.name}"
            keys = tuple(f"in/{source.name}/{path.name}" for path in source.iterdir())
            if direction == "download" and not server.path(keys[0]).exists():
                server.put_all(source, f"in/{source.name}")
            transfer = Transfer(client, direction, source if direction == "upload" else target, prefix, keys)
            found[direction, case][client].append(measure(transfer, server))
            moved = server.path(prefix) if direction == "upload" else target
            _assert_same(source, moved, f"{client}, {direction}, {case}")
            shutil.rmtree(moved)
    return found


def _faults(server: Server, folder: Path, repeat: int) -> dict[str, dict[str, list[Outcome]]]:
    """Outcomes of the disturbed transfers, by case and client."""
    (folder / "faults").mkdir()
    found: dict[str, dict[str, list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    turns = [(case, number) for number in range(repeat) for case in CASES]
    for case, number in progress(turns, "Benchmark", unit="cases"):
        for client in _rotated(CLIENTS, number):
            found[case][client].append(run_case(case, client, server, folder / "faults"))
    return found


def _source(folder: Path, sizes: list[int]) -> Path:
    """A folder with random files of these sizes."""
    source = folder / f"{len(sizes)}-files"
    if not source.exists():
        source.mkdir()
        for number, size in enumerate(sizes):
            with (source / f"{number:05}.bin").open("wb") as file:
                for start in range(0, size, MIB):
                    file.write(os.urandom(min(MIB, size - start)))
    return source


def _assert_same(source: Path, moved: Path, what: str) -> None:
    """Fail unless up to a hundred files, chosen at random, have the same bytes."""
    names = [path.name for path in source.iterdir()]
    for name in random.sample(names, min(100, len(names))):
        with (source / name).open("rb") as one, (moved / name).open("rb") as other:
            while block := one.read(MIB):
                if block != other.read(MIB):
                    sys.exit(f"{what}: {name} differs")
            if other.read(1):
                sys.exit(f"{what}: {name} is too long")


def _rotated(clients: tuple[str, ...], turns: int) -> tuple[str, ...]:
    first = turns % len(clients)
    return clients[first:] + clients[:first]


if __name__ == "__main__":
    main()
