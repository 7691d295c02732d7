"""Errors of requests: which are user errors, which are retryable, and their reasons."""

import itertools
import urllib.request

import pytest
from botocore.exceptions import SSLError

from finscribe_core.constants import EXIT_RETRY
from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_trainer.storage import Storage
from finscribe_trainer.storage.connection import RetryPolicy
from finscribe_trainer.storage.errors import translate
from tests.support.hostile_server import Answer, hostile_server
from tests.support.storage import storage_without_delays


def check_credentials(endpoint: str, after_requests: str) -> None:
    """Make the server check credentials after a number of requests; it has no users, so it denies all."""
    url = f"{endpoint}/moto-api/reset-auth"
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, after_requests.encode(), headers)).close()


@pytest.fixture
def strict_bucket(s3_env, bucket):
    check_credentials(s3_env.endpoint, "0")
    yield bucket
    check_credentials(s3_env.endpoint, "inf")


@pytest.mark.parametrize(
    "attempt",
    [
        lambda s, b, d: s.fetch_file(f"s3://{b}/rows.jsonl", d / "rows"),
        lambda s, b, d: s.fetch_prefix(f"s3://{b}/model", d),
        lambda s, b, d: s.check_writable(f"s3://{b}/team"),
        lambda s, b, d: s.read_json(f"s3://{b}/latest.json"),
        lambda s, b, d: s.version(f"s3://{b}/rows.jsonl"),
        lambda s, b, d: s.versions_below(f"s3://{b}/rows"),
    ],
    ids=["fetch a file", "fetch a prefix", "check writable", "read JSON", "version", "versions"],
)
def test_denied_access_is_a_user_error_about_credentials(attempt, strict_bucket, storage: Storage, tmp_path):
    with pytest.raises(UserError, match="denied") as caught:
        attempt(storage, strict_bucket, tmp_path)
    assert caught.value.reason is FailureReason.StorageAccessDenied
    assert "AWS_ACCESS_KEY_ID" in caught.value.remedy


def test_missing_credentials_are_reported_as_access_denied(storage, s3_env, bucket, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))

    with pytest.raises(UserError) as caught:
        storage_without_delays(s3_env.endpoint).check_writable(f"s3://{bucket}/team")
    assert caught.value.reason is FailureReason.StorageAccessDenied


@pytest.mark.parametrize(
    ("attempt", "reason"),
    [
        (lambda s, d: s.fetch_file("s3://no-such-bucket/a", d / "a"), FailureReason.DatasetNotFound),
        (lambda s, d: s.fetch_prefix("s3://no-such-bucket/a", d), FailureReason.ModelNotFound),
        (lambda s, d: s.check_writable("s3://no-such-bucket/a"), FailureReason.OutputNotFound),
        (lambda s, d: s.publish_run(d, "s3://no-such-bucket/a"), FailureReason.OutputNotFound),
        (lambda s, d: s.fetch_file("s3://UPPER_case/a", d / "a"), FailureReason.DatasetNotFound),
    ],
    ids=["dataset", "model", "write check", "result", "impossible name"],
)
def test_a_missing_bucket_is_reported_with_the_reason_for_its_use(attempt, reason, storage, tmp_path):
    with pytest.raises(UserError) as caught:
        attempt(storage, tmp_path)
    assert caught.value.reason is reason
    assert "s3://" in caught.value.message
    assert list(tmp_path.rglob("*")) == []


def test_a_missing_object_is_reported_with_the_callers_reason(storage, bucket, tmp_path):
    with pytest.raises(UserError, match=f"s3://{bucket}/images/7.png") as caught:
        storage.fetch_objects(
            [(f"s3://{bucket}/images/7.png", tmp_path / "7.png")], missing=FailureReason.DatasetInvalid
        )
    assert caught.value.reason is FailureReason.DatasetInvalid


def test_an_unreachable_endpoint_is_a_retryable_error(s3_env):
    storage = storage_without_delays("http://127.0.0.1:9")

    with pytest.raises(
        RetryableError, match=r"http://127.0.0.1:9.*tried|tried.*http://127.0.0.1:9"
    ) as caught:
        storage.check_writable("s3://team-models/invoices")
    assert caught.value.reason is FailureReason.StorageUnavailable


