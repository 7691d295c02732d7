"""Runs on a real cluster: kubelet, containers, object storage and all."""

import json
from pathlib import Path

import pytest
import yaml

from finscribe_core.api.conditions import Reason
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase
from finscribe_trainer.model.built_in import find_built_in_model
from tests.apiserver.eventually import eventually
from tests.e2e.team import EXAMPLE, RUN_SECONDS, Bucket, Team
from tests.support.result_layout import EXAMPLE_LAYOUT, layout_of
from tools.kube.progress import ToolError


def test_the_example_is_trained_and_its_adapter_has_the_reported_loss(
    team: Team, bucket: Bucket, tmp_path: Path
):
    from tests.e2e.reload import eval_loss_of_adapter  # noqa: PLC0415 - collecting tests must not load torch

    example = yaml.safe_load(EXAMPLE.read_text())
    team.apply(example | {"metadata": {"name": "invoices", "namespace": team.namespace}})

    team.await_condition("invoices", "Complete")

    status = team.status("invoices")
    outputs = status.run.outputs
    manifest = bucket.read_json(outputs.manifest)
    assert manifest
    assert bucket.read_json("s3://finscribe-demo/results/invoices/latest.json")["uri"] == outputs.uri
    keys = [key.removeprefix("results/invoices/") for key in bucket.keys("results/invoices/")]
    assert layout_of(keys, status.run.name) == EXAMPLE_LAYOUT
    metrics = bucket.read_json(f"{outputs.uri}/metrics.json")
    assert metrics["best_eval_loss"] < metrics["base_eval_loss"]
    assert float(status.evaluation.tuned.field_accuracy) > float(status.evaluation.base.field_accuracy)
    adapter = bucket.download(outputs.adapter, tmp_path / "adapter")
    loss = eval_loss_of_adapter(find_built_in_model(), adapter, bucket.example_sample / "val.jsonl")
    assert loss == pytest.approx(metrics["best_eval_loss"], rel=0.05)


def test_a_run_that_fails_its_gate_is_complete_and_latest_json_is_not_written(team: Team, bucket: Bucket):
    short = {"numTrainEpochs": 1, "evalSteps": 12}
    evaluation = {"enabled": True, "maxDocuments": 4, "gate": {"metric": "field_accuracy", "minimum": 0.99}}
    team.submit("gated", training=short, evaluation=evaluation)

    team.await_condition("gated", "Complete")

    status = team.status("gated")
    promoted = next(c for c in status.conditions if c.type == "Promoted")
    assert (promoted.status, promoted.reason) == ("False", Reason.GateFailed)
    assert status.evaluation.documents == 4
    assert "GateFailed" in team.kubectl("get", "events")
    keys = [key.removeprefix("results/gated/") for key in bucket.keys("results/gated/")]
    assert f"runs/{status.run.name}/evaluation/report.html" in keys
    assert "latest.json" not in keys


def test_a_pod_that_is_deleted_during_training_resumes_from_its_checkpoint(team: Team, bucket: Bucket):
    training = {"numTrainEpochs": 6, "evalSteps": 8, "saveSteps": 8}
    team.submit("interrupted", training=training, earlyStopping={"enabled": False})
    eventually(lambda: team.status("interrupted").progress.step >= 9, within=RUN_SECONDS)
    eventually(lambda: [k for k in bucket.keys("results/interrupted/") if "checkpoint" in k], within=60)
    pod = team.pods("interrupted")[0]["metadata"]["name"]

    team.kubectl("delete", "pod", pod)
    team.await_condition("interrupted", "Complete")

    run = team.status("interrupted").run
    assert run.resumed_from is not None and "/checkpoints/checkpoint-" in run.resumed_from
    metrics = bucket.read_json(f"{run.outputs.uri}/metrics.json")
    assert metrics["steps"] == metrics["total_steps"]


def test_a_run_that_exceeds_its_memory_limit_fails_with_oomkilled(team: Team):
    team.submit("too-big", resources={"memory": "96Mi"}, backoffLimit=0)

    message = team.await_condition("too-big", "Failed", FailureReason.OOMKilled)

    assert "resources.memory" in message


def test_wrong_credentials_fail_the_run_at_once(team: Team, bucket: Bucket):
    team.write_secret("wrong-credentials", bucket.server, secret_key="not-the-one-of-the-server")
    team.submit("denied", storage={"credentialsSecretRef": {"name": "wrong-credentials"}})

    team.await_condition("denied", "Failed", FailureReason.StorageAccessDenied)

    assert team.status("denied").run.failed_attempts == 1


def test_a_missing_dataset_fails_the_run_at_once(team: Team):
    missing = "s3://finscribe-demo/datasets/receipts/train.jsonl"
    team.submit("missing", dataset={"train": missing})

    message = team.await_condition("missing", "Failed", FailureReason.DatasetNotFound)

    assert missing in message
    assert team.status("missing").run.failed_attempts == 1


def test_a_suspended_run_has_no_pod_and_resumes_later(team: Team):
    training = {"numTrainEpochs": 4, "evalSteps": 8, "saveSteps": 8}
    team.submit("suspended", training=training, earlyStopping={"enabled": False})
    eventually(lambda: team.status("suspended").progress.phase == Phase.Training, within=RUN_SECONDS)

    team.kubectl("patch", "ftj", "suspended", "--type=merge", '--patch={"spec":{"suspend":true}}')
    team.await_condition("suspended", "Suspended")
    eventually(lambda: not team.pods("suspended"), within=180)
    team.kubectl("patch", "ftj", "suspended", "--type=merge", '--patch={"spec":{"suspend":false}}')

    team.await_condition("suspended", "Complete")
    assert team.status("suspended").run.resumed_from is not None


def test_the_namespace_of_these_tests_admits_no_privileged_pod(team: Team):
    container = {"name": "c", "image": "finscribe/pause:1", "securityContext": {"privileged": True}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "privileged", "namespace": team.namespace},
        "spec": {"containers": [container]},
    }

    with pytest.raises(ToolError, match="violates PodSecurity"):
        team.kubectl("create", "--filename=-", stdin=json.dumps(pod))
