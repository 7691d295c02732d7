"""Adds up the GPU seconds of a run by the phase of its trainer; pure.

The total follows the seconds of the run's pods, which `goodput` counts. A trainer reports how long its own
attempt has been in each phase: what has been added since the last report counts, and all of it when a phase
has become shorter, as then another attempt reports. A new attempt that was longer in each phase than the one
before can't be told from it: its phases then lack the seconds of the one before, the total does not.
"""

from finscribe_core.api.v1alpha1 import GpuSeconds, RunStatus
from finscribe_core.report import COUNT_LIMIT, PhaseSeconds


def count_gpu_seconds(
    old: RunStatus, new: RunStatus, before: PhaseSeconds | None, after: PhaseSeconds | None, gpus: int
) -> RunStatus:
    """`new` with its GPU seconds so far.

    Args:
        old: the run as it was recorded last.
        new: the same run with the time of its pods until now.
        before: durations of the phases as they were recorded last.
        after: those of the last report; None without one.
        gpus: GPUs of all pods of an attempt together.
    """
    earlier, now = _durations(before), _durations(after)
    is_same_attempt = all(now.get(phase, 0) >= seconds for phase, seconds in earlier.items())
    known = _durations(old.gpu_seconds)
    phases = {
        phase: known.get(phase, 0) + gpus * (seconds - (earlier.get(phase, 0) if is_same_attempt else 0))
        for phase, seconds in now.items()
    }
    total = old.gpu_seconds.total + gpus * (new.goodput.pod_seconds - old.goodput.pod_seconds)
    counted = {**known, **phases, "total": total}
    gpu_seconds = GpuSeconds(**{name: min(seconds, COUNT_LIMIT) for name, seconds in counted.items()})
    return new.model_copy(update={"gpu_seconds": gpu_seconds})


def _durations(phases: PhaseSeconds | None) -> dict[str, int]:
    known = phases.model_dump(include=set(PhaseSeconds.model_fields), exclude_none=True) if phases else {}
    return {str(name): int(seconds) for name, seconds in known.items()}