def test_delays_grow_up_to_a_maximum():
    policy = RetryPolicy(first_delay=0.5, max_delay=20.0)

    for failures, longest in [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 20.0), (50, 20.0)]:
        assert longest / 2 <= policy.delay(failures) <= longest


def denial(status: int, code: str) -> Answer:
    return Answer(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ExpiredToken"),
        (400, "TokenRefreshRequired"),
        (403, "RequestTimeTooSkewed"),
        (403, "RequestExpired"),
    ],
)
def test_an_expired_token_and_a_wrong_clock_are_retryable(status, code, s3_env):
    with hostile_server(denial(status, code)) as server, pytest.raises(RetryableError, match=code) as caught:
        storage_without_delays(server.endpoint).names("s3://team/data")
    assert caught.value.reason is FailureReason.StorageCredentialsExpired
    assert caught.value.exit_code == EXIT_RETRY


DENIALS = [
    denial(403, "AccessDenied"),
    denial(403, "InvalidAccessKeyId"),
    denial(403, "SignatureDoesNotMatch"),
    denial(400, "InvalidToken"),
    denial(401, "Unauthorized"),
]


@pytest.mark.parametrize("answer", DENIALS, ids=lambda answer: str(answer.body)[15:35])
def test_a_denial_after_a_success_is_retryable_and_a_first_one_is_not(answer, s3_env):
    answers = iter([Answer(body=b"<ListBucketResult/>"), answer, answer, answer])
    with hostile_server(lambda request: next(answers)) as server:
        storage = storage_without_delays(server.endpoint)
        storage.names("s3://team/data")

        with pytest.raises(RetryableError, match="no longer accessible") as caught:
            storage.names("s3://team/data")
        assert caught.value.reason is FailureReason.StorageCredentialsExpired
        for other in ("s3://another-bucket/data", "s3://team/data"):
            first_of_its_kind = storage.read_json if "team" in other else storage.names
            with pytest.raises(UserError) as denied:
                first_of_its_kind(other)
            assert denied.value.reason is FailureReason.StorageAccessDenied


def test_an_upload_denied_after_a_success_is_retryable(s3_env, tmp_path):
    (tmp_path / "weights").write_bytes(b"x")
    puts = itertools.count()

    def respond(request):
        is_denied = request.method == "PUT" and next(puts) > 0
        return denial(403, "AccessDenied") if is_denied else Answer(headers={"ETag": '"x"'})

    with hostile_server(respond) as server:
        storage = storage_without_delays(server.endpoint)
        storage.check_writable("s3://team/out")
        with pytest.raises(RetryableError) as caught:
            storage.publish_run(tmp_path, "s3://team/out/run")
    assert caught.value.reason is FailureReason.StorageCredentialsExpired


@pytest.mark.parametrize(
    ("was_granted", "kind"),
    [(False, UserError), (True, RetryableError)],
    ids=["never trusted", "trusted before"],
)
def test_a_certificate_that_is_not_trusted_is_a_user_error_unless_it_was_trusted_before(was_granted, kind):
    problem = SSLError(
        endpoint_url="https://minio:9000", error="[SSL] certificate verify failed: has expired"
    )

    error = translate(
        problem, "s3://b/a", "https://minio:9000", FailureReason.DatasetNotFound, was_granted=was_granted
    )

    assert type(error) is kind
    assert "storage.caBundle" in error.remedy


def test_a_credential_in_a_long_error_is_removed_before_the_error_is_cut(monkeypatch: pytest.MonkeyPatch):
    token = "session-token-0123456789"
    monkeypatch.setenv("AWS_SESSION_TOKEN", token)

    for start in range(460, 500):
        error = translate(RuntimeError("x" * start + token), "s3://b/k", "", FailureReason.DatasetNotFound)
        assert "x" * start in str(error) and token[:4] not in str(error)
