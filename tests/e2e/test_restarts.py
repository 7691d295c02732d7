"""A kubelet starts a trainer again in its pod, until the operator gives up."""

from dataclasses import replace

from finscribe_core.errors import FailureReason
from tests.e2e.team import Bucket, Team
from tools.kube.process import free_ports


def test_a_trainer_whose_bucket_does_not_answer_starts_again_in_the_same_pod(team: Team, bucket: Bucket):
    nowhere = replace(bucket.server, port=free_ports(1)[0])
    team.write_secret("nowhere", nowhere)
    team.submit("unreachable", storage={"credentialsSecretRef": {"name": "nowhere"}}, backoffLimit=1)

    message = team.await_condition("unreachable", "Failed", FailureReason.StorageUnavailable)

    run = team.status("unreachable").run
    assert "Gave up after 2 failed attempts" in message
    assert (run.attempts, run.restarts, run.failed_attempts) == (2, 1, 2)
