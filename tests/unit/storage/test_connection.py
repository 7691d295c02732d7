"""Endpoint and region of the S3 client."""

import pytest

from finscribe_core.errors import FailureReason, RetryableError, UserError
from finscribe_core.trainer_config import StorageEndpoint
from finscribe_trainer.storage.connection import RetryPolicy, connect
from tests.support.storage import storage_without_delays


def url_of(client) -> str:
    return client.generate_presigned_url("get_object", Params={"Bucket": "team", "Key": "a/b"}).partition(
        "?"
    )[0]


@pytest.mark.parametrize(
    ("config", "env", "url", "region"),
    [
        ({}, {}, "https://team.s3.amazonaws.com/a/b", "us-east-1"),
        ({"region": "eu-central-1"}, {"AWS_REGION": "us-west-2"}, None, "eu-central-1"),
        ({}, {"AWS_REGION": "us-west-2"}, None, "us-west-2"),
        ({}, {"AWS_ENDPOINT_URL": "http://minio:9000"}, "http://minio:9000/team/a/b", "us-east-1"),
        (
            {"endpoint": "https://s3.example.com"},
            {"AWS_ENDPOINT_URL": "http://minio:9000"},
            "https://s3.example.com/team/a/b",
            "us-east-1",
        ),
    ],
    ids=["AWS", "region of the config", "region of the env", "endpoint of the env", "endpoint of the config"],
)
def test_the_config_takes_precedence_over_the_environment(config, env, url, region, s3_env, monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    for name, value in env.items():
        monkeypatch.setenv(name, value)

    client = connect(StorageEndpoint(**config), RetryPolicy())

    assert client.meta.region_name == region
    if url:
        assert url_of(client) == url


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ENDPOINT_URL", "https://user:hunter2@minio:9000"),
        ("AWS_ENDPOINT_URL", "https://minio:9000?X-Amz-Signature=hunter2"),
        ("AWS_ENDPOINT_URL", "minio:9000"),
        ("AWS_ENDPOINT_URL", "https://"),
        ("AWS_REGION", "eu central"),
        ("AWS_PROFILE", "no-such-profile"),
    ],
)
def test_an_unusable_setting_of_the_environment_is_a_user_error_without_its_credentials(
    name, value, s3_env, monkeypatch
):
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv(name, value)

    with pytest.raises(UserError) as caught:
        connect(StorageEndpoint(), RetryPolicy())
    assert caught.value.reason is FailureReason.InvalidConfig
    assert "hunter2" not in str(caught.value)


def test_the_proxy_of_the_environment_is_used_but_for_hosts_of_no_proxy(bucket, s3_env, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(RetryableError, match="proxy"):
        storage_without_delays(s3_env.endpoint).check_writable(f"s3://{bucket}/team")

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    storage_without_delays(s3_env.endpoint).check_writable(f"s3://{bucket}/team")
