"""A status is written when facts change, and Events are posted at least once."""

from collections.abc import Callable

import pytest

from finscribe_core.api.conditions import Condition
from finscribe_core.api.v1alpha1 import FineTuneJobStatus, RunStatus
from finscribe_operator.cluster import ClusterError, ConflictError, Event, ForbiddenError, TransientError
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import Object
from finscribe_operator.status_writer import MAX_REFUSALS, StatusWriter
from finscribe_operator.store import Store
from tests.unit.operator.builders import EARLIER, NOW, a_job
from tests.unit.operator.memory_cluster import MemoryCluster


class Clock:
    seconds = 0.0


@pytest.fixture
def cluster() -> MemoryCluster:
    found = MemoryCluster()
    found.seed(a_job())
    return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start(cluster: MemoryCluster, clock: Clock) -> Callable[[], StatusWriter]:
    """A new process."""

    def make() -> StatusWriter:
        store = Store()
        return StatusWriter(cluster, store, Metrics(store), lambda: NOW, lambda: clock.seconds)

    return make


def live(cluster: MemoryCluster) -> Object:
    return cluster.of_kind("FineTuneJob")[0]


def status(message: str = "", reason: str = "Pending") -> FineTuneJobStatus:
    running = Condition(
        type="Running", status="False", reason=reason, message=message, last_transition_time=NOW
    )
    return FineTuneJobStatus(run=RunStatus(name="invoices-1"), conditions=[running])


def complete(at: str = NOW) -> FineTuneJobStatus:
    end = Condition(type="Complete", status="True", reason="Succeeded", last_transition_time=at)
    return FineTuneJobStatus(run=RunStatus(name="invoices-1", completion_time=at), conditions=[end])


async def write(writer: StatusWriter, cluster: MemoryCluster, new: FineTuneJobStatus) -> None:
    old = FineTuneJobStatus.model_validate(live(cluster).get("status", {}))
    await writer.write(live(cluster), old, new)


async def test_two_versions_with_other_words_for_the_same_come_to_rest(
    cluster: MemoryCluster, start: Callable[[], StatusWriter]
):
    first, second = start(), start()
    for _ in range(10):
        await write(first, cluster, status("Waiting for the pod."))
        await write(second, cluster, status("The pod does not exist yet."))
    assert cluster.writes == 2


async def test_a_changed_message_of_the_same_operator_is_written(
    cluster: MemoryCluster, start: Callable[[], StatusWriter]
):
    writer = start()
    for step in range(3):
        await write(writer, cluster, status(f"Step {step}."))
    assert cluster.writes == 3


async def test_a_fact_that_another_program_changes_is_corrected_at_once_and_then_less_and_less_often(
    cluster: MemoryCluster, start: Callable[[], StatusWriter], clock: Clock
):
    writer = start()
    await write(writer, cluster, status())
    for second in range(600):
        clock.seconds = second
        cluster.seed({**live(cluster), "status": status(reason="Other").to_kubernetes()})
        try:
            await write(writer, cluster, status())
        except TransientError:
            continue
        if second == 0:
            assert cluster.writes == 2
    assert cluster.writes < 20


class FailingEvents(MemoryCluster):
    failures: list[Exception]

    async def emit_event(self, job: Object, event: Event) -> None:
        if self.failures:
            raise self.failures.pop()
        await super().emit_event(job, event)


async def test_an_event_is_posted_again_until_it_arrives(clock: Clock):
    cluster = FailingEvents()
    cluster.failures = [TransientError("no answer"), TransientError("no answer")]
    cluster.seed(a_job())
    store = Store()
    writer = StatusWriter(cluster, store, Metrics(store), lambda: NOW, lambda: clock.seconds)
    await write(writer, cluster, complete())
    for _ in range(2):
        with pytest.raises(TransientError):
            await writer.post_events(live(cluster))
    await writer.post_events(live(cluster))
    assert [event.reason for event in cluster.events] == ["Complete"]


@pytest.mark.parametrize("refusal", [ForbiddenError("no rights"), ConflictError("the object was modified")])
async def test_an_event_that_is_refused_is_posted_again_some_times(clock: Clock, refusal: ClusterError):
    cluster = FailingEvents()
    cluster.failures = [refusal] * 2
    cluster.seed(a_job())
    store = Store()
    writer = StatusWriter(cluster, store, Metrics(store), lambda: NOW, lambda: clock.seconds)
    await write(writer, cluster, complete())
    for _ in range(2):
        with pytest.raises(type(refusal)):
            await writer.post_events(live(cluster))
    await writer.post_events(live(cluster))
    assert [event.reason for event in cluster.events] == ["Complete"]


async def test_an_event_that_may_not_be_posted_does_not_hold_up_the_job(clock: Clock):
    cluster = FailingEvents()
    cluster.failures = [ForbiddenError("no rights")] * MAX_REFUSALS
    cluster.seed(a_job())
    store = Store()
    writer = StatusWriter(cluster, store, Metrics(store), lambda: NOW, lambda: clock.seconds)
    await write(writer, cluster, complete())
    for _ in range(MAX_REFUSALS - 1):
        with pytest.raises(ForbiddenError):
            await writer.post_events(live(cluster))
    await writer.post_events(live(cluster))
    assert cluster.events == []


class LostResponse(MemoryCluster):
    """Writes the first status, and loses the response."""

    num_lost = 0

    async def patch_status(self, job: Object, status: Object) -> Object:
        written = await super().patch_status(job, status)
        if not self.num_lost:
            self.num_lost += 1
            raise TransientError("connection reset")
        return written


async def test_the_event_of_a_status_whose_response_was_lost_is_posted(clock: Clock):
    cluster = LostResponse()
    cluster.seed(a_job())
    store = Store()
    writer = StatusWriter(cluster, store, Metrics(store), lambda: NOW, lambda: clock.seconds)
    writer.recover_events(live(cluster), FineTuneJobStatus())
    with pytest.raises(TransientError):
        await write(writer, cluster, complete())

    writer.recover_events(live(cluster), complete())
    await write(writer, cluster, complete())
    await writer.post_events(live(cluster))
    assert [event.reason for event in cluster.events] == ["Complete"]


async def test_an_operator_killed_between_status_and_event_posts_the_event_after_its_restart(
    cluster: MemoryCluster, start: Callable[[], StatusWriter]
):
    await write(start(), cluster, complete())
    for _ in range(2):
        writer = start()
        writer.recover_events(live(cluster), complete())
        writer.recover_events(live(cluster), complete())
        await writer.post_events(live(cluster))
    assert [event.reason for event in cluster.events] == ["Complete"] * 2
    assert len({event.name for event in cluster.events}) == 1  # the API server keeps one


async def test_an_end_of_long_ago_is_not_posted_again(
    cluster: MemoryCluster, start: Callable[[], StatusWriter]
):
    writer = start()
    writer.recover_events(live(cluster), complete(EARLIER))
    await writer.post_events(live(cluster))
    assert cluster.events == []
