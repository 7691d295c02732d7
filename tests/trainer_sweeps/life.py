"""Runs a training to its end, attempt after attempt, and compares it with an undisturbed one."""

import json
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from finscribe_core.constants import EXIT_DONE, EXIT_MACHINE_FULL, EXIT_PEER_LOST, EXIT_RETRY
from finscribe_trainer.data_tools.sample.dataset import write_dataset
from tests.support.machines import Machine, nodes_environment
from tests.support.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.support.trainer_process import TRAINER, environment_with
from tests.trainer_sweeps.counts import Counts
from tests.trainer_sweeps.s3_proxy import S3Proxy, s3_proxy
from tools.kube.process import Processes, free_ports
from tools.kube.services import S3Server as VersityGateway
from tools.random_model import write_random_model

RUN = "invoices-1a2b3c4d"
STEPS = 9
MAX_ATTEMPTS = 6
KILLED = 128 + signal.SIGKILL
STARTED_AGAIN = {EXIT_RETRY, EXIT_MACHINE_FULL, EXIT_PEER_LOST, KILLED}
"""Exit codes after which the Job starts another attempt."""


@dataclass(frozen=True)
class Shape:
    """How many processes train."""

    nodes: int = 1
    processes: int = 1
    """On each node."""

    def __str__(self) -> str:
        if self.nodes > 1:
            return f"{self.nodes} nodes"
        return "1 process" if self.processes == 1 else f"{self.processes} processes"


@dataclass
class Attempt:
    """What is started at once: a pod, or the pods of all nodes."""

    number: int
    machines: list[Machine]
    proxy: S3Proxy


@dataclass(frozen=True)
class Case:
    """A disturbance.

    Attributes:
        name: for the table.
        disturb: called with each attempt once it is started; returns the number of faults it has caused, not
            counting failed requests.
        shape: how many processes train.
        prepare: called with the proxy before the first attempt.
        program: what is started in each attempt, by its number and folder; the trainer by default.
    """

    name: str
    disturb: Callable[[Attempt], int] = lambda attempt: 0
    shape: Shape = Shape()
    prepare: Callable[[S3Proxy], None] = lambda proxy: None
    program: Callable[[int, Path], Sequence[str]] = lambda number, folder: TRAINER


@dataclass(frozen=True)
class Published:
    """What a run has left in the bucket."""

    adapter: bytes
    steps: tuple[int, ...]
    keys: frozenset[str]
    latest: str
    uploads: int
    """That were begun and not completed."""


