"""Whole lives on a fake node, from the creation to Complete; then with an attempt that is retried."""

import asyncio

from benchmarks.operator.bench import AT_ONCE, Bench, running_bench, until
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures, cpu_per_job
from benchmarks.operator.node import Node, running_node, training
from benchmarks.operator.requests import count_requests, count_writes

POLLS = 1
"""How often the operator asks for the progress of each attempt before that ends."""
_SECONDS = 180.0


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """What the operator writes in a life, and how much more with a retry."""
    async with running_bench(candidate) as bench, running_node(bench) as node:
        async with node.scheduling():
            await bench.warm_up()
        before, requests = bench.usage(), await count_requests(bench.operator)
        await _live(bench, node, jobs, "plain", AT_ONCE, retried=False)
        used, plain = bench.usage().since(before), await count_requests(bench.operator) - requests
        requests = await count_requests(bench.operator)
        await _live(bench, node, jobs, "retried", AT_ONCE + jobs, retried=True)
        retried = await count_requests(bench.operator) - requests
    return cpu_per_job(used, jobs) | {
        "requests_per_job": plain.total() / jobs,
        "writes_per_job": count_writes(plain) / jobs,
        "writes_per_retry": (count_writes(retried) - count_writes(plain)) / jobs,
    }


async def _live(bench: Bench, node: Node, jobs: int, prefix: str, pods: int, *, retried: bool) -> None:
    """Let jobs live from creation to end; the image is pulled, the trainer reports once, and succeeds."""
    async with asyncio.timeout(_SECONDS):
        async with node.scheduling():
            await bench.create(f"{prefix}-{number}" for number in range(jobs))
            await bench.await_pods(pods + jobs)
        await bench.be_quiet()
        running = await node.pods(f"{prefix}-")
        await node.run(running, lambda _: training(1))
        await node.await_requests(running, POLLS)
        if retried:
            await node.restart(running)
            await node.await_requests(running, POLLS)
        await node.succeed(running)

        async def have_completed() -> bool:
            return await _count_complete(bench, prefix) == jobs

        await until(have_completed)
        await bench.be_quiet()


async def _count_complete(bench: Bench, prefix: str) -> int:
    listing = await bench.api.get(bench.collection)
    return sum(
        job["metadata"]["name"].startswith(f"{prefix}-") and job["status"]["summary"]["state"] == "Complete"
        for job in listing["items"]
    )
