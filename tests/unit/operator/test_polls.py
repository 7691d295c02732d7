"""What is polled: progress, silence, and Events about missing and starting pods."""

from collections.abc import Sequence

from finscribe_core.constants import LABEL_JOB
from finscribe_core.report import Phase, Progress, ProgressReport
from finscribe_operator.cluster import ClusterError, ForbiddenError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.objects import JobKey, Object, key_of
from finscribe_operator.polls import Polls
from finscribe_operator.store import Store
from finscribe_operator.warning_events import Kind, WarningEvent
from tests.unit.operator.builders import NOW, a_batch_job, a_job, a_pod, waiting
from tests.unit.operator.memory_cluster import MemoryCluster

REPORT = ProgressReport(run="run-1")


class AnsweringCluster(MemoryCluster):
    """Pods answer with `report`, and listings of Events with `warnings`."""

    def __init__(self) -> None:
        super().__init__()
        self.report: ProgressReport | None = None
        self.warnings: list[WarningEvent] | ClusterError = []
        self.listed: list[tuple[str, str]] = []

    async def fetch_progress(self, pod: Object) -> ProgressReport | None:
        return self.report

    async def list_warnings(self, namespace: str, kind: Kind) -> Sequence[WarningEvent]:
        self.listed.append((namespace, kind))
        if isinstance(self.warnings, ClusterError):
            raise self.warnings
        return self.warnings


class Polled:
    """Objects that are polled at given times."""

    def __init__(self, *objects: Object, config: OperatorConfig | None = None) -> None:
        self.cluster, self.store = AnsweringCluster(), Store()
        self.queued: list[JobKey] = []
        for obj in objects:
            self.store.put(obj)
        self._newest, self._now = objects[-1], NOW
        self._polls = Polls(
            self.cluster, self.store, config or OperatorConfig(), lambda: self._now, self.queued.append
        )

    async def at(self, *times: str) -> list[str]:
        """Since when the last object is silent, as known after a poll at each of the times."""
        silences = []
        for time in times:
            self._now = at(time)
            await self._polls.poll_progress()
            await self._polls.poll_events()
            silences.append(self.store.silent_since(self._newest))
        return silences


def at(time: str) -> str:
    return f"2026-05-01T{time}Z"


def a_warning(uid: str) -> WarningEvent:
    return WarningEvent(uid, "FailedCreate", "no quota", NOW)


async def test_progress_of_many_jobs_is_shown_less_often_and_a_new_phase_at_once():
    store, seconds, queued = Store(), [0.0], []
    for number in range(500):
        pod = a_pod(f"run-{number}")
        pod["metadata"]["labels"][LABEL_JOB] = f"job-{number}"
        store.put(pod)
    cluster = AnsweringCluster()
    polls = Polls(cluster, store, OperatorConfig(), lambda: NOW, queued.append, lambda: seconds[0])

    async def poll(step: int, phase: Phase = Phase.Training) -> int:
        cluster.report = ProgressReport(progress=Progress(step=step, phase=phase))
        queued.clear()
        await polls.poll_progress()
        return len(queued)

    assert await poll(1) == 500
    counts = []
    for step in range(120):
        seconds[0] += 5
        counts.append(await poll(2 + step))
    assert sum(counts) <= 10 * 600
    assert await poll(200, Phase.Exporting) == 500
    seconds[0] += 1000
    assert await poll(200, Phase.Exporting) == 0


