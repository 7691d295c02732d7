"""Experiments: FineTuneJobs that the operator creates for a FineTuneJob."""

import itertools

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobSpec, FineTuneJobStatus, State
from finscribe_operator.cluster import ConflictError, InvalidObjectError
from finscribe_operator.config import OperatorConfig
from finscribe_operator.metrics import Metrics
from finscribe_operator.objects import JobKey, Object
from finscribe_operator.reconcile import Reconciler
from finscribe_operator.store import Store
from tests.support.other_defaults import other_defaults
from tests.unit.operator.builders import NOW, a_job, run_name
from tests.unit.operator.memory_cluster import Killed, MemoryCluster

KEY = JobKey("team", "invoices")
MAX_RECONCILIATIONS = 10
LOWER = {"name": "lower-rate", "overrides": {"training.learningRate": 1e-5}}
RANK = {"name": "rank", "overrides": {"lora.r": 8, "lora.alpha": 16}}


def job_with(*experiments: Object, **spec: object) -> Object:
    return a_job({"experiments": list(experiments), **spec})


class NameTakenConcurrently(MemoryCluster):
    """A user creates a job with the experiment's name just before the operator does."""

    async def create(self, manifest: Object) -> Object:
        if manifest["kind"] == "FineTuneJob":
            self.seed(another_users_job())
        return await super().create(manifest)


def another_users_job() -> Object:
    job = a_job()
    job["metadata"] |= {"name": "invoices-lower-rate", "uid": "other-uid", "labels": {"team": "other"}}
    return job


async def converge(cluster: MemoryCluster, key: JobKey = KEY) -> None:
    """A new operator reconciles the job until there are no more writes."""
    for _ in range(MAX_RECONCILIATIONS):
        writes = cluster.writes
        store = Store()
        for obj in (*cluster.of_kind("Job"), *cluster.of_kind("FineTuneJob")):
            store.put(obj)
        await Reconciler(cluster, store, OperatorConfig(), Metrics(store), lambda: NOW).reconcile(key)
        if cluster.writes == writes:
            return
    raise AssertionError(f"still writes after {MAX_RECONCILIATIONS} reconciliations")


def specs(cluster: MemoryCluster) -> dict[str, Object]:
    jobs = {job["metadata"]["name"]: job["spec"] for job in cluster.of_kind("FineTuneJob")}
    jobs.pop("invoices")
    return jobs


def child(cluster: MemoryCluster) -> Object:
    return cluster.objects["FineTuneJob", "team", "invoices-lower-rate"]


def status_of(cluster: MemoryCluster, name: str = "invoices") -> FineTuneJobStatus:
    return FineTuneJobStatus.model_validate(cluster.objects["FineTuneJob", "team", name]["status"])


def running_message(cluster: MemoryCluster, name: str = "invoices") -> str:
    (message,) = [c.message for c in status_of(cluster, name).conditions if c.type == "Running"]
    return message


def edit(cluster: MemoryCluster, job: Object) -> None:
    live = cluster.objects["FineTuneJob", "team", "invoices"]
    cluster.seed({**live, "spec": job["spec"], "metadata": live["metadata"] | {"generation": 2}})


async def test_each_experiment_is_a_job_of_its_own_with_its_settings_and_output():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER, RANK, suspend=True))

    await converge(cluster)

    found = specs(cluster)
    assert sorted(found) == ["invoices-lower-rate", "invoices-rank"]
    lower, rank = found.values()
    output = {"uri": "s3://models/invoices/experiments/lower-rate"}
    assert lower == a_job({"training": {"learningRate": 1e-5}, "output": output, "suspend": True})["spec"]
    assert (rank["lora"], "training" in rank) == ({"r": 8, "alpha": 16}, False)
    assert [e.state for e in status_of(cluster).experiments] == [State.Pending, State.Pending]


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
async def test_an_operator_killed_at_any_write_creates_each_experiment_once(after: bool):
    for write in itertools.count(1):
        cluster = MemoryCluster()
        cluster.seed(job_with(LOWER, RANK))
        cluster.kill_at, cluster.kill_after_write = write, after
        try:
            await converge(cluster)
        except Killed:
            await converge(cluster)
        made = [name for name in cluster.created if name.startswith("FineTuneJob/")]
        assert sorted(made) == ["FineTuneJob/invoices-lower-rate", "FineTuneJob/invoices-rank"]
        if cluster.kill_at is not None:
            assert write > 5
            return


async def test_an_experiment_that_is_added_after_an_upgrade_has_the_defaults_of_the_jobs_run(
    monkeypatch: pytest.MonkeyPatch,
):
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER))
    await converge(cluster)
    run = status_of(cluster).run
    first = child(cluster)
    monkeypatch.setattr("finscribe_operator.runs.DEFAULTS", other_defaults())
    monkeypatch.setattr("finscribe_operator.manifests.experiment.defaults_of", lambda _: other_defaults())

    edit(cluster, job_with(LOWER, RANK))
    await converge(cluster)

    assert status_of(cluster).run == run
    assert child(cluster)["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    rank = FineTuneJobSpec.model_validate(specs(cluster)["invoices-rank"])
    spec = FineTuneJobSpec.model_validate(a_job()["spec"])
    assert (rank.lora.r, rank.training, rank.loss) == (8, spec.training, spec.loss)


async def test_changed_experiments_are_updated_and_the_jobs_own_run_continues():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER, RANK))
    await converge(cluster)
    run = status_of(cluster).run

    edit(cluster, job_with({**LOWER, "overrides": {"training.learningRate": 5e-6}}))
    await converge(cluster)

    assert {name: spec["training"]["learningRate"] for name, spec in specs(cluster).items()} == {
        "invoices-lower-rate": 5e-6
    }
    assert status_of(cluster).run == run
    assert [e.name for e in status_of(cluster).experiments] == ["lower-rate"]


