"""When a job is trained again: after a change of its spec, by a schedule, for changed data, on a trigger."""

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from finscribe_core.api.retraining import RunCause
from finscribe_core.api.v1alpha1 import FineTuneJobStatus
from finscribe_core.constants import ANNOTATION_RETRY, LABEL_CAUSE
from finscribe_core.report import DatasetState, RunResult
from finscribe_operator.objects import Object
from tests.unit.operator.builders import a_job, a_pod, ended
from tests.unit.operator.memory_cluster import MemoryCluster
from tests.unit.operator.test_crashes import run_killed_at, start_operator, status_of

MORNING, NOON = "2026-05-01T08:00:00Z", "2026-05-01T12:00:00Z"
NIGHT, NEXT_MORNING = "2026-05-02T02:00:00Z", "2026-05-02T08:00:00Z"
DAILY: Object = {"cron": "0 2 * * *"}
OTHER: Object = {"lora": {"r": 8}}
HOURLY: Object = {"checkEvery": "1h"}


@dataclass
class Life:
    """A job in a cluster, whose operator is a new process at each step."""

    spec: Object
    cluster: MemoryCluster = field(default_factory=MemoryCluster)

    def __post_init__(self) -> None:
        job = a_job(self.spec)
        job["metadata"]["creationTimestamp"] = MORNING
        self.cluster.seed(job)

    async def at(self, now: str) -> "Life":
        await start_operator(self.cluster, now)
        return self

    def edit(self, spec: Object) -> None:
        live = self.cluster.objects[("FineTuneJob", "team", "invoices")]
        metadata = live["metadata"] | {"generation": live["metadata"]["generation"] + 1}
        self.cluster.seed({**live, "spec": a_job(spec)["spec"], "metadata": metadata})

    def retry(self, token: str) -> None:
        live = self.cluster.objects[("FineTuneJob", "team", "invoices")]
        metadata = live["metadata"] | {"annotations": {ANNOTATION_RETRY: token}}
        self.cluster.seed({**live, "metadata": metadata})

    def end(self, result: str = "Complete", at: str = NOON, dataset: DatasetState | None = None) -> None:
        """The run's pod has ended, and its Job."""
        name = self.run
        job = self.cluster.objects[("Job", "team", name)]
        self.cluster.seed({**job, "status": {**ended(result, failed=1), "startTime": MORNING}})
        self._report(name, job, RunResult(succeeded=result == "Complete", dataset=dataset))
        for condition in self.cluster.objects[("Job", "team", name)]["status"]["conditions"]:
            condition["lastTransitionTime"] = at
        self.cluster.objects[("Job", "team", name)]["status"]["completionTime"] = at

    def end_check(self, dataset: DatasetState | None) -> None:
        """The pod that checks the data has ended."""
        (job,) = [j for j in self.cluster.of_kind("Job") if "finscribe.io/task" in j["metadata"]["labels"]]
        self.cluster.seed({**job, "status": ended("Complete" if dataset else "Failed")})
        if dataset:
            self._report(job["metadata"]["name"], job, RunResult(succeeded=True, dataset=dataset))

    def _report(self, run: str, job: Object, result: RunResult) -> None:
        message = result.to_termination_message()
        state = {"terminated": {"exitCode": 0 if result.succeeded else 70, "message": message}}
        container = {"name": "trainer", "state": state}
        phase = "Succeeded" if result.succeeded else "Failed"
        pod = a_pod(run, {"phase": phase, "containerStatuses": [container]})
        pod["metadata"]["ownerReferences"] = [{"uid": job["metadata"]["uid"], "controller": True}]
        self.cluster.seed(pod)

    @property
    def status(self) -> FineTuneJobStatus:
        return status_of(self.cluster)

    @property
    def run(self) -> str:
        assert self.status.run is not None
        return self.status.run.name

    @property
    def cause(self) -> str:
        assert self.status.run is not None
        return self.status.run.cause

    @property
    def trainings(self) -> int:
        """Number of Jobs that were created for runs."""
        return len([name for name in self._created("Job") if name in self._created("ConfigMap")])

    @property
    def checks(self) -> int:
        """Number of Jobs that were created for checks of the data."""
        return len(self._created("Job")) - self.trainings

    def _created(self, kind: str) -> list[str]:
        return [name.partition("/")[2] for name in self.cluster.created if name.startswith(f"{kind}/")]