async def test_phases_that_alternate_are_shown_as_often_as_other_progress():
    store, seconds, queued = Store(), [0.0], []
    for number in range(100):  # a write in 10 seconds for each
        pod = a_pod(f"run-{number}")
        pod["metadata"]["labels"][LABEL_JOB] = f"job-{number}"
        store.put(pod)
    cluster = AnsweringCluster()
    polls = Polls(cluster, store, OperatorConfig(), lambda: NOW, queued.append, lambda: seconds[0])
    for step in range(120):
        phase = (Phase.Training, Phase.Evaluating)[step % 2]
        cluster.report = ProgressReport(progress=Progress(step=step, phase=phase))
        await polls.poll_progress()
        seconds[0] += 1

    assert len(queued) == 100 * (1 + 120 // 10)  # the second phase is shown at once


async def test_the_last_progress_is_shown_in_the_end():
    store, seconds, queued = Store(), [0.0], []
    store.put(a_pod("run-1"))
    cluster = AnsweringCluster()
    polls = Polls(cluster, store, OperatorConfig(), lambda: NOW, queued.append, lambda: seconds[0])
    for step in (1, 2, 2):
        cluster.report = ProgressReport(progress=Progress(step=step))
        await polls.poll_progress()
        seconds[0] += 0.08
    assert len(queued) == 2


async def test_a_pod_is_silent_a_minute_after_its_last_answer_and_until_the_next_one():
    polled, since = Polled(a_pod("run-1")), at("12:00:00")

    polled.cluster.report = REPORT
    assert await polled.at("12:00:00") == [""]
    polled.cluster.report = None
    assert await polled.at("12:00:59", "12:01:01", "12:09:00") == ["", since, since]
    assert polled.queued == [key_of(a_job())] * 2  # the report, and the silence
    polled.cluster.report = REPORT
    assert await polled.at("12:09:05") == [""]
    assert len(polled.queued) == 3


async def test_a_pod_that_never_answered_is_silent_a_minute_after_the_first_request():
    assert await Polled(a_pod("run-1")).at("12:00:00", "12:01:01") == ["", at("12:00:00")]


async def test_a_silence_lasts_three_polls_at_least():
    polled = Polled(a_pod("run-1"), config=OperatorConfig(progress_interval_seconds=30))

    assert await polled.at("12:00:00", "12:01:30", "12:02:00") == ["", "", at("12:00:00")]


async def test_a_pod_is_silent_a_minute_after_its_grace_period():
    polled = Polled(a_pod("run-1", deletionTimestamp=at("12:00:00")))

    assert await polled.at("12:00:59", "12:01:01") == ["", at("12:00:00")]


async def test_events_are_listed_once_for_each_namespace_with_a_job_that_lacks_a_pod():
    jobs = [a_batch_job(f"run-{n}") for n in range(4)]
    jobs[2]["metadata"] |= {"namespace": "other", "uid": "other"}
    jobs[3]["metadata"] |= {"namespace": "new", "creationTimestamp": at("12:00:00")}
    polled = Polled(*jobs, a_pod("run-1"))
    polled.cluster.warnings = [a_warning(f"run-{n}-uid") for n in (0, 1)]

    await polled.at("12:00:00")
    assert polled.cluster.listed == [("team", "Job"), ("other", "Job")]
    assert [polled.store.warning(job) is not None for job in jobs] == [True, False, False, False]

    polled.cluster.warnings = []
    await polled.at("12:00:05")
    assert polled.store.warning(jobs[0]) is None
    assert polled.queued == [key_of(a_job())] * 2


async def test_events_about_what_has_waited_for_a_minute_are_looked_up_less_often():
    cluster, store, seconds = AnsweringCluster(), Store(), [0.0]
    store.put(a_batch_job("run-1"))
    polls = Polls(cluster, store, OperatorConfig(), lambda: NOW, lambda _: None, lambda: seconds[0])
    for _ in range(30):
        await polls.poll_events()
        seconds[0] += 2
    assert len(cluster.listed) == 30
    for _ in range(30):
        await polls.poll_events()
        seconds[0] += 2
    assert len(cluster.listed) == 33


async def test_events_are_listed_about_a_pod_that_its_node_has_not_started_for_ten_seconds():
    pod = a_pod("run-1", waiting("ContainerCreating", ""))
    polled = Polled(pod)
    polled.cluster.warnings = [a_warning("run-1-0-uid")]

    await polled.at("11:00:09")
    assert polled.cluster.listed == []
    await polled.at("11:00:10")
    assert polled.cluster.listed == [("team", "Pod")]
    assert polled.store.warning(pod) == a_warning("run-1-0-uid")


async def test_progress_is_polled_where_events_may_not_be_listed():
    pod = a_pod("run-2")
    polled = Polled(a_batch_job("run-1"), pod)
    polled.cluster.warnings = ForbiddenError("events is forbidden")
    polled.cluster.report = REPORT

    await polled.at("12:00:00")

    assert polled.cluster.listed == [("team", "Job")]
    assert polled.store.report(pod) == REPORT
