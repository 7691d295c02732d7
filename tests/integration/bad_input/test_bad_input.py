"""Bad input gets a clear error, with the same reason from the trainer alone and through the job's status."""

import pytest

from finscribe_core.api.v1alpha1 import FineTuneJobSpec
from finscribe_core.constants import EXIT_RETRY, EXIT_USER_ERROR
from finscribe_core.errors import FailureReason
from finscribe_core.fields import in_camel_case
from tests.integration.bad_input.cases import CASES, Case
from tests.integration.bad_input.valid_job import ValidJob
from tests.support.faulty_proxy import Fault, faulty_proxy

JOB_CASES = [case for case in CASES if case.name in ("huge image", "no output bucket", "no target modules")]
"""How an error gets from the trainer to the status is the same for all: these are raised by the rows, by the
storage and by the model, and the first names a limit of the job's spec."""


def name_of(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_the_trainer_exits_with_the_reason(case: Case, job: ValidJob) -> None:
    case.invalidate(job)
    code, result, output = job.run_trainer()
    assert result is not None, output
    assert (code, result.reason) == (EXIT_USER_ERROR, case.reason), output
    for part in case.message_parts:
        assert part in result.message
    assert "Traceback" not in output


@pytest.mark.parametrize("case", JOB_CASES, ids=name_of)
def test_the_status_shows_the_reason(case: Case, job: ValidJob) -> None:
    case.invalidate(job)
    code, failed, output = job.run_job()
    assert (code, failed.get("status"), failed.get("reason")) == (EXIT_USER_ERROR, "True", case.reason), (
        output
    )
    for part in case.message_parts:
        named = in_camel_case(FineTuneJobSpec, part)
        assert named in failed["message"]
        assert named in output.replace("\n", " ")
    assert f"Failed=True {case.reason}" in output


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("training.lerningRate", 0.1, "learningRate"),
        ("training.learningRate", "2e-5", "remove the quotes"),
    ],
)
def test_a_mistake_in_the_manifest_is_named_with_its_line(
    job: ValidJob, field: str, value: object, message: str
) -> None:
    job.set(field, value)
    code, _, output = job.run_job()
    assert code == EXIT_USER_ERROR
    assert field.rsplit(".", 1)[-1] in output
    assert message in output
    assert "job.yaml:" in output


def test_permanently_unavailable_storage_exits_with_the_retry_code(job: ValidJob) -> None:
    with faulty_proxy(job.server.port) as proxy:
        proxy.fail_after(1, Fault.Vanish)
        job.env["AWS_ENDPOINT_URL"] = proxy.endpoint
        code, failed, output = job.run_job()
    assert (code, failed.get("reason")) == (EXIT_RETRY, FailureReason.StorageUnavailable), output
    assert job.bucket in failed["message"]


def test_a_full_disk_exits_with_the_retry_code_and_names_the_setting_to_raise(job: ValidJob) -> None:
    # A private mount of 1 MiB over the state directory: the disk is really full.
    (job.directory / "state").mkdir()
    job.put_rows("train.jsonl", [{"prompt": "x" * 1000, "completion": "y"}] * 4000)
    mount = f'mount -t tmpfs -o size=1m none {job.directory / "state"} && exec "$@"'
    job.prefix = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    code, _, output = job.run_job()
    assert code == EXIT_RETRY, output
    assert FailureReason.DiskFull in output
    assert "scratch" in output