def state(fingerprint: str, samples: int | None = 100) -> DatasetState:
    return DatasetState(fingerprint=fingerprint, samples=samples, files=1)


class TestAChangedSpec:
    async def test_replaces_the_present_run_by_default(self):
        life = await Life({}).at(MORNING)
        life.edit(OTHER)
        first = life.run
        await life.at(NOON)
        assert life.run != first and life.cause == "SpecChanged"

    async def test_waits_for_the_end_of_the_present_run(self):
        wait = {"retrain": {"onSpecChange": "Wait"}}
        life = await Life(wait).at(MORNING)
        first = life.run
        life.edit(OTHER | wait)
        await life.at(NOON)
        assert life.run == first and "once this run has ended" in message(life, "Accepted")
        life.end()
        await life.at(NOON)
        assert life.run != first and life.cause == "SpecChanged"
        assert life.status.runs[0].outcome == "Succeeded"

    async def test_waits_although_the_policy_was_changed_with_it(self):
        life = await Life({}).at(MORNING)
        first = life.run
        life.edit(OTHER | {"retrain": {"onSpecChange": "Wait"}})
        await life.at(NOON)
        assert life.run == first

    async def test_is_ignored_until_the_trigger_is_changed(self):
        life = await Life({"retrain": {"onSpecChange": "Ignore"}}).at(MORNING)
        first = life.run
        life.edit(OTHER | {"retrain": {"onSpecChange": "Ignore"}})
        await life.at(NOON)
        life.end()
        await life.at(NOON)
        assert life.run == first and "spec.retrain.trigger" in message(life, "Accepted")
        life.edit(OTHER | {"retrain": {"onSpecChange": "Ignore", "trigger": "may"}})
        await life.at(NOON)
        assert life.run != first and life.cause == "SpecChanged"

    async def test_that_is_ignored_changes_neither_the_jobs_config_nor_its_attempts(self):
        policy = {"retrain": {"onSpecChange": "Ignore"}}
        life = await Life(policy).at(MORNING)
        before = life.cluster.objects[("ConfigMap", "team", life.run)]["data"]
        life.edit(OTHER | policy | {"resources": {"memory": "64Gi"}})  # a new attempt, of the same training
        await life.at(NOON)
        assert life.cluster.objects[("ConfigMap", "team", life.run)]["data"] == before
        template = life.cluster.objects[("Job", "team", life.run)]["spec"]["template"]
        (container,) = template["spec"]["containers"]
        assert container["resources"]["limits"]["memory"] == "64Gi"

    async def test_that_breaks_a_rule_is_invalid_also_while_it_waits(self):
        wait: Object = {"retrain": {"onSpecChange": "Wait"}}
        life = await Life(wait).at(MORNING)
        life.edit({"lora": {"r": -1}} | wait)
        await life.at(NOON)
        assert life.status.summary.state == "Invalid"


@pytest.mark.parametrize(
    ("spec", "cause"),
    [
        ({"retrain": {"trigger": "may"}}, "Triggered"),
        (OTHER, "SpecChanged"),
        (OTHER | {"retrain": {"trigger": "may"}}, "SpecChanged"),
    ],
)
async def test_the_cause_of_a_new_run_is(spec: Object, cause: str):
    life = await Life({}).at(MORNING)
    assert life.cause == "Created"
    life.edit(spec)
    await life.at(NOON)
    assert life.cause == cause
    template = life.cluster.objects[("Job", "team", life.run)]["spec"]["template"]
    assert template["metadata"]["labels"][LABEL_CAUSE] == cause


async def test_a_retry_is_the_cause_of_the_attempt_that_it_starts():
    life = await Life({}).at(MORNING)
    life.end("Failed")
    await life.at(NOON)
    life.retry("1")
    await life.at(NOON)
    assert life.cause == "Retried" and life.status.summary.state == "Pending"
    template = life.cluster.objects[("Job", "team", life.run)]["spec"]["template"]
    assert template["metadata"]["labels"][LABEL_CAUSE] == "Retried"


