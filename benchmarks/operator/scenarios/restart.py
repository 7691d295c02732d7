"""A burst, the operator's memory afterwards, and the CPU that it takes to start again among all of it."""

import time

from benchmarks.operator.bench import AT_ONCE, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures
from benchmarks.operator.scenarios.burst import measure_burst
from benchmarks.operator.usage import cpu_seconds, memory_mib


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """The burst's figures, and those of the restart; the memory is that of the new process."""
    async with running_bench(candidate) as bench:
        await bench.warm_up()
        figures = await measure_burst(bench, jobs, AT_ONCE)
        operator = bench.operator
        operator.kill()
        began = time.monotonic()
        operator.start()
        await bench.be_quiet()
        return figures | {
            "restart_seconds": time.monotonic() - began,
            "restart_cpu_seconds": cpu_seconds(operator.pid),
            "memory_mib": max(figures["memory_mib"], memory_mib(operator.pid)),
        }
