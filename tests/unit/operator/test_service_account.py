"""The operator's service account: the API server's address, and authorities that are replaced."""

import ssl
from pathlib import Path

import pytest

from finscribe_operator import service_account
from finscribe_operator.service_account import Authorities
from tools.kube.certificates import Certificates


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the pod's files are."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(service_account, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_the_server_is_an_address(folder: Path, monkeypatch: pytest.MonkeyPatch, host: str, url: str):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)

    assert service_account.server() == url


def test_a_kubeconfig_is_used_instead_when_one_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", "/home/me/.kube/config")

    assert not service_account.is_used()


def test_new_authorities_are_added_and_a_broken_file_changes_nothing(folder: Path):
    file = folder / "ca.crt"
    file.write_text(_authority(folder / "first"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(file)
    authorities = Authorities(context)

    for text in ("", "not a certificate", _authority(folder / "second")):
        _replace(file, text)
        authorities.refresh()

    assert context.cert_store_stats()["x509_ca"] == 2


def _authority(folder: Path) -> str:
    certificates = Certificates(folder)
    certificates.make_authority()
    return certificates.ca.read_text()


def _replace(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.replace(file)