class TestASchedule:
    async def test_starts_a_run_at_its_time_and_only_one(self):
        life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
        first = life.run
        life.end()
        await life.at(NOON)
        assert life.status.retrain.schedule.next_time == NIGHT
        for _ in range(3):
            await life.at(NEXT_MORNING)
        assert life.run != first and life.trainings == 2
        run = life.status.run
        assert (run.cause, run.occasion) == (RunCause.Scheduled, NIGHT)
        record = life.status.runs[0]
        assert (record.name, record.outcome, record.cause) == (first, "Succeeded", "Created")

    async def test_counts_from_when_it_was_added(self):
        life = await Life({}).at(MORNING)
        life.end(at=MORNING)
        await life.at(MORNING)
        life.edit({"retrain": {"schedule": {"cron": "0 9 * * *"}}})
        await life.at(NOON)
        await life.at(NOON)
        assert life.trainings == 1

    async def test_of_several_missed_times_starts_one_run(self):
        life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
        life.end()
        await life.at(NOON)
        await life.at("2026-05-09T08:00:00Z")
        await life.at("2026-05-09T08:01:00Z")
        assert life.trainings == 2 and life.status.run.occasion == "2026-05-09T02:00:00Z"

    async def test_leaves_out_a_time_that_was_missed_for_too_long_and_says_so(self):
        schedule = DAILY | {"startingDeadlineSeconds": 3600}
        life = await Life({"retrain": {"schedule": schedule}}).at(MORNING)
        life.end()
        await life.at(NOON)
        await life.at(NEXT_MORNING)
        assert life.trainings == 1
        assert life.status.retrain.schedule.last_missed_time == NIGHT
        assert "ScheduleMissed" in [event.reason for event in life.cluster.events]
        await life.at("2026-05-03T02:30:00Z")
        assert life.trainings == 2

    async def test_waits_for_a_run_that_has_not_ended(self):
        life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
        await life.at(NEXT_MORNING)
        assert life.trainings == 1
        life.end(at=NEXT_MORNING)
        await life.at(NEXT_MORNING)
        assert life.trainings == 2 and life.status.run.occasion == NIGHT

    async def test_replaces_such_a_run_when_it_is_to(self):
        life = await Life({"retrain": {"schedule": DAILY | {"concurrencyPolicy": "Replace"}}}).at(MORNING)
        first = life.run
        await life.at(NEXT_MORNING)
        assert life.run != first and life.cause == "Scheduled"
        assert [j["metadata"]["name"] for j in life.cluster.of_kind("Job")] == [life.run]

    async def test_does_nothing_while_the_job_is_suspended(self):
        life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
        life.end()
        await life.at(NOON)
        life.edit({"retrain": {"schedule": DAILY}, "suspend": True})
        await life.at(NEXT_MORNING)
        assert life.trainings == 1

    async def test_uses_a_spec_that_was_ignored_until_then(self):
        retrain = {"retrain": {"schedule": DAILY, "onSpecChange": "Ignore"}}
        life = await Life(retrain).at(MORNING)
        life.end()
        await life.at(NOON)
        life.edit(OTHER | retrain)
        await life.at(NOON)
        await life.at(NEXT_MORNING)
        config = life.cluster.objects[("ConfigMap", "team", life.run)]["data"]["config.yaml"]
        assert life.trainings == 2 and "r: 8" in config

    @pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
    async def test_starts_one_run_when_the_operator_is_killed_at_any_write(self, after: bool):
        for write in itertools.count(1):
            life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
            life.end()
            await life.at(NOON)
            killed = await run_killed_at(life.cluster, write, after, NEXT_MORNING)
            assert life.trainings == 2 and life.status.run.occasion == NIGHT
            assert life.status.runs[0].outcome == "Succeeded"
            if not killed:
                assert write > 3
                return

    async def test_keeps_the_run_when_the_status_is_lost_while_it_runs(self):
        life = await Life({"retrain": {"schedule": DAILY}}).at(MORNING)
        life.end()
        await life.at(NOON)
        await life.at(NEXT_MORNING)
        name = life.run
        live = life.cluster.objects[("FineTuneJob", "team", "invoices")]
        life.cluster.seed({**live, "status": {}})
        await life.at(NEXT_MORNING)
        assert life.run == name and life.trainings == 2
        assert (life.cause, life.status.run.occasion) == ("Scheduled", NIGHT)


