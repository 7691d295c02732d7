"""Plays the kubelet for many pods, and the trainer in each: pods run, report progress, fail and succeed."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass

from kubernetes import client, config

from benchmarks.operator.bench import NAMESPACE, PODS, Bench, until
from finscribe_core.constants import EXIT_RETRY, HTTP_PORT, LABEL_JOB, LABEL_RUN
from finscribe_core.errors import FailureReason
from finscribe_core.report import Metrics, Outputs, Phase, Progress, ProgressReport, RunResult
from tests.apiserver.fake_kubelet import FakeKubelet

TRAINING_STEPS = 1000
RESULT = RunResult(
    succeeded=True,
    progress=Progress(phase=Phase.Uploading, step=TRAINING_STEPS, total_steps=TRAINING_STEPS, percent=100),
    metrics=Metrics(train_loss="0.21", eval_loss="0.31", best_eval_loss="0.3"),
    outputs=Outputs(uri="s3://team-models/invoices/runs/r"),
)
_UNAVAILABLE = RunResult(
    succeeded=False, reason=FailureReason.StorageUnavailable, message="S3 does not answer."
)
_AT_ONCE = 8
_SCHEDULING_SECONDS = 0.05

Reports = Callable[[int], Progress]
"""The progress that a trainer reports when it is asked for the nth time, from 0."""


@dataclass(frozen=True)
class Pod:
    """A pod of a job."""

    name: str
    job: str
    run: str


def training(request: int) -> Progress:
    """Progress in which every figure differs from that of the request before."""
    step = min(10 * request, TRAINING_STEPS - 1)
    return Progress(
        phase=Phase.Training,
        step=step,
        total_steps=TRAINING_STEPS,
        percent=100 * step // TRAINING_STEPS,
        epoch=step / 250,
        eta_seconds=TRAINING_STEPS - step,
        samples_per_second=f"{2 + request / 1000:.3f}",
    )


class Node:
    """The pods of the benchmark's namespace; use `running_node`."""

    def __init__(self, bench: Bench, kubelet: FakeKubelet, servers: AsyncExitStack) -> None:
        self._bench = bench
        self._kubelet = kubelet
        self._servers = servers
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self.requests: Counter[str] = Counter()
        """How often each run was asked for its progress."""

    async def pods(self, prefix: str) -> list[Pod]:
        """The pods of the jobs whose names begin so that have not ended."""
        listing = await self._bench.api.get(
            PODS, fieldSelector="status.phase!=Failed,status.phase!=Succeeded"
        )
        found = [(each["metadata"]["name"], each["metadata"]["labels"]) for each in listing["items"]]
        return [
            Pod(name, labels[LABEL_JOB], labels[LABEL_RUN])
            for name, labels in found
            if labels.get(LABEL_JOB, "").startswith(prefix)
        ]

    async def run(self, pods: Sequence[Pod], reports: Reports = training) -> None:
        """Start the containers, and answer for their trainers."""
        await asyncio.gather(*(self._run(pod, reports) for pod in pods))

    @asynccontextmanager
    async def scheduling(self) -> AsyncIterator[None]:
        """Give each new pod a node at once, which pulls its image, until the end of the block."""
        done: set[str] = set()

        async def schedule() -> None:
            new = [pod for pod in await self.pods("") if pod.name not in done]
            await self._each(self._kubelet.report_waiting, new)
            done.update(pod.name for pod in new)

        ended = asyncio.Event()

        async def keep_scheduling() -> None:
            while not ended.is_set():
                await schedule()
                await asyncio.sleep(_SCHEDULING_SECONDS)

        task = asyncio.create_task(keep_scheduling())
        try:
            yield
        finally:
            ended.set()
            await task
        await schedule()

    async def succeed(self, pods: Sequence[Pod]) -> None:
        """End the containers with a result."""
        await self._each(lambda name: self._kubelet.report_succeeded(name, RESULT), pods)

    async def restart(self, pods: Sequence[Pod]) -> None:
        """Let the trainers fail with a transient error, and start their containers again."""
        message = _UNAVAILABLE.to_termination_message()
        await self._each(lambda name: self._kubelet.report_restarted(name, 1, EXIT_RETRY, message), pods)

    async def await_requests(self, pods: Sequence[Pod], number: int) -> None:
        """Wait until each trainer was asked this often more."""
        before = Counter(self.requests)

        async def were_asked() -> bool:
            return all(self.requests[pod.run] >= before[pod.run] + number for pod in pods)

        await until(were_asked)

    async def _each(self, report: Callable[[str], object], pods: Sequence[Pod]) -> None:
        async def one(pod: Pod) -> None:
            async with self._limit:
                await asyncio.to_thread(report, pod.name)

        await asyncio.gather(*map(one, pods))

    async def _run(self, pod: Pod, reports: Reports) -> None:
        async with self._limit:
            address = await asyncio.to_thread(self._kubelet.report_running, pod.name)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Python 3.11 logs the cancellation of such a task as an error.
            with closing(writer), suppress(asyncio.CancelledError, ConnectionError):
                while await reader.readline():
                    while (await reader.readline()).strip():
                        pass
                    report = ProgressReport(run=pod.run, progress=reports(self.requests[pod.run]))
                    self.requests[pod.run] += 1
                    body = report.model_dump_json(by_alias=True).encode()
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
                    await writer.drain()

        server = await asyncio.start_server(answer, address, HTTP_PORT)
        self._servers.push_async_callback(_close, server)


async def _close(server: asyncio.Server) -> None:
    server.close()


@asynccontextmanager
async def running_node(bench: Bench) -> AsyncIterator[Node]:
    """A node; its trainers answer until the end of the block."""
    api = config.new_client_from_config(str(bench.server.kubeconfig))  # type: ignore[no-untyped-call]
    async with AsyncExitStack() as servers:
        servers.callback(api.close)
        yield Node(bench, FakeKubelet(client.CoreV1Api(api), NAMESPACE), servers)
