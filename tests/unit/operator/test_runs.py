"""What starts a new run, what a new attempt of the same run, and what neither."""

import json
import re
from typing import Any

import pytest

from finscribe_core.api.defaults import defaults_of
from finscribe_core.api.v1alpha1 import (
    FineTuneJobSpec,
    FineTuneJobStatus,
    RunRecord,
    RunStatus,
)
from finscribe_core.constants import ANNOTATION_RETRY
from finscribe_operator import runs
from finscribe_operator.completed_specs import read_defaults
from finscribe_operator.field_changes import FIELD_CHANGES, Change, replace_training_settings
from finscribe_operator.job_defaults import JobDefaults
from finscribe_operator.manifests import lookup_name
from finscribe_operator.objects import Object
from finscribe_operator.runs import DesiredRun, find_run
from tests.support.other_defaults import other_defaults, paths
from tests.unit.operator.builders import NOW, a_job

SAME = {
    "defaults are written out": {"method": "LoRA", "lora": {"r": 16}, "training": {"seed": 42}},
    "every default is written out": FineTuneJobSpec.model_validate(a_job()["spec"]).to_kubernetes(),
    "a section is empty": {"lora": {}, "pod": {}},
    "it is suspended": {"suspend": True},
    "it may fail more often": {"backoffLimit": 9},
    "fewer earlier runs are kept": {"historyLimit": 2},
    "its pod may start later": {"startDeadlineSeconds": 7200},
    "it is cleaned up": {"ttlSecondsAfterFinished": 60, "ttlTarget": "FineTuneJob"},
    "it may take longer": {"activeDeadlineSeconds": 60},
    "it has experiments": {"experiments": [{"name": "rank", "overrides": {"lora.r": 8}}]},
}
OTHER_ATTEMPT = {
    "it gets more memory": {"resources": {"memory": "64Gi"}},
    "another image": {"image": "trainer:2"},
    "a toleration": {"pod": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}},
    "a pull secret": {"pod": {"imagePullSecrets": [{"name": "registry"}]}},
    "other credentials": {"storage": {"credentialsSecretRef": {"name": "s3"}}},
    "fewer data workers": {"training": {"dataloaderNumWorkers": 0}},
    "a proxy": {"pod": {"env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}},
    "a private authority": {"storage": {"caBundle": {"configMapName": "ca"}}},
    "another device": {"resources": {"extended": {"rdma/hca": 1}}},
    "fewer results are kept": {
        "output": {**a_job()["spec"]["output"], "keepRuns": 3, "keepCheckpoints": "Best"}
    },
    "a feature cache": {"featureCache": {"persistentVolumeClaim": {"name": "features"}}},
    "a cache of downloads": {"cache": {"persistentVolumeClaim": {"name": "downloads"}}},
    "a token for the hub": {
        "model": {**a_job()["spec"]["model"], "tokenSecretRef": {"name": "hub"}},
    },
}
OTHER_RUN = {
    "a hyperparameter": {"training": {"learningRate": 1e-4}},
    "the data": {"dataset": {"train": "s3://docs/other.jsonl"}},
    "the rank": {"lora": {"r": 8}},
    "the gate": {"evaluation": {"gate": {"minimum": 0.9}}},
    "the number of GPUs, and with it the effective batch": {"resources": {"gpus": 2}},
    "the trigger": {"retrain": {"trigger": "2026-05"}},
    "the place of the results": {"output": {"uri": "s3://models/other"}},
}


def desired(spec: Object | None = None, status: FineTuneJobStatus | None = None, **meta: Any) -> DesiredRun:
    raw = a_job(spec)
    raw["metadata"] |= meta
    return find_run(raw, status or FineTuneJobStatus())[1]


def started(spec: Object | None = None) -> FineTuneJobStatus:
    """The status after the first reconciliation of a spec."""
    return FineTuneJobStatus(run=desired(spec).build_status())


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator now has other defaults."""
    monkeypatch.setattr(runs, "DEFAULTS", other_defaults())


@pytest.mark.parametrize("spec", SAME.values(), ids=SAME.keys())
def test_nothing_starts_when(spec: Object):
    before, after = desired(), desired(spec, started())
    assert (after.name, after.attempt_hash) == (before.name, before.attempt_hash)
    assert desired(spec).name == before.name


@pytest.mark.parametrize("spec", OTHER_ATTEMPT.values(), ids=OTHER_ATTEMPT.keys())
def test_the_run_continues_in_a_new_pod_when_it_gets(spec: Object):
    before, after = desired(), desired(spec, started())
    assert after.name == before.name
    assert after.attempt_hash != before.attempt_hash


@pytest.mark.parametrize("spec", OTHER_RUN.values(), ids=OTHER_RUN.keys())
def test_another_run_starts_when_this_changes(spec: Object):
    assert desired(spec, started()).name != desired().name


def test_a_run_whose_effective_batch_is_set_continues_with_other_gpus_and_nodes():
    def spec(batch: int, **resources: int) -> Object:
        return {"training": {"effectiveBatchSize": batch}, "resources": resources}

    before = desired(spec(64, gpus=8))
    status = FineTuneJobStatus(run=before.build_status())
    for resources in ({"gpus": 4}, {"gpus": 2, "nodes": 4}, {}):
        after = desired(spec(64, **resources), status)
        assert after.name == before.name
        assert after.attempt_hash != before.attempt_hash
    assert desired(spec(128, gpus=8), status).name != before.name
    assert desired({"resources": {"gpus": 8}}, status).name != before.name


def test_a_run_that_is_held_keeps_its_number_of_processes_unless_its_effective_batch_is_set():
    spec: Object = {"training": {"effectiveBatchSize": 64}, "resources": {"gpus": 4}}
    written = {"resources": {"gpus": 2}}

    assert replace_training_settings(spec, written)["resources"] == {"gpus": 2}
    held = replace_training_settings(spec, {"training": {"effectiveBatchSize": 32}})
    assert (held["training"]["effectiveBatchSize"], held["resources"]["gpus"]) == (32, 4)


PLATFORM: Object = {"image": "trainer:7", "pod": {"labels": {"cost": "1"}}, "backoffLimit": 1}
OTHER_PLATFORM: Object = {"image": "trainer:8", "pod": {"nodeSelector": {"pool": "gpu"}}}


class TestDefaultsOfThePlatformTeam:
    def test_complete_a_new_run_and_are_kept_with_it(self):
        job, run = find_run(a_job(), FineTuneJobStatus(), defaults=PLATFORM)

        assert (job.spec.image, job.spec.pod.labels) == ("trainer:7", {"cost": "1"})
        assert read_defaults(run.build_status().defaults_json)["image"] == "trainer:7"
        assert run.training_hash == desired().training_hash

    def test_that_change_leave_the_run_and_its_pod_alone(self):
        before = find_run(a_job(), FineTuneJobStatus(), defaults=PLATFORM)[1]
        status = FineTuneJobStatus(run=before.build_status())

        job, after = find_run(a_job(), status, defaults=OTHER_PLATFORM)

        assert after == before
        assert job.spec.backoff_limit == 1

    def test_that_changed_apply_to_the_next_attempt(self):
        before = find_run(a_job(), FineTuneJobStatus(), defaults=PLATFORM)[1]
        status = FineTuneJobStatus(run=before.build_status())

        job, after = find_run(a_job({"resources": {"memory": "64Gi"}}), status, defaults=OTHER_PLATFORM)

        assert after.name == before.name
        assert (job.spec.image, job.spec.pod.labels) == ("trainer:8", {})
        assert job.spec.pod.node_selector == {"pool": "gpu"}

    def test_that_changed_apply_to_a_retry_of_a_run_that_failed_but_not_before(self):
        raw, failed = a_job(), {"type": "Failed", "status": "True", "reason": "x", "lastTransitionTime": NOW}
        before = find_run(raw, FineTuneJobStatus(), defaults=PLATFORM)[1]
        run = before.build_status().model_copy(update={"completion_time": NOW})
        status = FineTuneJobStatus.model_validate({"run": run, "conditions": [failed]})
        assert find_run(raw, status, defaults=OTHER_PLATFORM)[1] == before

        raw["metadata"]["annotations"] = {ANNOTATION_RETRY: "1"}

        assert find_run(raw, status, defaults=OTHER_PLATFORM)[0].spec.image == "trainer:8"

    def test_do_not_change_training_settings_of_a_new_attempt_after_an_upgrade(
        self, monkeypatch: pytest.MonkeyPatch
    ):
        status = started()
        monkeypatch.setattr(runs, "DEFAULTS", other_defaults())

        job, _ = find_run(a_job({"image": "trainer:9"}), status, defaults=PLATFORM)

        assert job.spec.training == FineTuneJobSpec.model_validate(a_job()["spec"]).training
        assert job.spec.lora == FineTuneJobSpec.model_validate(a_job()["spec"]).lora

    def test_have_no_setting_that_determines_what_is_learned(self):
        paths_of_defaults = {
            ".".join(path[:depth]) for path, _ in paths(defaults_of(JobDefaults)) for depth in (1, 2)
        } | {field.serialization_alias for field in JobDefaults.model_fields.values()}

        changes = {FIELD_CHANGES[path] for path in paths_of_defaults if path in FIELD_CHANGES}
        assert changes == {Change.NewAttempt, Change.InPlace}


def test_every_field_of_a_spec_is_listed_with_what_its_change_leads_to():
    fields = {field.serialization_alias for field in FineTuneJobSpec.model_fields.values()}
    for section in {path.split(".")[0] for path in FIELD_CHANGES if "." in path}:
        fields.remove(section)
        inner = next(f for f in FineTuneJobSpec.model_fields.values() if f.serialization_alias == section)
        fields |= {f"{section}.{f.serialization_alias}" for f in inner.annotation.model_fields.values()}
    assert fields == set(FIELD_CHANGES)


def test_an_operator_with_other_defaults_changes_almost_every_default():
    before, after = dict(paths(runs.DEFAULTS)), dict(paths(other_defaults()))
    same = {".".join(path) for path, value in before.items() if after.get(path) == value}
    # Values that the rules across fields forbid, lists of references, and sections without one.
    assert same <= {
        *("training.fp16", "training.fsdp", "training.reportTo", "loss.useLabelSmoothing"),
        *("featureCache.persistentVolumeClaim", "evaluation.gate.metric", "storage.credentialsSecretRef"),
        *("model.tokenSecretRef", "cache.persistentVolumeClaim", "cache.maxSize"),
        *("reporting.wandbSecretRef", "pod.tolerations", "pod.imagePullSecrets", "experiments", "suspend"),
        *("retrain.schedule.timeZone", "retrain.schedule.concurrencyPolicy"),
        *(f"retrain.onDataChange.{name}" for name in ("checkEvery", "minimumNewSamples", "minimumInterval")),
        *("pod.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution", "pod.dnsConfig"),
        *("pod.affinity.podAffinity", "pod.affinity.podAntiAffinity", "storage.caBundle.key"),
        *("resources.extended", "preflight.enabled"),
        *("evaluation.gate.against", "evaluation.gate.perField.margin"),
    }


@pytest.mark.usefixtures("upgraded")
class TestAnUpgradeThatChangesEveryDefault:
    def test_keeps_the_run_and_its_pod(self, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as before:
            before.setattr(runs, "DEFAULTS", runs.defaults_of(FineTuneJobSpec))
            status, old = started(), desired()

        job, new = find_run(a_job(), status)

        assert (new.name, new.attempt_hash) == (old.name, old.attempt_hash)
        assert job.spec == FineTuneJobSpec.model_validate(a_job()["spec"])

    def test_keeps_the_run_when_a_former_default_is_then_written_out(self, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as before:
            before.setattr(runs, "DEFAULTS", runs.defaults_of(FineTuneJobSpec))
            status, old = started(), desired()

        assert desired({"lora": {"r": 16}}, status).name == old.name

    def test_keeps_the_result_of_an_earlier_spec(self, monkeypatch: pytest.MonkeyPatch):
        with monkeypatch.context() as before:
            before.setattr(runs, "DEFAULTS", runs.defaults_of(FineTuneJobSpec))
            first, second = desired(), desired({"lora": {"r": 8}}).build_status()
        record = RunRecord(
            name=first.name,
            outcome="Succeeded",
            training_hash=first.training_hash,
            spec_hash=first.spec_hash,
        )

        back = desired(None, FineTuneJobStatus(run=second, runs=[record]))
        again = desired(None, FineTuneJobStatus(run=back.build_status()))

        assert back.name == again.name == first.name

    def test_starts_new_runs_with_the_new_defaults(self):
        job, _ = find_run(a_job(), FineTuneJobStatus())
        assert job.spec.lora.r == other_defaults()["lora"]["r"] != 16


def test_the_run_of_an_operator_that_recorded_no_hashes_is_kept():
    status = FineTuneJobStatus(observed_generation=1, run=RunStatus(name="invoices-01234567"))
    assert desired(None, status).name == "invoices-01234567"


def test_such_a_run_is_kept_when_the_job_was_edited_during_the_upgrade_but_not_what_is_learned():
    status = FineTuneJobStatus(observed_generation=1, run=RunStatus(name="invoices-a64130b6"))
    assert desired({"suspend": True}, status, generation=2).name == "invoices-a64130b6"
    assert desired({"lora": {"r": 8}}, status, generation=2).name != "invoices-a64130b6"


def test_such_a_run_is_kept_when_only_its_job_is_left():
    run = find_run(a_job(), FineTuneJobStatus(), {"invoices-a64130b6": {}})[1]
    assert run.name == "invoices-a64130b6"


def test_such_a_run_in_the_history_is_found_again():
    record = RunRecord(name="invoices-a64130b6", outcome="Succeeded")
    status = FineTuneJobStatus(run=desired({"lora": {"r": 8}}).build_status(), runs=[record])
    assert desired(None, status).name == "invoices-a64130b6"


@pytest.mark.parametrize(
    "defaults",
    [
        pytest.param('{"lora": "none"}', id="no-section"),
        pytest.param('{"lora": {"r": "many"}}', id="no-number"),
        pytest.param('{"no": {"such": "field"}}', id="no-field"),
        pytest.param("[1, 2]", id="no-object"),
        pytest.param('{"lora": ', id="no-json"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_defaults_that_another_program_wrote_do_not_change_the_run(defaults: str):
    run = started().run.model_copy(update={"defaults_json": defaults})
    job, after = find_run(a_job(), FineTuneJobStatus(run=run))
    assert after.name == desired().name
    assert job.spec.training.seed == 42


def test_a_job_that_is_restored_with_its_status_under_another_uid_keeps_its_run():
    assert desired(None, started(), uid="another-uid").name == desired().name


def test_a_name_that_someone_wrote_into_the_status_does_not_replace_the_run():
    status = started()
    assert status.run is not None
    edited = FineTuneJobStatus(run=status.run.model_copy(update={"name": "another-run"}))

    assert find_run(a_job(), edited, {status.run.name: {}})[1].name == status.run.name


def test_the_order_of_keys_does_not_matter():
    job = a_job({"pod": {"labels": {"a": "1", "b": "2"}}, "method": "QLoRA"})
    reordered = json.loads(json.dumps(job), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert find_run(reordered, FineTuneJobStatus())[1] == find_run(job, FineTuneJobStatus())[1]


def test_a_job_that_is_created_again_gets_new_runs():
    assert desired(uid="another-uid").name != desired().name


def test_the_hash_of_the_pod_must_not_change_between_versions_of_the_operator():
    assert desired().attempt_hash == "a147b9591a9f51e0"


@pytest.mark.parametrize(
    ("job", "run"),
    {
        "invoices": "invoices-b9717bde",
        "i" * 52: f"{'i' * 52}-b9717bde",
        "i" * 63: f"{'i' * 52}-b9717bde",
        f"{'i' * 51}-{'v' * 11}": f"{'i' * 51}--b9717bde",
    }.items(),
    ids=["short", "as long as the part in the run's name", "the longest", "cut after a dash"],
)
def test_the_name_must_not_change_between_versions_of_the_operator(job: str, run: str):
    name = desired(name=job).name
    assert name == run
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name) and len(lookup_name(name)) <= 63


def test_jobs_whose_names_are_cut_to_the_same_text_have_different_runs():
    first, second = (desired(name=f"{'i' * 52}-{end}", uid=f"uid-{end}").name for end in ("a", "b"))
    assert first != second