@dataclass
class Laboratory:
    """An S3 server with the rows and the model, and the results of undisturbed runs."""

    folder: Path
    server: S3Server
    seed: int = 1
    _undisturbed: dict[Shape, Published] = field(default_factory=dict)

    @cached_property
    def inputs(self) -> str:
        """The prefix of rows and model."""
        sample = self.folder / "sample"
        sample.mkdir()
        texts = write_dataset(sample, num_rows=8, num_validation_rows=4, seed=1, text_row_every=8)
        write_random_model(sample / "model", texts, seed=1)
        bucket = self.server.create_bucket()
        for path in filter(Path.is_file, sample.rglob("*")):
            self.server.client().upload_file(str(path), bucket, f"in/{path.relative_to(sample)}")
        return f"s3://{bucket}/in"

    def undisturbed(self, shape: Shape) -> Published:
        """What an undisturbed run publishes."""
        if shape not in self._undisturbed:
            counts, published = self._live(Case("undisturbed", shape=shape))
            assert published and counts.attempts == 1, counts.evidence
            self._undisturbed[shape] = published
        return self._undisturbed[shape]

    def try_case(self, case: Case) -> Counts:
        """Run a training under the disturbance until it ends, and judge it."""
        expected = self.undisturbed(case.shape)
        counts, published = self._live(case)
        counts.tried = 1
        if published is not None:
            _compare(published, expected, counts)
        counts.survived = int(not counts.evidence)
        return counts

    def _live(self, case: Case) -> tuple[Counts, Published | None]:
        counts, bucket = Counts(), self.server.create_bucket()
        with (
            s3_proxy(self.server, self.seed) as proxy,
            tempfile.TemporaryDirectory(dir=self.folder) as scratch,
        ):
            case.prepare(proxy)
            environment = environment_with(replace(self.server, endpoint=proxy.endpoint))
            for number in range(1, MAX_ATTEMPTS + 1):
                counts.attempts += 1
                folder = Path(scratch) / str(number)
                with self._started(case, number, folder, bucket, environment) as machines:
                    counts.faults += case.disturb(Attempt(number, machines, proxy))
                    codes = [machine.ends() for machine in machines]
                    log = "\n".join(machine.log for machine in machines)
                if codes[0] == EXIT_DONE:
                    break
                if not set(codes) <= STARTED_AGAIN | {EXIT_DONE}:
                    counts.found("defects", f"attempt {number} ended with {codes}: {log[-2000:]}")
                    break
                if "Traceback (most recent call last)" in log:
                    counts.found("defects", f"attempt {number}: {log[log.index('Traceback') :][:2000]}")
            else:
                counts.found("lost", f"{MAX_ATTEMPTS} attempts did not suffice: {log[-2000:]}")
            counts.faults += proxy.num_faults
        return counts, self._published(bucket) if codes[0] == EXIT_DONE else None

    @contextmanager
    def _started(
        self, case: Case, number: int, folder: Path, bucket: str, environment: Mapping[str, str]
    ) -> Iterator[list[Machine]]:
        shape = case.shape
        with ExitStack() as stack:
            machines = []
            for variables in nodes_environment(shape.nodes, shape.processes):
                own = {**environment, **variables, "FINSCRIBE_RUN": RUN}
                place = folder / variables.get("PET_NODE_RANK", "0")
                place.mkdir(parents=True)
                program = case.program(number, place)
                machines.append(Machine(place, self._config(bucket), environment=own, program=program))
                stack.callback(machines[-1].close)
            yield machines

    def _config(self, bucket: str) -> dict:
        return {
            "model_name_or_path": f"{self.inputs}/model",
            "dataset_path": f"{self.inputs}/train.jsonl",
            "validation_path": f"{self.inputs}/val.jsonl",
            "output_uri": f"s3://{bucket}/out",
            "output_formats": ["Adapter", "Merged"],
            "lora": {"dropout": 0.2},
            "training": {
                "learning_rate": 5e-3,
                "max_steps": STEPS,
                "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": 2,
                "eval_steps": 3,
                "logging_steps": 1,
                "gradient_checkpointing": False,
                "dataloader_num_workers": 0,
                "report_to": [],
            },
            "early_stopping": {"enabled": False},
            "evaluation": {"training_documents": 0, "max_documents": 2, "max_new_tokens": 16},
        }

    def _published(self, bucket: str) -> Published:
        server, run = self.server, f"out/runs/{RUN}"
        metrics = json.loads(server.read(bucket, f"{run}/metrics.json"))
        return Published(
            adapter=server.read(bucket, f"{run}/adapter/adapter_model.safetensors"),
            steps=tuple(entry["step"] for entry in metrics["train_history"]),
            keys=frozenset(server.keys(bucket)),
            latest=json.loads(server.read(bucket, "out/latest.json"))["run"],
            uploads=len(server.client().list_multipart_uploads(Bucket=bucket).get("Uploads", [])),
        )


def _compare(found: Published, expected: Published, counts: Counts) -> None:
    if found.adapter != expected.adapter or found.latest != expected.latest:
        counts.found("lost", f"latest.json names {found.latest}; the adapter has other bytes")
    if found.steps != expected.steps:
        counts.found("doubled", f"the published history has the steps {found.steps}")
    other = found.keys ^ expected.keys
    if other or found.uploads:
        counts.found("left_behind", f"{found.uploads} uploads; {', '.join(sorted(other))}")


@contextmanager
def laboratory(seed: int) -> Iterator[Laboratory]:
    """A real S3 server on this machine, in a folder that disappears with it."""
    with tempfile.TemporaryDirectory(prefix="finscribe-sweep-") as name:
        folder = Path(name)
        [port] = free_ports(1)
        gateway = VersityGateway("127.0.0.1", port, folder / "objects", ACCESS_KEY, SECRET_KEY).part()
        processes = Processes(folder / "process", die_with_parent=True)
        processes.start(gateway)
        try:
            yield Laboratory(folder, S3Server(f"http://127.0.0.1:{port}", port), seed)
        finally:
            processes.stop(gateway.name)
