"""Adds up the time of a run's pods, and computes which share of it went into steps that are kept; pure.

    goodput = seconds of the steps that led to the last one / seconds of all pods

Each half has its own memory. The trainer keeps the seconds of its steps in each checkpoint: an attempt
begins with the sum of the checkpoint that it resumes from, or with 0, so that steps that are repeated count
once. The operator keeps the seconds of the pods in `status.run.goodput`, where it counts each pod once: the
newest one by its name, and all that were created before it in one sum. A pod that was removed before its end
was seen counts up to its last report. So are the attempts counted: one for each pod, and one more for each
restart of its container.
"""

from collections.abc import Sequence

from finscribe_core.api.v1alpha1 import Goodput, RunStatus
from finscribe_core.report import Progress, format_metric
from finscribe_operator.attempts import container_status
from finscribe_operator.clock import seconds_between
from finscribe_operator.objects import Object, assigned_at, has_ended, true_condition
from finscribe_operator.restarts import count_restarts, restarts_of


def count_pods(run: RunStatus, pods: Sequence[Object], reported_at: str, progress: Progress) -> RunStatus:
    """The run with the attempts and the time of its pods so far.

    Args:
        run: as it was recorded last.
        pods: the pods of its Job that still exist, oldest first.
        reported_at: when the last report of the newest pod came in (RFC 3339); empty without one.
        progress: the last progress that the newest pod reported.
    """
    known, restarts = run.goodput, count_restarts(run, pods)
    attempts = run.attempts + restarts - run.restarts
    pod_seconds, earlier = known.pod_seconds, known.earlier_pod_seconds
    newest, created, counted = known.newest_pod, known.newest_pod_created, known.newest_pod_restarts
    for pod in pods:
        name, creation = pod["metadata"]["name"], pod["metadata"]["creationTimestamp"]
        if name != newest:
            if creation <= created:
                continue
            attempts, earlier, newest, created, counted = attempts + 1, pod_seconds, name, creation, 0
        counted = max(counted, restarts_of(pod))
        pod_seconds = max(pod_seconds, earlier + _seconds(pod, reported_at if pod is pods[-1] else ""))
    step_seconds = known.step_seconds if progress.step_seconds is None else progress.step_seconds
    # The pods of a run whose status was lost are not known, but took as long as their steps at least.
    whole = max(pod_seconds, step_seconds)
    is_known = progress.step_seconds is not None and whole > 0
    ratio = format_metric(round(step_seconds / whole, 3)) if is_known else known.ratio
    goodput = Goodput(
        ratio=ratio,
        step_seconds=step_seconds,
        pod_seconds=pod_seconds,
        earlier_pod_seconds=earlier,
        newest_pod=newest,
        newest_pod_created=created,
        newest_pod_restarts=counted,
    )
    return run.model_copy(update={"attempts": attempts, "restarts": restarts, "goodput": goodput})


def _seconds(pod: Object, reported_at: str) -> int:
    """How long a pod has had its node: until its end, else until its last report.

    The clock of the node may be minutes off, so that both times are of one clock: the kubelet's, or the API
    server's.
    """
    accepted = str(pod.get("status", {}).get("startTime") or "")
    terminated = (container_status(pod).get("state") or {}).get("terminated") or {}
    disruption = true_condition(pod, "DisruptionTarget") or {}
    if not accepted:
        return 0
    if has_ended(pod) and terminated.get("finishedAt"):
        return _between(accepted, str(terminated["finishedAt"]))
    lost_at = str(disruption.get("lastTransitionTime") or "") if has_ended(pod) else ""
    return _between(assigned_at(pod), lost_at or reported_at)


def _between(start: str, end: str) -> int:
    return max(0, int(seconds_between(start, end))) if end else 0