async def test_a_job_that_has_ended_still_shows_the_end_of_its_experiments():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER))
    await converge(cluster)
    status = {"summary": {"state": "Complete"}, "metrics": {"bestEvalLoss": "0.3"}}
    cluster.seed({**child(cluster), "status": status})

    await converge(cluster)

    (seen,) = status_of(cluster).experiments
    assert (seen.job, seen.state, seen.metrics.best_eval_loss) == (
        "invoices-lower-rate",
        State.Complete,
        "0.3",
    )


async def test_another_users_job_of_that_name_is_unchanged_and_reported_and_the_others_are_created():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER, RANK))
    other = cluster.seed(another_users_job())

    with pytest.raises(ConflictError, match="belongs to something else"):
        await converge(cluster)

    assert child(cluster) == other
    assert "FineTuneJob/invoices-rank" in cluster.created
    assert "invoices-lower-rate exists and belongs to something else" in running_message(cluster)


async def test_a_job_created_concurrently_with_that_name_is_unchanged_and_reported():
    cluster = NameTakenConcurrently()
    cluster.seed(job_with(LOWER))

    with pytest.raises(ConflictError):
        await converge(cluster)

    assert child(cluster)["metadata"]["labels"] == {"team": "other"}
    assert "invoices-lower-rate already exists" in running_message(cluster)
    with pytest.raises(ConflictError, match="belongs to something else"):
        await converge(cluster)


class RefusesExperiments(MemoryCluster):
    """An admission policy refuses FineTuneJobs with a higher rank."""

    async def create(self, manifest: Object) -> Object:
        if manifest["kind"] == "FineTuneJob" and "r" in manifest["spec"].get("lora", {}):
            raise InvalidObjectError("denied by a policy")
        return await super().create(manifest)


async def test_an_experiment_that_a_policy_refuses_stops_neither_the_jobs_run_nor_other_experiments():
    cluster = RefusesExperiments()
    cluster.seed(job_with(RANK, LOWER))

    with pytest.raises(ConflictError, match="invoices-rank is refused: denied by a policy"):
        await converge(cluster)

    assert len(cluster.of_kind("Job")) == len(cluster.of_kind("ConfigMap")) == 1
    assert list(specs(cluster)) == ["invoices-lower-rate"]
    status = cluster.objects["FineTuneJob", "team", "invoices"]["status"]
    assert status["summary"]["state"] == "Pending"
    assert "denied by a policy" in next(c for c in status["conditions"] if c["type"] == "Running")["message"]


async def test_of_two_jobs_that_name_the_same_experiment_the_first_keeps_it():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER))
    second = job_with({**LOWER, "name": "rate"})
    second["metadata"] |= {"name": "invoices-lower", "uid": "second-uid"}
    cluster.seed(second)
    await converge(cluster)
    first = child(cluster)

    with pytest.raises(ConflictError, match="belongs to something else"):
        await converge(cluster, JobKey("team", "invoices-lower"))

    assert child(cluster) == first
    assert "invoices-lower-rate exists and" in running_message(cluster, "invoices-lower")


async def test_a_manual_change_of_an_experiment_is_reverted_once():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER))
    await converge(cluster)
    made = child(cluster)
    edited = made["spec"] | {"activeDeadlineSeconds": 77, "suspend": True}
    cluster.seed({**made, "spec": edited})

    await converge(cluster)

    assert child(cluster)["spec"] == made["spec"]
    writes = cluster.writes
    await converge(cluster)
    assert cluster.writes == writes


async def test_the_removed_labels_of_an_experiment_are_restored():
    cluster = MemoryCluster()
    cluster.seed(job_with(LOWER))
    await converge(cluster)
    made = child(cluster)
    cluster.seed({**made, "metadata": made["metadata"] | {"labels": {"mine": "too"}}})

    await converge(cluster)

    assert child(cluster)["metadata"]["labels"] == made["metadata"]["labels"] | {"mine": "too"}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"training.learnigRate": 1}, "unknown key learnigRate; did you mean learningRate?"),
        ({"training.learningRate": "fast"}, "training.learningRate"),
        ({"output.uri": "s3://elsewhere/x"}, "output.uri can't be changed by an experiment"),
        ({"training.learning_rate": 1e-5}, "unknown key learning_rate; did you mean learningRate?"),
    ],
)
async def test_an_invalid_experiment_makes_the_job_invalid_and_starts_nothing(overrides, message):
    cluster = MemoryCluster()
    cluster.seed(job_with({"name": "odd", "overrides": overrides}))

    await converge(cluster)

    (accepted,) = [c for c in status_of(cluster).conditions if c.type == "Accepted"]
    assert accepted.status == "False"
    assert "experiments: odd" in accepted.message
    assert message in accepted.message
    assert cluster.created == []


def test_experiments_do_not_change_the_name_of_the_jobs_own_run():
    assert run_name(job_with(LOWER)) == run_name(a_job())
