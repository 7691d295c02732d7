"""An S3 server, and a hub, whose certificate a private authority has issued."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest

from finscribe_core.constants import CA_VARIABLES, ENV_CA_BUNDLE
from finscribe_core.errors import FailureReason, UserError
from finscribe_trainer.runtime.certificates import trust_private_authorities
from tests.support.s3 import ACCESS_KEY, SECRET_KEY
from tests.support.storage import storage_without_delays
from tools.kube.certificates import Certificates
from tools.kube.process import Processes, free_ports
from tools.kube.services import S3Server

pytestmark = pytest.mark.versitygw

LOAD_FROM_HUB = """
from finscribe_trainer.model.source import find_local_or_hub_model, model_errors
from finscribe_trainer.runtime.environment import prepare_environment
prepare_environment()
from transformers import AutoConfig
with model_errors(find_local_or_hub_model("team/model", None)):
    AutoConfig.from_pretrained("team/model")
"""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("pki"))
    made.make_authority()
    made.issue_server("s3", "/CN=s3", "IP:127.0.0.1")
    return made


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    (folder / "objects" / "team").mkdir(parents=True)
    [port] = free_ports(1)
    files = (certificates.crt("s3"), certificates.key("s3"))
    server = S3Server("127.0.0.1", port, folder / "objects", ACCESS_KEY, SECRET_KEY, certificate=files)
    processes = Processes(folder / "process", die_with_parent=True)
    part = server.part()
    processes.start(part)
    yield server.url
    processes.stop(part.name)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No certificates but the public ones, and the server's credentials."""
    for name in (*CA_VARIABLES, ENV_CA_BUNDLE, *(name for name in os.environ if name.startswith("AWS_"))):
        monkeypatch.setenv(name, "")  # restored afterwards, whatever the code under test sets
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)


def test_the_storage_is_used_with_the_authoritys_certificate(
    endpoint: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(ENV_CA_BUNDLE, str(certificates.ca))
    storage_without_delays(endpoint).check_writable("s3://team/models")

    trusted = Path(os.environ["SSL_CERT_FILE"]).read_text()
    assert Path(certifi.where()).read_text().strip() in trusted, "the public authorities are not replaced"
    assert ENV_CA_BUNDLE not in os.environ


def test_without_it_the_error_names_the_remedy(endpoint: str):
    with pytest.raises(UserError) as caught:
        storage_without_delays(endpoint).check_writable("s3://team/models")

    assert caught.value.reason is FailureReason.InvalidConfig
    assert endpoint in caught.value.message and "storage.caBundle" in caught.value.remedy


def test_a_bundle_of_botocores_own_variable_is_enough_for_the_storage(
    endpoint: str, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificates.ca))

    storage_without_delays(endpoint).check_writable("s3://team/models")


@pytest.mark.parametrize("text", ["", "not a certificate", None], ids=["empty", "no PEM", "missing"])
def test_an_unusable_bundle_is_refused(text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    bundle = tmp_path / "ca.crt"
    if text is not None:
        bundle.write_text(text)
    monkeypatch.setenv(ENV_CA_BUNDLE, str(bundle))

    with pytest.raises(UserError, match=str(bundle)) as caught:
        trust_private_authorities()
    assert "storage.caBundle" in caught.value.remedy
    assert "SSL_CERT_FILE" not in os.environ


@pytest.mark.parametrize(
    ("with_bundle", "words"),
    [(False, "the hub's certificate is not trusted"), (True, "403 Forbidden")],
    ids=["without", "with, the server answers"],
)
def test_the_hub_is_trusted_with_the_authoritys_certificate(
    with_bundle: bool, words: str, endpoint: str, certificates: Certificates, tmp_path: Path
):
    env = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    if with_bundle:
        env[ENV_CA_BUNDLE] = str(certificates.ca)

    done = subprocess.run(
        [sys.executable, "-c", LOAD_FROM_HUB], env=env, capture_output=True, text=True, check=False
    )

    assert words in done.stderr, done.stderr
