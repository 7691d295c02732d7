"""Lists the sweeps of the trainer and their cases."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from tests.support.machines import Machine
from tests.support.trainer_process import TRAINER
from tests.trainer_sweeps.life import Attempt, Case, Shape
from tests.trainer_sweeps.s3_proxy import Fault, Faults, S3Proxy

ALONE, TWO_PROCESSES, TWO_NODES = Shape(), Shape(processes=2), Shape(nodes=2)
STAGES = {
    "start": "",
    "data": r"training samples have images",
    "model": "parameters are trainable",
    "first steps": "'loss'",
    "checkpoint": "Upload checkpoint-3",
    "next checkpoint": "Upload checkpoint-6",
    "last step": "Upload checkpoint-9",
    "export": "merging ",
    "final evaluation": "evaluating base and tuned model",
    "publication": "result written to",
}
"""What the first process has logged when a stage has begun, by stage."""


@dataclass(frozen=True)
class Sweep:
    """Cases of one kind of disturbance."""

    name: str
    what: str
    """What it does to a run, for help and documentation."""
    cases: tuple[Case, ...]


def _at(stage: str, end: Callable[[Sequence[Machine]], None]) -> Callable[[Attempt], int]:
    """Disturb the first attempt when it reaches a stage."""

    def disturb(attempt: Attempt) -> int:
        if attempt.number > 1:
            return 0
        if STAGES[stage]:
            attempt.machines[0].wait_for(STAGES[stage])
        else:
            time.sleep(0.5)
        end(attempt.machines)
        return 1

    return disturb


def _kill_all(machines: Sequence[Machine]) -> None:
    machines[0].kill()


def _kill_rank(rank: int) -> Callable[[Sequence[Machine]], None]:
    return lambda machines: machines[0].kill_trainer(rank)


def _kill_node(number: int) -> Callable[[Sequence[Machine]], None]:
    return lambda machines: machines[number].kill()


def _drain_node(number: int) -> Callable[[Sequence[Machine]], None]:
    return lambda machines: machines[number].drain()


JOINED = tuple(stage for stage in STAGES if stage not in ("start", "data", "publication"))
"""Stages in which several processes work together."""


def _kills() -> tuple[Case, ...]:
    alone = [Case(stage, _at(stage, _kill_all)) for stage in STAGES]
    ranks = [
        Case(f"{stage}, rank {rank}", _at(stage, _kill_rank(rank)), TWO_PROCESSES)
        for stage, rank in product(JOINED, (0, 1))
    ]
    nodes = [
        Case(f"{stage}, node {node}", _at(stage, _kill_node(node)), TWO_NODES)
        for stage, node in product(JOINED, (0, 1))
    ]
    return (*alone, *ranks, *nodes)


def _drains() -> tuple[Case, ...]:
    alone = [Case(stage, _at(stage, _drain_node(0))) for stage in STAGES]
    nodes = [Case(f"{stage}, node 1", _at(stage, _drain_node(1)), TWO_NODES) for stage in JOINED]
    return (*alone, *nodes)


def _kill_at_write(number: int, *, before: bool) -> Case:
    """The process is killed when it sends its n-th write to the bucket, or when the server has done it."""

    def disturb(attempt: Attempt) -> int:
        if attempt.number > 1:
            attempt.proxy.at_write = None
            return 0
        first = attempt.proxy.num_writes

        def may_write(total: int) -> bool:
            if total - first < number:
                return True
            attempt.machines[0].process.send_signal(signal.SIGKILL)
            return not before and total - first == number

        attempt.proxy.at_write = may_write
        return 1

    return Case(f"{'before' if before else 'after'} write {number}", disturb)


WRITES = (1, 2, 4, 9, 13, 18, 22, 27, 28, 29, 33, 38, 43, 48, 50)
"""Of about 50 in a whole life: those of a check, three checkpoints, results, manifest and latest.json."""


def _storage(name: str, *choice: Fault | int, share: float) -> Case:
    """A share of the requests fails, in every attempt."""

    def prepare(proxy: S3Proxy) -> None:
        proxy.faults = Faults(choice, share)

    return Case(name, prepare=prepare)


def _vanish(stage: str) -> Case:
    """The server is gone from a stage of the first attempt on, and back for the second."""

    def disturb(attempt: Attempt) -> int:
        attempt.proxy.faults = Faults()
        if attempt.number == 1:
            if STAGES[stage]:
                attempt.machines[0].wait_for(STAGES[stage])
            attempt.proxy.faults = Faults(gone=True)
        return 0

    return Case(f"gone from {stage}", disturb)


def _full_disk(megabytes: float) -> Case:
    """The first attempt's scratch volume is too small."""
    mount = f'mount -t tmpfs -o size={int(megabytes * 2**20)} tmpfs "$0" && exec "$@"'

    def program(number: int, folder: Path) -> Sequence[str]:
        if number > 1:
            return TRAINER
        (folder / "out").mkdir()
        return ("unshare", "--mount", "sh", "-c", mount, str(folder / "out"), *TRAINER)

    return Case(f"{megabytes:g} MiB", lambda attempt: int(attempt.number == 1), program=program)


SWEEPS = (
    Sweep(
        "kills",
        "the process, one of two processes, or one of two nodes is killed (SIGKILL) at each stage",
        _kills(),
    ),
    Sweep("drains", "the process, or one of two nodes, gets SIGTERM at each stage", _drains()),
    Sweep(
        "writes",
        "the process is killed at a write to the bucket, before or after the server has done it",
        tuple(_kill_at_write(n, before=before) for n, before in product(WRITES, (True, False))),
    ),
    Sweep(
        "storage",
        "a share of the requests to the bucket fails, in each attempt; or all do, until the next attempt",
        (
            _storage("503 SlowDown, a third", 503, share=0.33),
            _storage("500 and 408, a fifth", 500, 408, share=0.2),
            _storage("closed before, a fifth", Fault.Reset, share=0.2),
            _storage("closed afterwards, a fifth", Fault.ResetAfterwards, share=0.2),
            _storage("cut bodies, a fifth", Fault.Truncate, share=0.2),
            _storage("damaged bodies, a tenth", Fault.Damage, share=0.1),
            _storage("2 s late, a fifth", Fault.Slow, share=0.2),
            _vanish("start"),
            _vanish("first steps"),
            _vanish("export"),
        ),
    ),
    Sweep("disk", "the scratch volume of the first attempt is too small", tuple(map(_full_disk, (1, 3, 5)))),
)
