"""Many jobs at once: created by twenty tasks, timed until a watch shows the Job of each."""

from benchmarks.operator.api import Arrivals
from benchmarks.operator.bench import AT_ONCE, JOBS, Bench, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures, cpu_per_job, delays, memory
from benchmarks.operator.requests import count_requests, count_writes

_SECONDS_PER_JOB, _LEAST_SECONDS = 0.3, 60.0


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """A burst with a new API server."""
    async with running_bench(candidate) as bench:
        await bench.warm_up()
        return await measure_burst(bench, jobs, AT_ONCE)


async def measure_burst(bench: Bench, jobs: int, pods: int) -> Figures:
    """A burst on a server that has some pods already."""
    operator = bench.running.operator
    async with Arrivals(bench.api, JOBS, bench.candidate.label) as arrivals:
        own = await count_requests(operator) if operator else None
        requests, writes = await bench.api.count_requests()
        before = bench.usage()
        await bench.create(f"job-{number}" for number in range(jobs))
        await arrivals.wait_for(jobs, _LEAST_SECONDS + _SECONDS_PER_JOB * jobs)
        await bench.settle(pods + jobs)
        used = bench.usage().since(before)
        requests_after, writes_after = await bench.api.count_requests()
    began = min(sent for sent, _ in bench.created.values())
    figures = {
        "jobs_per_second": jobs / (max(arrivals.seen.values()) - began),
        **delays([arrivals.seen[name] - bench.created[name][1] for name in arrivals.seen]),
        **cpu_per_job(used, jobs),
        **memory(bench),
        "api_requests_per_job": (requests_after - requests) / jobs,
        "api_writes_per_job": (writes_after - writes) / jobs,
    }
    if operator and own is not None:
        own = await count_requests(operator) - own
        figures |= {"requests_per_job": own.total() / jobs, "writes_per_job": count_writes(own) / jobs}
    return figures