class TestChangedData:
    RETRAIN: Object = {"retrain": {"onDataChange": HOURLY}}

    async def checked(self, found: DatasetState | None, **rest: Any) -> Life:
        """A job whose run ended at noon, and whose data were checked an hour later."""
        life = await Life({"retrain": {"onDataChange": HOURLY | rest}}).at(MORNING)
        life.end(dataset=state("a"))
        await life.at(NOON)
        await life.at(NOON)
        life.end_check(found)
        await life.at("2026-05-01T12:01:00Z")
        return life

    async def test_are_looked_for_by_a_pod_without_gpu_that_knows_those_of_the_last_run(self):
        life = await Life(self.RETRAIN).at(MORNING)
        assert life.checks == 0
        life.end(dataset=state("a"))
        await life.at(NOON)
        await life.at(NOON)
        (job,) = [j for j in life.cluster.of_kind("Job") if "finscribe.io/task" in j["metadata"]["labels"]]
        (container,) = job["spec"]["template"]["spec"]["containers"]
        assert container["args"][-3:] == ["--data-state", "--known", "a"]
        assert "nvidia.com/gpu" not in container["resources"]["requests"]

    async def test_start_a_run(self):
        life = await self.checked(state("b"))
        assert (life.cause, life.status.run.occasion) == ("DataChanged", "b")
        assert life.trainings == 2
        await life.at("2026-05-01T18:00:00Z")
        assert life.trainings == 2 and life.checks == 1  # the next one after the run's end

    async def test_that_are_the_same_start_nothing_and_are_checked_again_later(self):
        life = await self.checked(state("a", None))
        assert life.trainings == 1 and life.cluster.of_kind("Job") == [
            job for job in life.cluster.of_kind("Job") if job["metadata"]["name"] == life.run
        ]
        await life.at("2026-05-01T12:30:00Z")
        assert life.checks == 1
        await life.at("2026-05-01T13:02:00Z")
        assert life.checks == 2

    @pytest.mark.parametrize(("samples", "trainings"), [(149, 1), (150, 2)])
    async def test_start_a_run_only_when_there_are_enough_new_rows(self, samples: int, trainings: int):
        life = await self.checked(state("b", samples), minimumNewSamples=50)
        assert life.trainings == trainings

    async def test_start_a_run_only_when_the_last_one_began_long_enough_ago(self):
        life = await self.checked(state("b"), minimumInterval="12h")
        assert life.trainings == 1
        await life.at("2026-05-01T20:00:00Z")
        assert life.trainings == 2 and life.cause == "DataChanged"

    async def test_that_could_not_be_checked_start_nothing_and_this_is_said(self):
        life = await self.checked(None)
        assert life.trainings == 1 and life.status.retrain.data_check.message
        assert "DataCheckFailed" in [event.reason for event in life.cluster.events]

    async def test_of_a_trainer_that_does_not_report_them_are_compared_with_the_first_check(self):
        life = await Life(self.RETRAIN).at(MORNING)
        life.end()
        await life.at(NOON)
        await life.at(NOON)
        life.end_check(state("a"))
        await life.at("2026-05-01T12:01:00Z")
        assert life.trainings == 1 and life.status.run.dataset == state("a")

    @pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
    async def test_start_one_run_when_the_operator_is_killed_at_any_write(self, after: bool):
        for write in itertools.count(1):
            life = await Life(self.RETRAIN).at(MORNING)
            life.end(dataset=state("a"))
            await life.at(NOON)
            await life.at(NOON)
            life.end_check(state("b"))
            killed = await run_killed_at(life.cluster, write, after, "2026-05-01T12:01:00Z")
            assert life.trainings == 2 and life.checks == 1 and life.cause == "DataChanged"
            assert not [
                j for j in life.cluster.of_kind("Job") if "finscribe.io/task" in j["metadata"]["labels"]
            ]
            if not killed:
                assert write > 4
                return


def message(life: Life, type_: str) -> str:
    return next(c.message for c in life.status.conditions if c.type == type_)
