"""The page about events names states and reasons that exist, and each of its rows is shown by a test."""

import re
from pathlib import Path

import pytest

from finscribe_core.api.conditions import ConditionType, Reason
from finscribe_core.api.v1alpha1 import State
from finscribe_core.errors import FailureReason
from finscribe_core.report import Phase
from tests.unit.docs.pages import ALL, ROOT

PAGE = ALL["docs/what-happens-when.md"]
STAGES = "apiserver/test_stages.py::test_every_tool_shows_each_stage_exactly_as_expected"
TESTS = {
    "The spec breaks a rule": (STAGES, "apiserver/test_admission.py::test_an_invalid_job_is_refused"),
    "A quota has no room": (STAGES, "apiserver/test_pod_creation.py::test_the_status_names"),
    "The namespace has no GPUs left": (
        "unit/operator/test_gpu_limit.py::test_it_starts_when_another_has_ended",
    ),
    "A queue has not admitted": (
        STAGES,
        "apiserver/test_hands.py::test_a_queue_that_suspends_the_job",
        "apiserver/test_queue.py::test_three_jobs_share_the_quota_of_two",
    ),
    "The queue's quota can never": (
        "apiserver/test_queue.py::test_a_job_leaves_the_queue_with_its_name",
        "apiserver/test_queue.py::test_a_queue_that_does_not_exist",
    ),
    "No node has room": (STAGES, "apiserver/test_nodes.py::test_a_run_gives_its_gpu"),
    "The image does not exist": (STAGES,),
    "The Secret does not exist": (
        STAGES,
        "unit/operator/test_waiting.py::test_the_field_is_named_whose_secret",
    ),
    "A volume can't be mounted": (STAGES, "apiserver/test_pod_creation.py::test_a_pod_that_its_node"),
    "The container has not started": (
        STAGES,
        "apiserver/test_start_deadline.py::test_a_pod_that_can_not_start",
    ),
    "The node rejects the pod": ("apiserver/test_disruptions.py::test_pods_that_their_node_rejects",),
    "The pod is evicted": (STAGES, "apiserver/test_nodes.py::test_a_run_on_a_node_that_gets_a_taint"),
    "A pod of higher priority": ("apiserver/test_nodes.py::test_a_run_gives_its_gpu",),
    "A job of higher priority preempts": ("apiserver/test_queue.py::test_three_jobs_share_the_quota_of_two",),
    "Kueue, or somebody, deactivates": (
        "apiserver/test_queue.py::test_a_suspended_run_makes_room_in_the_queue",
    ),
    "A spot node is reclaimed": ("apiserver/test_disruptions.py::test_a_run_whose_spot_node_is_reclaimed",),
    "The node does not answer": (STAGES, "apiserver/test_nodes.py::test_a_run_on_a_node_that_is_silent"),
    "The node is deleted": (
        "apiserver/test_nodes.py::test_a_run_on_a_node_that_is_silent",
        "apiserver/test_disruptions.py::test_a_run_whose_node_is_lost",
    ),
    "One pod of": (
        "integration/distributed/test_nodes.py::test_a_run_that_is_disturbed",
        "apiserver/test_several_nodes.py::test_two_pods_find_each_other",
    ),
    "Someone deletes the pod": ("e2e/test_training.py::test_a_pod_that_is_deleted_during_training_resumes",),
    "The container needs more memory": (
        "e2e/test_training.py::test_a_run_that_exceeds_its_memory_limit",
        "apiserver/test_changes.py::test_a_run_that_ran_out_of_memory_continues_with_more",
    ),
    "The scratch volume is full": ("integration/operator/test_disk.py::test_a_full_disk_ends_the_run",),
    "A batch does not fit": (
        "unit/training/test_trouble.py::test_a_batch_that_exceeds_the_memory_is_halved",
        "unit/training/test_trouble.py::test_a_single_row_that_exceeds_the_memory",
    ),
    "A step hangs": ("unit/reporting/test_watchdog.py::test_a_hung_activity",),
    "The trainer runs, but the operator": ("unit/operator/test_activity.py::test_the_status_describes",),
    "The run takes too long": (STAGES,),
    "S3 does not answer": (
        "integration/bad_input/test_bad_input.py::test_permanently_unavailable_storage",
        "apiserver/test_restarts.py::test_restarts_in_the_pod_count",
    ),
    "The credentials are wrong": ("e2e/test_training.py::test_wrong_credentials_fail_the_run_at_once",),
    "The credentials expire": ("unit/storage/test_errors.py::test_an_expired_token",),
    "Data set or model are missing": ("e2e/test_training.py::test_a_missing_dataset",),
    "The hub refuses": ("integration/model/test_hub.py::test_a_gated_model_needs_a_token",),
    "The bucket of the results": ("unit/storage/test_errors.py::test_a_missing_bucket",),
    "The model would not learn to read": (
        "unit/training/preflight/test_preflight.py::test_a_planted_defect_is_named",
        "unit/pipeline/test_recipe.py::test_a_defect_ends_a_run_before_its_first_step",
    ),
    "The loss becomes NaN": ("unit/pipeline/test_recipe.py::test_a_nan_loss_ends_the_run",),
    "Checkpoints in the bucket": (
        "unit/training/test_bucket_checkpoints.py::test_of_checkpoints_that_cant_be_used",
        "unit/storage/test_checkpoints.py::test_a_run_without_checkpoints_has_none",
    ),
    "The results are deleted": ("unit/operator/test_retraining.py::test_the_cause_of_a_new_run_is",),
    "The tuned model does not pass": (STAGES, "e2e/test_training.py::test_a_run_that_fails_its_gate"),
    "The training data change": ("unit/operator/test_retraining.py::test_start_a_run",),
    "The operator is down": (STAGES, "apiserver/test_crashes.py::test_changes_while_the_operator_is_down"),
    "One of several operator replicas": (
        "unit/operator/test_election.py::test_another_replica_takes_over",
        "apiserver/test_sweeps.py::test_nothing_is_lost",
    ),
    "A replica hangs": ("apiserver/test_replicas.py::test_a_leader_that_was_frozen_writes_nothing",),
    "The operator is restarted": (
        "apiserver/test_crashes.py::test_a_restart_of_the_operator",
        "apiserver/test_upgrade.py::test_an_operator_with_other_defaults_starts_nothing",
    ),
    "The API server is down": ("apiserver/test_faults.py::test_an_operator_waits_for_an_api_server",),
    "etcd is restored": ("apiserver/test_faults.py::test_jobs_are_served_after_etcd_was_restored",),
    "A job is restored without": (STAGES, "apiserver/test_lookup.py::test_a_job_that_lost_its_status"),
    "The labels of the namespace": (
        "unit/operator/test_policies.py::test_a_run_continues_while_the_namespace",
    ),
    "The clocks of nodes differ": ("apiserver/test_faults.py::test_times_in_status_are_those",),
    "The CRD is removed": ("apiserver/test_faults.py::test_jobs_are_served_after_the_crd_was_removed",),
    "The namespace is deleted": ("apiserver/test_hands.py::test_a_namespace_that_is_deleted_during_a_run",),
    "The spec changes": ("apiserver/test_changes.py::test_a_changed_spec_starts_a_new_run",),
    "Another job has the same": ("apiserver/test_shared_output.py::test_the_younger_of_two_jobs",),
    "`spec.suspend` is set": (STAGES, "apiserver/test_changes.py::test_suspend_terminates_the_pod"),
    "The job is deleted": ("apiserver/test_changes.py::test_deleting_a_job_deletes_its_children",),
    "The run's Job, ConfigMap": ("apiserver/test_hands.py::test_a_config_map_that_was_deleted",),
    "The status is edited": ("apiserver/test_hands.py::test_a_status_that_was_deleted_is_made_again",),
    "`spec.ttlSecondsAfterFinished`": (STAGES, "apiserver/test_expiry.py::test_the_children_of_all_runs"),
    "A failed run is to be tried": (STAGES, "apiserver/test_changes.py::test_a_failed_run_continues"),
}
"""The beginning of each row, and the beginnings of the names of the tests that show it."""
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.text.splitlines()
    if line.startswith("| ") and not line.startswith("| What happened")
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_row_names_states_and_reasons_that_exist(row: list[str]):
    named = re.findall(r"`([A-Z]\w+)`", row[1])
    assert len(row) == 4 and set(named) <= {*State, *Reason, *FailureReason, *Phase, *ConditionType}


def test_each_row_is_shown_by_tests_that_exist():
    assert [row[0] for row in ROWS if not any(row[0].startswith(begin) for begin in TESTS)] == []
    assert [begin for begin in TESTS if not any(row[0].startswith(begin) for row in ROWS)] == []
    missing = [test for tests in TESTS.values() for test in tests if not exists(test)]
    assert missing == []


def exists(test: str) -> bool:
    """Whether a test has a name that begins like this."""
    path, _, name = test.partition("::")
    return bool(re.search(rf"^ *(async )?def {name}", Path(ROOT / "tests" / path).read_text(), re.MULTILINE))
