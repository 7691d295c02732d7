"""A pod's container as a local process: paths, environment, Secrets."""

import json

import pytest

from finscribe_operator.local.job_status import is_finished

SHOW = """
import json, os, sys
names = ("OUT", "HOME", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "FINSCRIBE_HTTP_PORT", "NAMESPACE")
print(json.dumps({"args": sys.argv[1:], **{name: os.environ.get(name) for name in names}}))
print(open(sys.argv[1]).read())
"""
VOLUMES = {
    "volumes": [
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "config", "configMap": {"name": "config"}},
    ]
}
MOUNTS = {
    "volumeMounts": [
        {"name": "work", "mountPath": "/workspace"},
        {"name": "tmp", "mountPath": "/tmp"},
        {"name": "config", "mountPath": "/etc/finscribe"},
    ]
}


def secret(key):
    return {"name": key, "valueFrom": {"secretKeyRef": {"name": "s3", "key": key, "optional": True}}}


async def run_and_read(start, tmp_path, env, **options):
    local = await start(
        SHOW,
        container={"args": [SHOW, "/etc/finscribe/config.yaml", "/tmp/x"], "env": env, **MOUNTS},
        pod=VOLUMES,
        config_map={"config.yaml": "model_name_or_path: /workspace/mine\noutput_dir: /workspace/output\n"},
        **options,
    )
    await local.until(lambda: is_finished(local.job))
    (log,) = (tmp_path / "state" / "runs" / "run-1").glob("*.log")
    first, rest = log.read_text().split("\n", 1)
    return json.loads(first), rest


async def test_mounted_paths_become_directories_below_the_state_directory(start, tmp_path):
    env = [
        {"name": "OUT", "value": "/workspace/out"},
        {"name": "NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
    ]
    seen, config = await run_and_read(start, tmp_path, env)

    run = tmp_path / "state" / "runs" / "run-1"
    assert seen["args"] == [f"{run}/config/config.yaml", "/tmp/x"]
    assert seen["OUT"] == f"{run}/volumes/work/out"
    assert seen["NAMESPACE"] == "default"
    # The model's path is the user's own, on this machine.
    assert config.strip() == f"model_name_or_path: /workspace/mine\noutput_dir: {run}/volumes/work/output"


async def test_home_is_the_users_and_each_container_gets_a_port_of_its_own(start, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    seen, _ = await run_and_read(start, tmp_path, [{"name": "HOME", "value": "/workspace"}])

    assert seen["HOME"] == "/home/somebody"
    assert 1024 < int(seen["FINSCRIBE_HTTP_PORT"]) < 65536


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        pytest.param({}, ("from-environment", "token"), id="no Secret in the file: the user's environment"),
        pytest.param(
            {"s3": {"AWS_ACCESS_KEY_ID": "hush"}}, ("hush", None), id="a Secret in the file: its values only"
        ),
    ],
)
async def test_credentials_come_from_one_source(start, tmp_path, monkeypatch, secrets, expected):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    env = [secret("AWS_ACCESS_KEY_ID"), secret("AWS_SESSION_TOKEN")]
    seen, _ = await run_and_read(start, tmp_path, env, secrets=secrets)

    assert (seen["AWS_ACCESS_KEY_ID"], seen["AWS_SESSION_TOKEN"]) == expected


async def test_a_secret_is_never_written_to_disk(start, tmp_path):
    local = await start("", container={"env": [secret("KEY")]}, secrets={"s3": {"KEY": "hush-hush"}})
    await local.until(lambda: is_finished(local.job))

    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hush-hush" in path.read_bytes()]


async def test_a_claim_is_a_directory_of_all_runs(start, tmp_path):
    volume = {"name": "cache", "persistentVolumeClaim": {"claimName": "downloads"}}
    mount = {"name": "cache", "mountPath": "/cache"}
    local = await start(
        "import sys; print(sys.argv[1])",
        container={"args": ["import sys; print(sys.argv[1])", "/cache"], "volumeMounts": [mount]},
        pod={"volumes": [volume]},
    )
    await local.until(lambda: is_finished(local.job))
    (log,) = (tmp_path / "state" / "runs" / "run-1").glob("*.log")
    assert log.read_text().strip() == str(tmp_path / "state" / "claims" / "downloads")
