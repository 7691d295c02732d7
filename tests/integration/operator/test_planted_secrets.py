"""Credentials that are planted in a job's Secrets are found nowhere afterwards: neither in its status, logs,
files and bucket, nor in what is printed and served, whether it succeeds or fails.
"""

import asyncio
import base64
import re
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from finscribe_core.errors import FailureReason
from tests.integration.operator.conftest import LocalProject
from tests.support.hostile_server import Answer, Request, hostile_server
from tests.support.hub_mirror import HUB_ID, hub_mirror

PROXY_PASSWORD = "Proxy6planted"
SECRETS = {
    "s3": {
        "AWS_ACCESS_KEY_ID": "AKIAPLANTEDKEYID0001",
        "AWS_SECRET_ACCESS_KEY": "SecretAccess/Key+planted=0002",
        "AWS_SESSION_TOKEN": "SessionToken/planted+again==0003",
    },
    "hub": {"HF_TOKEN": "hf_TokenOfTheHub/planted0004"},
    "wandb": {"WANDB_API_KEY": "wandb0planted0" * 3},
}
PLANTED = {name: value for values in SECRETS.values() for name, value in values.items()}
PLANTED["the proxy's password"] = PROXY_PASSWORD
FRAGMENT = 12
"""Characters of a credential that must not be found together: a text may have been cut within it."""
RETRY, USER_ERROR = 75, 78


def fragments(value: str) -> set[bytes]:
    """Every piece of a credential, also of how it looks in a URL, and in base64."""
    encoded = base64.b64encode(value.encode()).decode().rstrip("=")[:-1]
    forms = (value, quote(value), quote(value, safe=""), encoded)
    return {form[at : at + FRAGMENT].encode() for form in forms for at in range(len(form) - FRAGMENT + 1)}


def find_planted(texts: dict[str, bytes]) -> list[str]:
    """Which credentials are found, and where."""
    pieces = {name: fragments(value) for name, value in PLANTED.items()}
    return [
        f"{name} in {where}"
        for where, text in texts.items()
        for name in PLANTED
        if any(piece in text for piece in pieces[name])
    ]


def write_job(project: LocalProject, storage: str) -> None:
    """A job that uses all Secrets, in one file with them."""
    project.write_job(reportTo=["tensorboard", "wandb"])
    job = next(yaml.safe_load_all(project.job.read_text()))
    job["spec"] |= {
        "backoffLimit": 0,
        "model": {"source": f"hf://{HUB_ID}", "tokenSecretRef": {"name": "hub"}},
        "storage": {"credentialsSecretRef": {"name": "s3"}, "endpoint": storage},
        "reporting": {"wandbSecretRef": {"name": "wandb"}},
    }
    secret = {"apiVersion": "v1", "kind": "Secret"}
    secrets = [{**secret, "metadata": {"name": n}, "stringData": values} for n, values in SECRETS.items()]
    project.job.write_text(yaml.safe_dump_all([job, *secrets], sort_keys=False))


class Found(dict[str, bytes]):
    """Every text and file that comes of a run, by where it was found, but the job's own file."""

    def __init__(self, project: LocalProject) -> None:
        self._project = project

    async def watch(self) -> None:
        """Look again and again: files of the scratch volume are deleted, pages are served no longer."""
        while True:
            await asyncio.to_thread(self.look)
            await asyncio.sleep(0.5)

    def look(self) -> None:
        """Read all files, and all pages that the trainer serves."""
        folder = self._project.directory
        for path in folder.rglob("*"):
            with suppress(OSError):
                if path.is_file() and path != self._project.job:
                    self[path.relative_to(folder).as_posix()] = path.read_bytes()
        for log in [text for name, text in self.items() if name.endswith(".log")]:
            if address := re.search(rb"on (http://127\.0\.0\.1:\d+)", log):
                self._read_pages(address[1].decode())

    def _read_pages(self, address: str) -> None:
        for name in ("metrics", "progress", "healthz"):
            with suppress(OSError), urllib.request.urlopen(f"{address}/{name}", timeout=2) as answer:
                self[name] = self.get(name, b"") + answer.read()


async def run(project: LocalProject) -> tuple[int, Found]:
    """Run the job; returns the exit code, and what was found."""
    found = Found(project)
    watching = asyncio.create_task(found.watch())
    code, output = await project.run()
    watching.cancel()
    found.look()
    for key in project.server.keys(project.bucket):
        found[f"s3://{key}"] = project.server.read(project.bucket, key)
    found["output"] = output.encode()
    return code, found


@pytest.fixture(autouse=True)
def environment(project: LocalProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy with a password, W&B without network, and a cache of the hub that is searched, too."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://team:{PROXY_PASSWORD}@127.0.0.1:9")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("HF_HOME", str(project.directory / "hub"))


@pytest.mark.timeout(600)
async def test_a_run_that_succeeds_leaves_no_credential_behind(
    project: LocalProject, sample: Path, monkeypatch: pytest.MonkeyPatch
):
    with hub_mirror(sample / "model") as hub:
        hub.token = PLANTED["HF_TOKEN"]
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        write_job(project, project.server.endpoint)
        code, found = await run(project)

    assert code == 0, found["output"].decode()
    assert found.keys() >= {"metrics", "progress", "healthz"}
    kinds = ("FineTuneJob/default/invoices.json", ".log", ".termination", ".wandb", ".tfevents")
    for part in (*kinds, "adapter_model.safetensors", "report.html", "manifest.json", "checkpoint-"):
        assert any(part in name for name in found), part
    assert find_planted(found) == []


def echo(status: int) -> Callable[[Request], Answer]:
    """An error that repeats the request's headers, as S3's errors of signatures do, also as in a URL."""

    def respond(request: Request) -> Answer:
        headers = "\n".join(f"{name}:{value}" for name, value in request.headers.items())
        forms = f"{headers} {quote(headers)} {quote(headers, safe='')} {PLANTED['AWS_ACCESS_KEY_ID']}"
        body = f"<Error><Code>SignatureDoesNotMatch</Code><Message>{forms}</Message></Error>"
        return Answer(status, body.encode(), {"X-Error-Message": forms.replace("\n", " ")})

    return respond


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("what", "status", "code", "reason"),
    [
        ("storage", 403, USER_ERROR, FailureReason.StorageAccessDenied),
        ("storage", 503, RETRY, FailureReason.StorageUnavailable),
        ("hub", 401, USER_ERROR, FailureReason.ModelAccessDenied),
        ("hub", 500, RETRY, FailureReason.StorageUnavailable),
        ("proxy", 0, RETRY, FailureReason.StorageUnavailable),
    ],
)
async def test_a_run_that_fails_leaves_no_credential_behind(
    what: str,
    status: int,
    code: int,
    reason: FailureReason,
    project: LocalProject,
    monkeypatch: pytest.MonkeyPatch,
):
    with hostile_server(echo(status)) as server:
        if what == "hub":
            monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        write_job(project, server.endpoint if what == "storage" else project.server.endpoint)
        ended, found = await run(project)

    output = found["output"].decode()
    assert (ended, find_planted(found)) == (code, []), output
    assert reason in output
