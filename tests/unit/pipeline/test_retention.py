"""What a run that has succeeded deletes in the bucket, and what it never deletes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from moto.s3.models import s3_backends

from finscribe_core.trainer_config import KeepCheckpoints, TrainerConfig
from finscribe_trainer.pipeline.retention import delete_outdated
from finscribe_trainer.reporting import RunReporter
from finscribe_trainer.runtime.stop_signal import StopSignal
from finscribe_trainer.storage import Storage
from finscribe_trainer.training.run import Run
from tests.support.s3 import S3Server
from tests.support.storage import bucket, storage
from tests.unit.storage.test_errors import check_credentials

__all__ = ["bucket", "storage"]
FIRST, SECOND, THIRD, OWN = (f"invoices-0000000{number}" for number in range(1, 5))
OF_ANOTHER_JOB, OF_AN_EXPERIMENT = "receipts-00000001", "invoices-lora-00000001"


class TeamBucket:
    """A bucket with results below `out/`."""

    def __init__(self, server: S3Server, name: str, storage: Storage, folder: Path) -> None:
        self.server, self.name, self.storage, self.folder = server, name, storage, folder
        self.out = f"s3://{name}/out"

    def publish(self, run: str, minutes_ago: int) -> None:
        """Upload a result as a training does, with the checkpoints of steps 1 and 2."""
        result = self.folder / run
        (result / "adapter").mkdir(parents=True)
        (result / "adapter" / "adapter_model.safetensors").write_text(run)
        (result / "config.yaml").write_text("{}")
        for step in (1, 2):
            checkpoint = self.folder / f"of-{run}" / f"checkpoint-{step}"
            checkpoint.mkdir(parents=True)
            (checkpoint / "weights").write_text(str(step))
            self.storage.save_checkpoint(checkpoint, f"{self.out}/runs/{run}")
        self.storage.publish_run(result, f"{self.out}/runs/{run}")
        self.storage.write_json(f"{self.out}/trainings/of-{run}.json", {"run": run})
        self.set_age(f"out/runs/{run}/manifest.json", minutes_ago)

    def set_age(self, key: str, minutes_ago: int) -> None:
        """Let an object have been written so many minutes before now."""
        (backend,) = {s3["aws"] for s3 in s3_backends.values()}
        stored = backend.buckets[self.name].keys
        then = datetime.now(UTC).replace(tzinfo=None) - timedelta(minutes=minutes_ago)
        stored[key].last_modified = then

    def promote(self, run: str) -> None:
        self.storage.write_latest(self.out, {"run": run, "uri": f"{self.out}/runs/{run}"})

    def all_keys(self) -> list[str]:
        return self.server.keys(self.name)

    def runs(self) -> set[str]:
        """The runs of which anything is left, a file that names them included."""
        names = {key.split("/")[2] for key in self.all_keys() if key.startswith("out/runs/")}
        trainings = [key for key in self.all_keys() if key.startswith("out/trainings/")]
        return names | {json.loads(self.server.read(self.name, key))["run"] for key in trainings}

    def checkpoints(self, run: str) -> set[str]:
        keys = self.server.keys(self.name, f"out/runs/{run}/checkpoints/")
        return {key.split("/")[4] for key in keys}

    def end_run(self, **settings: object) -> None:
        """What the run OWN does at its end."""
        config = TrainerConfig.model_validate({"dataset_path": "x", "output_uri": self.out, **settings})
        run = Run(config, OWN, None, RunReporter(run=OWN, job=""), StopSignal())
        delete_outdated(run, self.storage, best_step=1)


@pytest.fixture
def team(s3_env, bucket, storage, tmp_path) -> TeamBucket:
    """Four runs of a job, of which the last has just succeeded."""
    team = TeamBucket(s3_env, bucket, storage, tmp_path)
    for minutes_ago, run in enumerate((OWN, THIRD, SECOND, FIRST)):
        team.publish(run, minutes_ago)
    return team


def test_checkpoints_that_a_killed_attempt_has_left_are_deleted_at_the_end(team):
    team.end_run(training={"save_total_limit": 1})
    assert team.checkpoints(OWN) == {"checkpoint-2"}


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (1, {OWN}),
        (2, {OWN, THIRD}),
        (4, {OWN, THIRD, SECOND, FIRST}),
        (9, {OWN, THIRD, SECOND, FIRST}),
        (None, {OWN, THIRD, SECOND, FIRST}),
    ],
)
def test_the_newest_runs_are_kept_and_nothing_is_left_of_the_others(keep, left, team):
    team.promote(OWN)
    team.end_run(keep_runs=keep)
    assert team.runs() == left


def test_the_run_that_latest_json_names_is_kept_though_it_is_the_oldest(team):
    team.promote(FIRST)  # the gates of all later runs failed
    team.end_run(keep_runs=1)
    assert team.runs() == {OWN, FIRST}
    assert f"out/runs/{FIRST}/manifest.json" in team.all_keys()


def test_the_own_run_is_kept_though_it_is_the_oldest(team):
    team.set_age(f"out/runs/{OWN}/manifest.json", minutes_ago=60)
    team.end_run(keep_runs=1)
    assert team.runs() == {THIRD, OWN}


def test_without_a_known_promoted_run_nothing_is_deleted(team, caplog):
    team.server.client().put_object(Bucket=team.name, Key="out/latest.json", Body=b"{")
    before = team.all_keys()
    team.end_run(keep_runs=1)
    assert team.all_keys() == before
    assert "Older runs remain in the bucket: Which run" in caplog.text


def test_other_objects_are_kept(team):
    team.publish(OF_ANOTHER_JOB, 99)
    team.publish(OF_AN_EXPERIMENT, 99)
    client = team.server.client()
    unfinished = "out/runs/invoices-00000009/checkpoints/checkpoint-1/manifest.json"
    for key in (unfinished, f"out-of-others/runs/{FIRST}/manifest.json", "out/notes.txt", f"{FIRST}/a"):
        client.put_object(Bucket=team.name, Key=key, Body=b"{}")
    team.set_age(unfinished, minutes_ago=99)
    others = {key for key in team.all_keys() if not any(run in key for run in (FIRST, SECOND, THIRD))}
    others |= {f"out-of-others/runs/{FIRST}/manifest.json", f"{FIRST}/a"}
    team.end_run(keep_runs=1)
    assert set(team.all_keys()) == others


def test_the_run_whose_adapter_the_config_names_is_kept(team):
    team.end_run(keep_runs=1, adapter_name_or_path=f"{team.out}/runs/{SECOND}/adapter")
    assert team.runs() == {OWN, SECOND}


def test_a_deletion_that_is_denied_is_a_warning(team, caplog):
    before = team.all_keys()
    check_credentials(team.server.endpoint, "0")
    try:
        team.end_run(keep_runs=1, keep_checkpoints="Best")
    finally:
        check_credentials(team.server.endpoint, "inf")
    assert "Checkpoints remain in the bucket: " in caplog.text
    assert "Older runs remain in the bucket: " in caplog.text
    assert team.all_keys() == before


def test_a_deletion_that_is_interrupted_leaves_no_manifest_without_its_files(team, monkeypatch):
    deleted = []
    delete = team.storage._connection.client.delete_object

    def delete_two(**target: str):
        if len(deleted) == 2:
            raise KeyboardInterrupt
        deleted.append(target["Key"])
        return delete(**target)

    monkeypatch.setattr(team.storage._connection.client, "delete_object", delete_two)
    with pytest.raises(KeyboardInterrupt):
        team.end_run(keep_runs=3)
    assert deleted == [f"out/trainings/of-{FIRST}.json", f"out/runs/{FIRST}/manifest.json"]


@pytest.mark.parametrize(
    ("keep", "left"),
    [
        (None, {"checkpoint-1", "checkpoint-2"}),
        (KeepCheckpoints.Nothing, set()),
        (KeepCheckpoints.Best, {"checkpoint-1"}),
        (KeepCheckpoints.Last, {"checkpoint-2"}),
    ],
)
def test_of_the_checkpoints_of_the_run_those_are_left_that_are_wanted(keep, left, team):
    team.end_run(keep_checkpoints=keep)
    assert team.checkpoints(OWN) == left
    assert team.checkpoints(THIRD) == {"checkpoint-1", "checkpoint-2"}
    assert f"out/runs/{OWN}/manifest.json" in team.all_keys()
