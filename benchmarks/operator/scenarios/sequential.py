"""One job after another: each is created when the Job of the one before was seen."""

from benchmarks.operator.api import Arrivals
from benchmarks.operator.bench import JOBS, running_bench
from benchmarks.operator.candidates import Candidate
from benchmarks.operator.figures import Figures, cpu_per_job, delays

_SECONDS = 60.0


async def measure(candidate: Candidate, jobs: int) -> Figures:
    """Delays and CPU time of jobs without others at the same time."""
    async with running_bench(candidate) as bench:
        await bench.warm_up()
        async with Arrivals(bench.api, JOBS, candidate.label) as arrivals:
            before = bench.usage()
            for number in range(jobs):
                await bench.create([f"job-{number}"], at_once=1)
                await arrivals.wait_for(number + 1, _SECONDS)
            await bench.be_quiet()
            used = bench.usage().since(before)
        waited = [arrivals.seen[name] - bench.created[name][1] for name in arrivals.seen]
        return delays(waited) | cpu_per_job(used, jobs)
