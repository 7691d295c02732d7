"""Many jobs that have completed, and nothing to do."""

import asyncio
import time

from benchmarks.operator.bench import AT_ONCE, OPERATOR, PARTS, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures, memory
from benchmarks.operator.node import running_node

SECONDS = 30.0


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """Shares of a core, and memory, when all jobs have completed."""
    async with running_bench(candidate) as bench, running_node(bench) as node:
        await bench.warm_up()
        await bench.create(f"job-{number}" for number in range(jobs))
        await bench.settle(AT_ONCE + jobs)
        await node.succeed(await node.pods(""))
        await bench.be_quiet()
        began, before = time.monotonic(), bench.usage()
        await asyncio.sleep(SECONDS)
        used, seconds = bench.usage().since(before), time.monotonic() - began
        share = {name: 100 * value / seconds for name, value in used.processes.items()}
        return memory(bench) | {
            "core_percent": share[OPERATOR],
            "core_percent_api_server": share[PARTS["kube-apiserver"]],
        }
