"""Many runs that train, whose trainers report something else whenever they are asked."""

import asyncio
import time

from benchmarks.operator.bench import AT_ONCE, OPERATOR, PARTS, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures, memory
from benchmarks.operator.node import running_node
from benchmarks.operator.requests import count_requests, count_writes
from finscribe_core.constants import PLURAL

SECONDS = 60.0


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """Status writes, and shares of a core, while all of them train."""
    async with running_bench(candidate) as bench, running_node(bench) as node:
        await bench.warm_up()
        await bench.create(f"job-{number}" for number in range(jobs))
        await bench.settle(AT_ONCE + jobs)
        pods = await node.pods("job-")
        await node.run(pods)
        await node.await_requests(pods, 2)
        began, before = time.monotonic(), bench.usage()
        requests = await count_requests(bench.operator)
        await asyncio.sleep(SECONDS)
        written = await count_requests(bench.operator) - requests
        used, seconds = bench.usage().since(before), time.monotonic() - began
        share = {name: 100 * value / seconds for name, value in used.processes.items()}
        return memory(bench) | {
            "status_writes_per_second": count_writes(written, PLURAL) / seconds,
            "core_percent": share[OPERATOR],
            "core_percent_api_server": share[PARTS["kube-apiserver"]],
        }
